import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.exit_policy import PublishedPolicy
from model.scan import scan_frame
from server.errors import ServiceError
from server.networks import ServedNetwork
from server.tensors.sequences import Sequence, Sequences
from tests.conftest import served
from tests.model.random_networks import random_frames, seeds
from tests.networks import SMALL

PUBLISHED = {"name": "published"}
MODELS = served()


def _sequence() -> Sequence:
    return Sequence(MODELS, SMALL.name, PUBLISHED)


@settings(max_examples=30)
@given(seeds, st.lists(st.integers(1, 3), min_size=6), st.floats(0.45, 0.55), st.booleans())
def test_a_frame_in_pieces_of_any_size_is_the_frame(
    seed: int, sizes: list[int], middle: float, leave_out: bool
) -> None:
    frame = random_frames(SMALL, 1, seed)[0]
    policy = PublishedPolicy(min(1, middle + 0.02), middle)
    scan = scan_frame(MODELS[SMALL.name].runtime, frame, policy)
    sequence = Sequence(
        MODELS,
        SMALL.name,
        {"name": "published", "exit_threshold": policy.exit_threshold, "skip_threshold": policy.skip_threshold},
    )
    first = 0
    for size in sizes:
        if leave_out:
            first = max(first, sequence.next_burst)
        if first >= SMALL.bursts_per_frame:
            break
        rows = frame[first * 5 : (first + size) * 5]
        sequence.advance(rows, first if leave_out else None)
        first += len(rows) // 5
    assert sequence.decision is not None
    assert (sequence.processed, sequence.skipped) == (scan.processed, scan.skipped)
    assert sequence.last.burst_index == scan.last_burst
    assert sequence.last.p_person == pytest.approx(scan.p_person, abs=1e-6)
    assert sequence.decision.unread == scan.unread


def test_what_is_out_of_order_changes_nothing() -> None:
    frame = random_frames(SMALL, 1, 0)[0]
    sequence = _sequence()
    sequence.advance(frame[:10])
    before = sequence.last
    for first in (0, 3):
        with pytest.raises(ServiceError) as refused:
            sequence.advance(frame[:5], first)
        assert (refused.value.code, refused.value.http_status) == ("out_of_order", 409)
    sequence.advance(frame[10:15], 2)
    assert sequence.last.burst_index == 2
    assert before.burst_index == 1


def _code(sequences: Sequences, key: tuple[str, int | str]) -> str:
    with pytest.raises(ServiceError) as refused:
        sequences.find(key)
    return refused.value.code


def test_expired_is_not_unknown_and_use_keeps_alive() -> None:
    now = [0.0]
    sequences = Sequences(2, 10, clock=lambda: now[0])
    one, two, other = ("m", 1), ("m", 2), ("m", "1")
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
        sequences.start(("m", index), _sequence())
        now[0] += 20
    assert [_code(sequences, ("m", index)) for index in range(3)] == [
        "unknown_sequence",
        "sequence_expired",
        "sequence_expired",
    ]


def test_starting_anew_replaces() -> None:
    sequences = Sequences(1, 10, clock=lambda: 0.0)
    first, second = _sequence(), _sequence()
    sequences.start(("m", 1), first)
    sequences.start(("m", 1), second)
    assert sequences.find(("m", 1)) is second
    assert np.array_equal(second.logits, np.zeros(2))


def test_a_policy_that_is_not_there() -> None:
    models: dict[str, ServedNetwork] = MODELS
    with pytest.raises(ServiceError, match="other"):
        Sequence(models, SMALL.name, {"name": "other"})
