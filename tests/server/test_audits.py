import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.exit_policy import CalibratedPolicy, NeverExitPolicy, PerBurstPolicy, describe_policy
from model.scan import scan_frame
from sensor_sim.wire import Abandon, Checkpoint, Decision, End, Hello, Position, Resume, Summary, Welcome
from server.audit_counts import AuditCounts, Outcome, Totals, cells_of
from server.audits import LEAST_AUDITS, REMEMBERED, Audits
from server.networks import ServedNetwork
from server.settings import AlarmAction
from server.stream.session import StreamSession
from server.stream.tokens import Tokens
from tests.networks import SMALL
from tests.server.stream.sessions import BURSTS, LIMITS, RUNTIMES, frame_of, rows_of, say

DIGEST = "ab" * 32
RISK, ALPHA = 0.05, 0.01
ALARMING = 4
"""Audits, all of them lost, that are enough evidence."""


def _certified(person: float = 0.5, empty: float = 0.5) -> CalibratedPolicy:
    return CalibratedPolicy(
        person,
        person,
        empty,
        empty,
        loss="disagreement",
        condition="marginal",
        risk=RISK,
        delta=0.05,
        certificate=DIGEST,
    )


def _networks(network: int = 0, policy: CalibratedPolicy | None = None):  # type: ignore[no-untyped-def]
    return {SMALL.name: ServedNetwork(RUNTIMES[network], "digest", policy or _certified())}


def _audits(share: float = 1.0, action: AlarmAction = "warn", counts: AuditCounts | None = None, **served) -> Audits:  # type: ignore[no-untyped-def]
    return Audits(_networks(**served), share, ALPHA, action, b"key", counts)


def _totals(audits: Audits) -> Totals:
    watch = audits.watch_of(DIGEST)
    assert watch is not None
    return watch.totals


def _session(audits: Audits, network: int = 0, policy: CalibratedPolicy | None = None) -> StreamSession:
    tokens = Tokens([b"k" * 32], 60, lambda: 0.0)
    return StreamSession(_networks(network, policy), LIMITS, tokens, audits)


def _decision(replies: Sequence[object]) -> Decision:
    (decision,) = (reply for reply in replies if isinstance(reply, Decision))
    return decision


@given(
    network=st.integers(0, 3),
    lines=st.tuples(st.floats(0.5, 1.05), st.floats(0.5, 1.05)),
    sizes=st.lists(st.integers(1, BURSTS), min_size=BURSTS, max_size=BURSTS),
    seed=st.integers(0, 99),
)
def test_an_audit_compares_the_exit_with_the_whole_frame(
    network: int, lines: tuple[float, float], sizes: list[int], seed: int
) -> None:
    policy, frame = _certified(*lines), frame_of(seed)
    audits = _audits(network=network, policy=policy)
    session = _session(audits, network, policy)
    say(session, Hello(SMALL.name, None, 0))
    replies, first = [], 0
    for size in sizes:
        if first < BURSTS:
            replies += say(session, rows_of(frame, first, min(size, BURSTS - first)))
            first += size
    decision = _decision(replies)
    alone = scan_frame(RUNTIMES[network], frame, PerBurstPolicy(lines[0], lines[0], lines[1], lines[1]))
    assert decision.p_person == pytest.approx(alone.p_person, abs=1e-6), "the decision is that without an audit"
    assert (decision.processed, decision.unread, decision.audit) == (alone.processed, alone.unread, alone.unread > 0)
    assert replies[-1] == decision, "nothing is said about the rest"
    agrees = scan_frame(RUNTIMES[network], frame, NeverExitPolicy()).person == alone.person
    assert _totals(audits) == Totals(agreed=int(agrees), lost=int(not agrees))
    (summary,) = say(session, End())
    assert isinstance(summary, Summary)
    assert summary.audited == decision.unread


def _begun(audits: Audits) -> tuple[StreamSession, Decision]:
    """A session whose frame 3 is decided at its first burst, and audited."""
    session = _session(audits)
    say(session, Hello(SMALL.name, None, 0))
    decision = _decision(say(session, rows_of(frame_of(0), 0, 1, 3)))
    assert decision.audit
    return session, decision


def test_a_rest_that_is_not_sent_is_counted_and_holds_nothing_up() -> None:
    audits = _audits()
    session, _ = _begun(audits)
    assert session.between_frames
    assert _decision(say(session, rows_of(frame_of(1), 0, 1, 4))).audit
    assert say(session, rows_of(frame_of(1), 2, 1, 4)) == [], "a rest with a gap is none"
    say(session, Abandon(4))
    assert _decision(say(session, rows_of(frame_of(1), 0, 1, 5))).audit
    say(session, End())
    session.disconnect()
    assert _totals(audits) == Totals(unsent=3)


def test_an_audit_that_a_connection_does_not_outlive_goes_on_elsewhere() -> None:
    audits = _audits()
    session, decision = _begun(audits)
    say(session, rows_of(frame_of(0), 1, 2, 3))
    session.disconnect()
    assert _totals(audits) == Totals(interrupted=1)
    session = _session(audits)
    (welcome,) = say(session, Resume(decision.token))
    assert isinstance(welcome, Welcome)
    assert welcome.position == Position(3, BURSTS, 1)
    assert session.between_frames
    assert say(session, rows_of(frame_of(0), 1, BURSTS - 1, 3)) == []
    assert _totals(audits)[:2] in ((1, 0), (0, 1))
    assert _totals(audits).interrupted == 1


def test_a_rest_that_is_sent_again_counts_once() -> None:
    audits = _audits()
    session, decision = _begun(audits)
    for _ in range(3):
        assert say(session, rows_of(frame_of(0), 1, BURSTS - 1, 3)) == []
        session.disconnect()
        session = _session(audits)
        say(session, Resume(decision.token))
    assert _totals(audits).judged == 1


def test_a_stream_meets_the_same_coins_wherever_it_goes_on() -> None:
    audits = _audits(0.5)
    session = _session(audits)
    (welcome,) = say(session, Hello(SMALL.name, None, 0))
    assert isinstance(welcome, Welcome)
    told = []
    for _ in range(2):
        session = _session(_audits(0.5))
        say(session, Resume(welcome.token))
        told.append([_decision(say(session, rows_of(frame_of(0), 0, 1, frame))).audit for frame in range(40)])
    assert told[0] == told[1]
    assert 5 < sum(told[0]) < 35


def test_coins_fall_by_their_share_and_are_another_stream_s_and_key_s_own() -> None:
    audits, other = _audits(0.2), Audits(_networks(), 0.2, ALPHA, "warn", b"another key")
    drawn = np.array([audits.draws(DIGEST, "a", frame) for frame in range(20_000)])
    assert drawn.mean() == pytest.approx(0.2, abs=0.015)
    for others in (
        [audits.draws(DIGEST, "b", frame) for frame in range(20_000)],
        [other.draws(DIGEST, "a", frame) for frame in range(20_000)],
    ):
        assert np.corrcoef(drawn, others)[0, 1] == pytest.approx(0, abs=0.04)


@pytest.mark.parametrize("served", [{"policy": replace(_certified(), loss="accuracy")}, {"share": 0.0}])
def test_nothing_is_drawn_where_audits_can_see_no_loss_or_are_not_wanted(served) -> None:  # type: ignore[no-untyped-def]
    audits = _audits(**served)
    assert not audits.draws(DIGEST, "a", 0)
    assert audits.watch_of(DIGEST) is None
    audits.count(DIGEST, Outcome.LOST, "a", 0)


def _alarm(audits: Audits) -> None:
    for frame in range(ALARMING):
        assert not _totals(audits).alarmed
        audits.count(DIGEST, Outcome.LOST, "elsewhere", frame)
    assert _totals(audits).alarmed


def test_the_alarm_is_logged_once_and_stays(caplog: pytest.LogCaptureFixture) -> None:
    audits = _audits()
    with caplog.at_level(logging.ERROR):
        _alarm(audits)
        for frame in range(ALARMING, 500):
            audits.count(DIGEST, Outcome.AGREED if frame > 30 else Outcome.LOST, "elsewhere", frame)
    (record,) = caplog.records
    assert record.facts["certificate"] == DIGEST  # type: ignore[attr-defined]
    watch = audits.watch_of(DIGEST)
    assert watch is not None
    assert watch.alarmed


@pytest.mark.parametrize(
    ("action", "named", "exited", "policy"),
    [("warn", DIGEST, True, "calibrated"), ("drop", "", True, "calibrated"), ("never", "", False, "never")],
)
def test_what_follows_an_alarm(action: AlarmAction, named: str, exited: bool, policy: str) -> None:
    audits = _audits(action=action)
    session, told = _begun(audits)
    assert (told.certificate, told.exited) == (DIGEST, True)
    _alarm(audits)
    decision = _decision(say(session, rows_of(frame_of(0), 0, BURSTS, 4)))
    assert (decision.certificate, decision.exited) == (named, exited)
    for opening in (Hello(SMALL.name), Resume(told.token), Hello(SMALL.name, {"name": "calibrated"})):
        session = _session(audits)
        (welcome,) = say(session, opening)
        assert isinstance(welcome, Welcome)
        assert welcome.policy["name"] == policy
    other = _session(audits)
    (welcome,) = say(other, Hello(SMALL.name, describe_policy(PerBurstPolicy(0.5, 0.5, 0.5, 0.5))))
    assert _decision(say(other, rows_of(frame_of(0), 0, BURSTS, 4))).exited, "other policies promise nothing"


def test_a_frame_that_was_begun_before_the_alarm_goes_on_as_it_began_or_to_its_end() -> None:
    policy = _certified(2.0, 2.0)
    audits = _audits(action="never", policy=policy)
    session = _session(audits, policy=policy)
    say(session, Hello(SMALL.name, None, 0, checkpoint_every=2))
    (checkpoint,) = say(session, rows_of(frame_of(0), 0, 2, 3))
    assert isinstance(checkpoint, Checkpoint)
    _alarm(audits)
    for going in (session, _session(audits, policy=policy)):
        if going is not session:
            say(going, Resume(checkpoint.token))
        assert not _decision(say(going, rows_of(frame_of(0), 2, BURSTS - 2, 3))).exited


def test_workers_add_up_and_hear_of_each_other_s_alarm() -> None:
    cells = [0] * cells_of([DIGEST], 3)
    workers = [_audits(action="drop", counts=AuditCounts([DIGEST], cells, number)) for number in range(3)]
    for frame in range(ALARMING):
        assert not _totals(workers[0]).alarmed
        workers[frame % 3].count(DIGEST, Outcome.LOST, f"of {frame % 3}", frame)
    assert {_totals(worker) for worker in workers} == {Totals(lost=ALARMING, alarmed=1)}
    for worker in workers:
        worker.refresh()
        assert not worker.promises(DIGEST)


def test_unsent_rests_are_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    audits = _audits()
    with caplog.at_level(logging.WARNING):
        for frame in range(LEAST_AUDITS):
            audits.count(DIGEST, Outcome.AGREED, "a", frame)
        assert not caplog.records
        for frame in range(2 * LEAST_AUDITS):
            audits.count(DIGEST, Outcome.UNSENT, "a", frame)
    (record,) = caplog.records
    assert "do not send the rest" in record.message


def test_what_is_remembered_is_bounded() -> None:
    audits, told = _audits(), Counter[str]()
    for frame in range(REMEMBERED + 10):
        audits.count(DIGEST, Outcome.AGREED, "a", frame)
    for frame in (REMEMBERED + 9, 0):
        before = _totals(audits).agreed
        audits.count(DIGEST, Outcome.AGREED, "a", frame)
        told["again"] += _totals(audits).agreed - before
    assert told["again"] == 1, "the first one is long forgotten"
