import base64
import dataclasses
import string

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.exit_policy import CalibratedPolicy, NeverExitPolicy, PerBurstPolicy, PublishedPolicy, describe_policy
from model.exit_policy import Policy as ExitPolicy
from model.scan import scan_frame
from sensor_sim.wire import Checkpoint, Decision, Hello, Resume, Rows, Summary, Welcome, decode, encode
from server.errors import ServiceError
from server.frame import FrameInProgress
from server.networks import ServedNetwork
from server.stream.session import StreamSession
from server.stream.tokens import VERSION, Tokens, encode_hello
from tests.networks import SMALL
from tests.server.certificates import promised_policy
from tests.server.stream.sessions import BURSTS, LIMITS, RUNTIMES, frame_of, policies, rows_of, say

KEY = b"k" * 32
MODELS = {SMALL.name: ServedNetwork(RUNTIMES[0], "digest")}


class Clock:
    now_s = 0.0


def _session(key: bytes = KEY, digest: str = "digest", clock: type[Clock] = Clock) -> StreamSession:
    models = {SMALL.name: ServedNetwork(RUNTIMES[0], digest)}
    return StreamSession(models, LIMITS, Tokens([key], 60, lambda: clock.now_s))


@given(policy=policies, cuts=st.sets(st.integers(1, 3 * BURSTS - 1)), every=st.integers(1, 3), seed=st.integers(0, 99))
def test_streams_cut_anywhere_decide_alike(policy: ExitPolicy, cuts: set[int], every: int, seed: int) -> None:
    """After each cut a new session goes on from the last token, itself used twice."""
    frames = [frame_of(seed + number) for number in range(3)]
    session = _session()
    (welcome,) = say(session, Hello(SMALL.name, describe_policy(policy), 0, checkpoint_every=every))
    assert isinstance(welcome, Welcome)
    found: dict[int, float] = {}
    token, sent = welcome.token, 0
    rows = [rows_of(frame, burst, 1, number) for number, frame in enumerate(frames) for burst in range(BURSTS)]
    at = 0
    while at < len(rows):
        sent += 1
        if sent in cuts:
            for _ in range(2):  # a repeated token gives the same stream again
                session = _session()
                (welcome,) = say(session, Resume(token))
            assert isinstance(welcome, Welcome)
            place = welcome.position
            at = place.frame_id * BURSTS + place.next_burst if place else 0
            continue
        for reply in say(session, rows[at]):
            if isinstance(reply, Decision | Checkpoint):
                token = reply.token
            if isinstance(reply, Decision):
                assert found.setdefault(reply.frame_id, reply.p_person) == reply.p_person
        at += 1
    assert found == {
        number: pytest.approx(scan_frame(RUNTIMES[0], frame, policy).p_person, abs=1e-6)
        for number, frame in enumerate(frames)
    }


def _token() -> str:
    session = _session()
    say(session, Hello(SMALL.name, {"name": "never"}, checkpoint_every=2))
    replies = say(session, rows_of(frame_of(0), 0, 2))
    (checkpoint,) = (reply for reply in replies if isinstance(reply, Checkpoint))
    return checkpoint.token


def _refusal(session: StreamSession, token: str) -> str:
    with pytest.raises(ServiceError) as caught:
        session.receive(decode(encode(Resume(token))))
    return caught.value.code


@given(st.data())
def test_a_token_with_any_bit_changed_is_refused(data: st.DataObject) -> None:
    content = bytearray(base64.urlsafe_b64decode(_token()))
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    assert _refusal(_session(), base64.urlsafe_b64encode(content).decode()) == "bad_token"


@given(st.text(max_size=200))
def test_any_text_as_a_token_is_refused(token: str) -> None:
    assert _refusal(_session(), token) == "bad_token"


@pytest.mark.parametrize("policy", [NeverExitPolicy(), PublishedPolicy(0.9, 0.2), PerBurstPolicy(1, 1, 1, 1)])
def test_one_state_has_one_text(policy: ExitPolicy) -> None:
    """Base64 would read the same bytes out of other texts too."""
    (welcome,) = say(_session(), Hello(SMALL.name, describe_policy(policy), 0))
    assert isinstance(welcome, Welcome)
    letters, padding = welcome.token.rstrip("="), welcome.token.count("=") * "="
    others = {letters[:-1] + letter + padding for letter in string.ascii_letters + string.digits + "-_"}
    others |= {welcome.token.replace("-", "+").replace("_", "/"), welcome.token + "=", letters + "\n" + padding}
    for other in others - {welcome.token}:
        assert _refusal(_session(), other) == "bad_token"


def test_foreign_and_expired_tokens_are_refused() -> None:
    class Later(Clock):
        now_s = 61.0

    token = _token()
    assert _refusal(_session(key=b"x" * 32), token) == "bad_token"
    assert _refusal(_session(digest="other"), token) == "foreign_token"
    assert _refusal(_session(clock=Later), token) == "expired_token"


def test_the_first_key_signs_and_all_open() -> None:
    old, new = b"o" * 32, b"n" * 32
    hello, totals = encode_hello(Hello(SMALL.name)), Summary(0, 0, 0, 0, 0, 0)

    def tokens(*keys: bytes) -> Tokens:
        return Tokens(keys, 60, lambda: 0.0)

    sealed = {keys: tokens(*keys).seal("digest", hello, totals, 0) for keys in ((old,), (old, new), (new, old), (new,))}
    assert sealed[old,] == sealed[old, new] != sealed[new, old] == sealed[new,]
    for keys in ((old, new), (new, old)):
        for token in sealed.values():
            tokens(*keys).open(token)
    for key, other in ((old, new), (new, old)):
        with pytest.raises(ServiceError, match="not signed with this service's key"):
            tokens(key).open(sealed[other,])


def test_credits_bound_what_is_under_way() -> None:
    session = StreamSession(MODELS, LIMITS.model_copy(update={"credit_bursts": 4}), Tokens([KEY], 60, lambda: 0.0))
    (welcome,) = say(session, Hello(SMALL.name, {"name": "never"}, 0))
    assert isinstance(welcome, Welcome)
    assert welcome.credits == 4
    with pytest.raises(ServiceError) as caught:
        session.receive(rows_of(frame_of(0), 0, 5))
    assert caught.value.code == "credit_exceeded"
    (credit,) = say(session, rows_of(frame_of(0), 0, 2))
    assert getattr(credit, "credits", None) == 6


def test_a_frame_that_begins_while_the_server_is_behind_is_shed_whole() -> None:
    session = _session()
    say(session, Hello(SMALL.name, {"name": "never"}, 0))
    said = [
        reply
        for burst in range(BURSTS)
        for reply in session.receive(rows_of(frame_of(0), burst, 1, 0), behind=not burst)
    ]
    assert session.rows_to_step() is None
    assert [type(reply).__name__ for reply in said] == ["Shed"]
    said = say(session, rows_of(frame_of(0), 0, BURSTS, 1))
    assert [type(reply).__name__ for reply in said] == ["Decision"]


def test_rows_of_too_many_bursts() -> None:
    session = StreamSession(MODELS, LIMITS.model_copy(update={"message_bursts": 2}), Tokens([KEY], 60, lambda: 0.0))
    say(session, Hello(SMALL.name))
    with pytest.raises(ServiceError) as caught:
        session.receive(Rows(0, 0, 3, 0, np.zeros((15, SMALL.width, 3), np.uint8)))
    assert caught.value.code == "too_many_bursts"


def test_a_token_of_another_release() -> None:
    tokens = Tokens([KEY], 60, lambda: Clock.now_s)
    state = FrameInProgress(RUNTIMES[0], NeverExitPolicy()).state()
    assert state is not None
    hello, totals = encode_hello(Hello(SMALL.name)), Summary(0, 0, 0, 0, 0, 0)
    assert say(_session(), Resume(tokens.seal("digest", hello, totals, 0, state)))
    cut = msgspec.structs.replace(state, hidden=b"abc")
    assert _refusal(_session(), tokens.seal("digest", hello, totals, 0, cut)) == "bad_token"
    other = msgspec.Raw(msgspec.msgpack.encode({"type": "hello", "no_such": 1}))
    assert _refusal(_session(), tokens.seal("digest", other, totals, 0, state)) == "bad_token"


def test_a_token_of_another_version_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    token = _token()
    monkeypatch.setattr("server.stream.tokens.VERSION", VERSION + 1)
    with pytest.raises(ServiceError, match=f"has version {VERSION}, not {VERSION + 1}; begin with hello") as caught:
        _session().receive(Resume(token))
    assert caught.value.code == "bad_token"


def test_a_token_holds_the_policy_that_was_in_force() -> None:
    """Where another certificate lies beside the same weights, a stream doesn't go on under another policy."""
    certified = promised_policy(0.9, 0.9, 0.95, 0.95, certificate="digest")
    tokens = Tokens([KEY], 60, lambda: Clock.now_s)

    def session(policy: CalibratedPolicy | None) -> StreamSession:
        return StreamSession({SMALL.name: ServedNetwork(RUNTIMES[0], "digest", policy)}, LIMITS, tokens)

    (welcome,) = say(session(certified), Hello(SMALL.name))
    assert isinstance(welcome, Welcome)
    assert welcome.policy == describe_policy(certified)
    (again,) = say(session(certified), Resume(welcome.token))
    assert isinstance(again, Welcome)
    assert again.policy == welcome.policy
    for other in (None, dataclasses.replace(certified, certificate="other")):
        assert _refusal(session(other), welcome.token) == "foreign_token"
    (welcome,) = say(session(None), Hello(SMALL.name))
    assert isinstance(welcome, Welcome)
    assert welcome.policy == describe_policy(PublishedPolicy())
    (again,) = say(session(certified), Resume(welcome.token))
    assert isinstance(again, Welcome)
    assert again.policy == welcome.policy
