from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.exit_policy import CalibratedPolicy, NeverExitPolicy, PublishedPolicy, describe_policy
from model.exit_policy import Policy as ExitPolicy
from model.scan import FrameScan, scan_frame
from sensor_sim.wire import (
    Abandon,
    Abandoned,
    Decision,
    End,
    Error,
    Hello,
    Message,
    Position,
    Progress,
    Resume,
    Rows,
    Skip,
    Summary,
    Welcome,
)
from server.errors import ServiceError
from server.networks import ServedNetwork
from server.stream.session import Phase, StreamSession
from server.stream.tokens import Tokens
from tests.networks import SMALL, person_curve
from tests.server.certificates import promised_policy
from tests.server.stream.sessions import BURSTS, LIMITS, RUNTIMES, frame_of, policies, rows_of, say

CALIBRATED = promised_policy(0.9, 0.9, 0.95, 0.95, certificate="ab" * 32)
TOKENS = Tokens([b"k" * 32], 60, lambda: 0.0)


def _session(seed: int, policy: ExitPolicy, every: int = 1) -> StreamSession:
    session = StreamSession({SMALL.name: ServedNetwork(RUNTIMES[seed], "digest")}, LIMITS, TOKENS)
    say(session, Hello(SMALL.name, describe_policy(policy), every))
    return session


def _decision_of(scan: FrameScan, frame_id: int) -> Decision:
    return Decision(
        frame_id, scan.last_burst, scan.p_person, scan.person, scan.exited, scan.processed, scan.skipped, scan.unread
    )


def _same(one: Decision, other: Decision) -> bool:
    return one.p_person == pytest.approx(other.p_person, abs=1e-6) and {**_parts(one)} == {**_parts(other)}


def _parts(decision: Decision) -> Mapping[str, object]:
    return {
        name: getattr(decision, name)
        for name in Decision.__struct_fields__
        if name not in ("p_person", "credits", "token")
    }


chunkings = st.lists(st.integers(1, BURSTS), min_size=BURSTS, max_size=BURSTS)


def _messages(frame: npt.NDArray[np.uint8], sizes: list[int], frame_id: int) -> list[Rows]:
    messages, first = [], 0
    for size in sizes:
        if first < BURSTS:
            messages.append(rows_of(frame, first, min(size, BURSTS - first), frame_id))
            first += size
    return messages


@given(
    network=st.integers(0, 3),
    policy=policies,
    sizes=chunkings,
    frames=st.lists(st.integers(0, 99), min_size=1, max_size=3),
)
def test_any_chunking_into_messages_gives_the_whole_frames_decision(
    network: int, policy: ExitPolicy, sizes: list[int], frames: list[int]
) -> None:
    session = _session(network, policy)
    for frame_id, seed in enumerate(frames):
        frame = frame_of(seed)
        replies = [reply for message in _messages(frame, sizes, frame_id) for reply in say(session, message)]
        (decision,) = (reply for reply in replies if isinstance(reply, Decision))
        assert _same(decision, _decision_of(scan_frame(RUNTIMES[network], frame, policy), frame_id))
        if isinstance(policy, NeverExitPolicy):
            curve = [reply.p_person for reply in replies if isinstance(reply, Progress)]
            assert curve == pytest.approx(person_curve(RUNTIMES[network], frame), abs=1e-6)


@given(network=st.integers(0, 3), policy=policies, order=st.permutations([0, 1, 2] * BURSTS), seed=st.integers(0, 99))
def test_interleaved_streams_do_not_touch_each_other(
    network: int, policy: ExitPolicy, order: list[int], seed: int
) -> None:
    sessions = [_session(network, policy) for _ in range(3)]
    frames = [frame_of(seed + stream) for stream in range(3)]
    left = [iter(range(BURSTS)) for _ in range(3)]
    decisions: dict[int, Decision] = {}
    for stream in order:
        replies = say(sessions[stream], rows_of(frames[stream], next(left[stream]), 1))
        decisions.update((stream, reply) for reply in replies if isinstance(reply, Decision))
    for stream, frame in enumerate(frames):
        assert _same(decisions[stream], _decision_of(scan_frame(RUNTIMES[network], frame, policy), 0))


@given(network=st.integers(0, 3), policy=policies, seed=st.integers(0, 99), obey=st.booleans())
def test_skipped_bursts_may_be_left_out_or_sent(network: int, policy: ExitPolicy, seed: int, obey: bool) -> None:
    session, frame, skips, replies = _session(network, policy), frame_of(seed), set(), []
    for burst in range(BURSTS):
        if obey and burst in skips:
            continue
        new = say(session, rows_of(frame, burst, 1))
        skips |= {reply.burst_index for reply in new if isinstance(reply, Skip)}
        replies += new
    (decision,) = (reply for reply in replies if isinstance(reply, Decision))
    assert decision.processed + decision.skipped + decision.unread == BURSTS
    assert len(skips) == decision.skipped
    assert _same(decision, _decision_of(scan_frame(RUNTIMES[network], frame, policy), 0))


def test_every_burst_skipped_that_can_be() -> None:
    session, frame = _session(0, PublishedPolicy(1.0, 0.9999999)), frame_of(0)
    replies = [reply for burst in range(BURSTS) for reply in say(session, rows_of(frame, burst, 1))]
    decision = next(reply for reply in replies if isinstance(reply, Decision))
    assert (decision.processed, decision.skipped, decision.unread) == (BURSTS // 2, BURSTS // 2, 0)
    assert decision.burst_index == BURSTS - 2, "the last burst is skipped, so the decision rests on the one before"


@pytest.mark.parametrize(("every", "expected"), [(0, []), (1, [0, 1, 2, 3, 4, 5]), (2, [1, 3, 5]), (4, [3])])
def test_progress_every_n_bursts(every: int, expected: list[int]) -> None:
    session = _session(0, NeverExitPolicy(), every)
    replies = say(session, rows_of(frame_of(0), 0, BURSTS))
    assert [reply.burst_index for reply in replies if isinstance(reply, Progress)] == expected


def test_welcome_states_what_is_in_force() -> None:
    session = StreamSession({SMALL.name: ServedNetwork(RUNTIMES[0], "digest")}, LIMITS, TOKENS)
    (welcome,) = say(session, Hello(SMALL.name, {"name": "published", "exit_threshold": 0.9}))
    policy = {"name": "published", "exit_threshold": 0.9, "skip_threshold": 0.005}
    assert isinstance(welcome, Welcome)
    assert welcome == Welcome(
        SMALL.name, 30, 32, 5, 6, policy, 1, "digest", LIMITS.model_dump(), LIMITS.credit_bursts, welcome.token
    )
    assert welcome.token


def test_summary_adds_up() -> None:
    session = _session(0, PublishedPolicy(0.5, 0.0))
    decisions = []
    for frame_id in range(6):
        replies = [
            reply
            for message in _messages(frame_of(frame_id), [1] * BURSTS, frame_id)
            for reply in say(session, message)
        ]
        decisions += [reply for reply in replies if isinstance(reply, Decision)]
    (summary,) = say(session, End())
    assert isinstance(summary, Summary)
    assert session.phase is Phase.ENDED
    assert summary.frames == 6
    for name in ("exited", "processed", "skipped", "unread"):
        assert getattr(summary, name) == sum(getattr(decision, name) for decision in decisions)
    assert summary.persons == sum(decision.person for decision in decisions)


def _opened() -> StreamSession:
    """Two bursts of frame 7 are in."""
    session = _session(0, NeverExitPolicy())
    say(session, rows_of(frame_of(0), 0, 2, 7))
    return session


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (Hello(SMALL.name), "out_of_phase"),
        (Error("x", "y"), "out_of_phase"),
        (rows_of(frame_of(0), 0, 1, 7), "out_of_order"),
        (rows_of(frame_of(0), 1, 1, 7), "out_of_order"),
        (rows_of(frame_of(0), 3, 1, 7), "out_of_order"),
        (rows_of(frame_of(0), 0, 1, 8), "out_of_order"),
        (rows_of(frame_of(0), 0, 1, 6), "out_of_order"),
        (Rows(7, 5, 2, 0, np.zeros((10, SMALL.width, 3), np.uint8)), "out_of_order"),
        (Rows(7, 2, 1, 0, np.zeros((5, SMALL.width + 1, 3), np.uint8)), "wrong_geometry"),
        (Rows(7, 2, 2, 0, np.zeros((8, SMALL.width, 3), np.uint8)), "wrong_geometry"),
    ],
)
def test_illegal_message_changes_nothing(message: Message, code: str) -> None:
    session = _opened()
    hidden = session.hidden.copy()
    with pytest.raises(ServiceError) as caught:
        session.receive(message)
    assert caught.value.code == code
    assert np.array_equal(session.hidden, hidden)
    replies = [reply for burst in range(2, BURSTS) for reply in say(session, rows_of(frame_of(0), burst, 1, 7))]
    decision = next(reply for reply in replies if isinstance(reply, Decision))
    assert _same(decision, _decision_of(scan_frame(RUNTIMES[0], frame_of(0), NeverExitPolicy()), 7))


@given(policy=policies, seed=st.integers(0, 99), at=st.integers(0, BURSTS), cut=st.booleans())
def test_a_frame_given_up_leaves_no_trace_in_those_after_it(policy: ExitPolicy, seed: int, at: int, cut: bool) -> None:
    session, frame = _session(0, policy), frame_of(seed)
    before = [reply for burst in range(at) for reply in say(session, rows_of(frame_of(seed + 1), burst, 1, 3))]
    (answer,) = say(session, Abandon(3))
    assert answer == Abandoned(3, session.bursts + LIMITS.credit_bursts, session.token())
    assert session.between_frames
    decided = sum(isinstance(reply, Decision) for reply in before)
    if cut:  # the answer's token, or the message once more
        session = StreamSession({SMALL.name: ServedNetwork(RUNTIMES[0], "digest")}, LIMITS, TOKENS)
        (welcome,) = say(session, Resume(answer.token))
        assert isinstance(welcome, Welcome)
        assert welcome.position == Position(3, BURSTS)
        assert isinstance(say(session, Abandon(3))[0], Abandoned)
    if at < BURSTS:  # on its way when the frame was given up
        assert say(session, rows_of(frame_of(seed + 1), at, 1, 3)) == []
    replies = [reply for burst in range(BURSTS) for reply in say(session, rows_of(frame, burst, 1, 4))]
    (decision,) = (reply for reply in replies if isinstance(reply, Decision))
    assert _same(decision, _decision_of(scan_frame(RUNTIMES[0], frame, policy), 4))
    (summary,) = say(session, End())
    assert isinstance(summary, Summary)
    assert summary.frames == decided + 1


def test_only_the_frame_in_progress_or_a_later_one_can_be_given_up() -> None:
    session = _opened()
    for frame_id in (6, 8):
        with pytest.raises(ServiceError, match=f"frame {frame_id} ") as caught:
            session.receive(Abandon(frame_id))
        assert caught.value.code == "out_of_order"
    assert not session.between_frames
    say(session, Abandon(7))
    say(session, Abandon(9))
    with pytest.raises(ServiceError, match="frame 8 came after frame 9"):
        session.receive(rows_of(frame_of(0), 0, 1, 8))
    assert say(session, rows_of(frame_of(0), 0, BURSTS, 10))


def test_the_end_may_come_within_a_frame() -> None:
    (summary,) = say(_opened(), End())
    assert summary == Summary(0, 0, 0, 0, 0, 0)


@pytest.mark.parametrize("certified", [None, CALIBRATED])
def test_the_policy_is_the_certified_one_where_none_is_named(certified: CalibratedPolicy | None) -> None:
    session = StreamSession({SMALL.name: ServedNetwork(RUNTIMES[0], "digest", certified)}, LIMITS, TOKENS)
    (welcome,) = say(session, Hello(SMALL.name))
    assert isinstance(welcome, Welcome)
    assert welcome.policy == describe_policy(certified or PublishedPolicy())


@pytest.mark.parametrize(
    ("hello", "code"),
    [
        (Hello("1x1"), "unknown_variant"),
        (Hello(SMALL.name, {}), "bad_policy"),
        (Hello(SMALL.name, {"name": "other"}), "bad_policy"),
        (Hello(SMALL.name, {"exit_threshold": 0.9}), "bad_policy"),
        (Hello(SMALL.name, {"name": "patience", "bursts": 2**64}), "bad_policy"),
        (Hello(SMALL.name, {"name": "published", "exit_threshold": 2}), "bad_policy"),
        (Hello(SMALL.name, {"name": "published", "exit_threshold": "0.9"}), "bad_policy"),
        (Hello(SMALL.name, {"name": "published", "exit_threshold": True}), "bad_policy"),
        (Hello(SMALL.name, {"name": "never", "exit_threshold": 0.9}), "bad_policy"),
    ],
)
def test_hello_refused(hello: Hello, code: str) -> None:
    session = StreamSession({SMALL.name: ServedNetwork(RUNTIMES[0], "digest")}, LIMITS, TOKENS)
    with pytest.raises(ServiceError) as caught:
        session.receive(hello)
    assert caught.value.code == code
    assert session.phase is Phase.OPENING
    assert say(session, Hello(SMALL.name))


@pytest.mark.parametrize("message", [End(), rows_of(frame_of(0), 0, 1)])
def test_nothing_before_hello(message: Message) -> None:
    with pytest.raises(ServiceError, match="allows hello"):
        StreamSession({}, LIMITS, TOKENS).receive(message)


def test_late_bursts_of_a_decided_frame_are_dropped_and_old_frames_refused() -> None:
    session = _session(0, PublishedPolicy(0.0000001, 0.0))
    first = say(session, rows_of(frame_of(0), 0, 1, 5))
    assert any(isinstance(reply, Decision) and reply.exited for reply in first)
    assert say(session, rows_of(frame_of(0), 1, 1, 5)) == []
    with pytest.raises(ServiceError, match="frame 4 came after frame 5"):
        session.receive(rows_of(frame_of(0), 0, 1, 4))
    assert say(session, rows_of(frame_of(0), 0, 1, 9))
