from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from model.exit_policy import NeverExitPolicy, Policy, PublishedPolicy
from model.scan import scan_frame
from server.audit_counts import Outcome, Totals
from server.audits import Audits
from server.errors import ServiceError
from server.settings import AlarmAction
from server.tensors.sequences import Key, Sequence, Sequences
from tests.conftest import served
from tests.model.random_networks import random_frames, seeds
from tests.networks import SMALL
from tests.server.certificates import promised_policy
from tests.server.stream.sessions import RUNTIMES, frame_of

NETWORK = served()[SMALL.name]


DIGEST = "ab" * 32
CERTIFIED = promised_policy(0.5, 0.5, 0.5, 0.5, certificate=DIGEST)
"""Exits at the first burst."""


def _audits(share: float = 1.0, action: AlarmAction = "warn") -> Audits:
    return Audits({SMALL.name: replace(NETWORK, certified=CERTIFIED)}, share, 0.01, action, b"key")


def _totals(audits: Audits) -> Totals:
    watch = audits.watch_of(DIGEST)
    assert watch is not None
    return watch.totals


def _sequence(policy: Policy | None = None, audits: Audits | None = None) -> Sequence:
    return Sequence(NETWORK, policy or PublishedPolicy(), audits or _audits())


@settings(max_examples=30)
@given(seeds, st.lists(st.integers(1, 3), min_size=6), st.floats(0.45, 0.55), st.booleans())
def test_a_frame_in_pieces_of_any_size_is_the_frame(
    seed: int, sizes: list[int], middle: float, leave_out: bool
) -> None:
    frame = random_frames(SMALL, 1, seed)[0]
    policy = PublishedPolicy(min(1, middle + 0.02), middle)
    scan = scan_frame(NETWORK.runtime, frame, policy)
    sequence = _sequence(policy)
    first = 0
    for size in sizes:
        if leave_out:
            first = max(first, sequence.next_burst)
        if first >= SMALL.bursts_per_frame:
            break
        rows = frame[first * 5 : (first + size) * 5]
        sequence.read_on(rows, first if leave_out else None)
        first += len(rows) // 5
    assert sequence.frame.decided
    assert (sequence.frame.scan.processed, sequence.frame.scan.skipped) == (scan.processed, scan.skipped)
    assert (sequence.frame.scan.last_burst, sequence.frame.scan.unread) == (scan.last_burst, scan.unread)
    assert sequence.frame.scan.p_person == pytest.approx(scan.p_person, abs=1e-6)
    assert sequence.frame.last is not None
    assert sequence.frame.last.p_person[-1] == sequence.frame.scan.p_person


def test_what_is_out_of_order_changes_nothing() -> None:
    frame = random_frames(SMALL, 1, 0)[0]
    sequence = _sequence()
    sequence.read_on(frame[:10])
    for first in (0, 3):
        with pytest.raises(ServiceError) as refused:
            sequence.read_on(frame[:5], first)
        assert (refused.value.code, refused.value.http_status) == ("out_of_order", 409)
    assert sequence.frame.scan.last_burst == 1
    sequence.read_on(frame[10:15], 2)
    assert sequence.frame.scan.last_burst == 2


@pytest.mark.parametrize("bursts", [SMALL.bursts_per_frame + 1, 65, 1000])
def test_more_bursts_than_a_frame_has_are_the_clients_mistake(bursts: int) -> None:
    sequence = _sequence()
    with pytest.raises(ServiceError, match="a frame has 6 bursts") as refused:
        sequence.read_on(np.zeros((5 * bursts, SMALL.width, 3), np.uint8))
    assert refused.value.http_status == 409
    assert sequence.frame.received == 0


def _key(sequence_id: int | str) -> Key:
    return Key("10.0.0.1", "m", sequence_id)


def _code(sequences: Sequences, key: Key) -> str:
    with pytest.raises(ServiceError) as refused:
        sequences.find(key)
    return refused.value.code


def test_expired_is_not_unknown_and_use_keeps_alive() -> None:
    now = [0.0]
    sequences = Sequences(2, 10, clock=lambda: now[0])
    one, two, other = _key(1), _key(2), _key("1")
    sequences.start(one, _sequence())
    now[0] = 6
    sequences.start(two, _sequence())
    assert _code(sequences, other) == "unknown_sequence"
    with pytest.raises(ServiceError) as refused:
        sequences.start(other, _sequence())
    assert (refused.value.code, refused.value.http_status) == ("too_many_sequences", 429)
    sequences.find(one)
    now[0] = 16
    assert len(sequences) == 0 or _code(sequences, two) == "sequence_expired"
    now[0] = 17
    assert _code(sequences, one) == "sequence_expired"
    sequences.start(one, _sequence())
    sequences.end(one)
    assert _code(sequences, one) == "unknown_sequence"


def test_as_many_expired_ones_are_remembered_as_may_live() -> None:
    now = [0.0]
    sequences = Sequences(2, 10, clock=lambda: now[0])
    for index in range(3):
        sequences.start(_key(index), _sequence())
        now[0] += 20
    assert [_code(sequences, _key(index)) for index in range(3)] == [
        "unknown_sequence",
        "sequence_expired",
        "sequence_expired",
    ]


def test_decided_sequences_make_room_the_longest_idle_first() -> None:
    sequences = Sequences(3, 10, clock=lambda: 0.0)
    for index, bursts in enumerate((3, 6, 6)):
        sequences.start(_key(index), sequence := _sequence())
        sequence.read_on(random_frames(SMALL, 1, 0)[0][: 5 * bursts])
    sequences.find(_key(1))
    sequences.start(_key(3), _sequence())
    assert _code(sequences, _key(2)) == "sequence_expired"
    sequences.start(_key(4), _sequence())
    assert _code(sequences, _key(1)) == "sequence_expired"
    with pytest.raises(ServiceError, match="3 sequences are under way"):
        sequences.start(_key(5), _sequence())
    assert sequences.find(_key(0)).frame.received == 3


def test_a_start_never_takes_the_place_of_a_sequence_under_way() -> None:
    now = [0.0]
    sequences = Sequences(1, 10, clock=lambda: now[0])
    first, second = _sequence(), _sequence()
    sequences.start(_key(1), first)
    with pytest.raises(ServiceError, match="'1' is under way; end it, choose another") as refused:
        sequences.start(_key(1), second)
    assert (refused.value.code, refused.value.http_status) == ("sequence_in_use", 409)
    assert sequences.find(_key(1)) is first
    assert _code(sequences, _key(1)._replace(client="10.0.0.2")) == "unknown_sequence"
    now[0] = 11
    sequences.start(_key(1), second)
    assert sequences.find(_key(1)) is second


@settings(max_examples=30)
@given(
    network=st.integers(0, len(RUNTIMES) - 1),
    seed=st.integers(0, 99),
    sizes=st.lists(st.integers(1, 3), min_size=6, max_size=6),
)
@example(network=0, seed=0, sizes=[1] * 6)  # lost
@example(network=0, seed=1, sizes=[1] * 6)  # agreed
def test_an_audit_compares_the_exit_with_the_whole_frame(network: int, seed: int, sizes: list[int]) -> None:
    frame, runtime = frame_of(seed), RUNTIMES[network]
    audits = _audits()
    sequence = Sequence(replace(NETWORK, runtime=runtime), CERTIFIED, audits)
    alone = scan_frame(runtime, frame, CERTIFIED)
    while sizes and sequence.next_burst < SMALL.bursts_per_frame:
        first = sequence.next_burst
        sequence.read_on(frame[first * 5 : (first + sizes.pop()) * 5])
        standing = sequence.frame.scan
        assert (standing.p_person, standing.processed, standing.unread) == pytest.approx(
            (alone.p_person, alone.processed, alone.unread), abs=1e-6
        ), "the decision stays"
        assert sequence.audited is (sequence.next_burst < SMALL.bursts_per_frame)
    agrees = scan_frame(runtime, frame, NeverExitPolicy()).person == alone.person
    assert _totals(audits) == Totals(agreed=int(agrees), lost=int(not agrees))


@pytest.mark.parametrize(("policy", "share"), [(CERTIFIED, 0.0), (PublishedPolicy(0.1, 0.0), 1.0)])
def test_a_decision_that_promises_nothing_or_is_not_drawn_wants_no_rest(policy: Policy, share: float) -> None:
    audits = _audits(share)
    sequence = _sequence(policy, audits)
    sequence.read_on(random_frames(SMALL, 1, 0)[0])
    assert not sequence.audited
    assert sequence.next_burst == SMALL.bursts_per_frame
    assert audits.watch_of(DIGEST) is None or _totals(audits) == Totals()


def _begun(audits: Audits) -> Sequence:
    """A sequence whose frame is decided at its first burst, and audited."""
    sequence = _sequence(CERTIFIED, audits)
    sequence.read_on(random_frames(SMALL, 1, 0)[0][:5])
    assert sequence.audited
    return sequence


def test_a_rest_that_does_not_come_is_counted_once() -> None:
    audits, now = _audits(), [0.0]
    sequences = Sequences(2, 10, clock=lambda: now[0])
    sequences.start(_key(1), _begun(audits))
    sequences.end(_key(1))
    assert _totals(audits) == Totals(unsent=1)
    sequences.start(_key(2), _begun(audits))
    now[0] = 20
    assert _code(sequences, _key(2)) == "sequence_expired"
    assert _totals(audits) == Totals(unsent=2)
    for number in (3, 4, 5):
        sequences.start(_key(number), _begun(audits))
    assert _totals(audits) == Totals(unsent=2, interrupted=1), "the service had no room for it"
    sequence = sequences.find(_key(5))
    sequence.read_on(random_frames(SMALL, 1, 0)[0][5:])
    sequences.end(_key(5))
    assert _totals(audits).judged == 1
    assert _totals(audits)[2:4] == (2, 1)


def test_no_sequence_exits_under_a_certificate_that_is_refuted() -> None:
    audits = _audits(action="never")
    for frame in range(4):
        audits.count(DIGEST, Outcome.LOST, "elsewhere", frame)
    sequence = _sequence(CERTIFIED, audits)
    sequence.read_on(random_frames(SMALL, 1, 0)[0][:5])
    assert not sequence.frame.decided
