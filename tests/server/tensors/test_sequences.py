import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.exit_policy import PublishedPolicy
from model.scan import scan_frame
from server.errors import ServiceError
from server.frame import FrameInProgress
from server.tensors.sequences import Key, Sequences, read_on
from tests.conftest import served
from tests.model.random_networks import random_frames, seeds
from tests.networks import SMALL

NETWORK = served()[SMALL.name]


def _sequence(policy: PublishedPolicy | None = None) -> FrameInProgress:
    return FrameInProgress(NETWORK.runtime, policy or PublishedPolicy())


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
        read_on(NETWORK, sequence, rows, first if leave_out else None)
        first += len(rows) // 5
    assert sequence.decided
    assert (sequence.scan.processed, sequence.scan.skipped) == (scan.processed, scan.skipped)
    assert (sequence.scan.last_burst, sequence.scan.unread) == (scan.last_burst, scan.unread)
    assert sequence.scan.p_person == pytest.approx(scan.p_person, abs=1e-6)
    assert sequence.last is not None
    assert sequence.last.p_person[-1] == sequence.scan.p_person


def test_what_is_out_of_order_changes_nothing() -> None:
    frame = random_frames(SMALL, 1, 0)[0]
    sequence = _sequence()
    read_on(NETWORK, sequence, frame[:10])
    for first in (0, 3):
        with pytest.raises(ServiceError) as refused:
            read_on(NETWORK, sequence, frame[:5], first)
        assert (refused.value.code, refused.value.http_status) == ("out_of_order", 409)
    assert sequence.scan.last_burst == 1
    read_on(NETWORK, sequence, frame[10:15], 2)
    assert sequence.scan.last_burst == 2


@pytest.mark.parametrize("bursts", [SMALL.bursts_per_frame + 1, 65, 1000])
def test_more_bursts_than_a_frame_has_are_the_clients_mistake(bursts: int) -> None:
    sequence = _sequence()
    with pytest.raises(ServiceError, match="a frame has 6 bursts") as refused:
        read_on(NETWORK, sequence, np.zeros((5 * bursts, SMALL.width, 3), np.uint8))
    assert refused.value.http_status == 409
    assert sequence.received == 0


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
        read_on(NETWORK, sequence, random_frames(SMALL, 1, 0)[0][: 5 * bursts])
    sequences.find(_key(1))
    sequences.start(_key(3), _sequence())
    assert _code(sequences, _key(2)) == "sequence_expired"
    sequences.start(_key(4), _sequence())
    assert _code(sequences, _key(1)) == "sequence_expired"
    with pytest.raises(ServiceError, match="3 sequences are under way"):
        sequences.start(_key(5), _sequence())
    assert sequences.find(_key(0)).received == 3


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
