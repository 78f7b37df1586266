import dataclasses
from contextlib import suppress

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.exit_policy import ExitPolicy, NeverExitPolicy, PatiencePolicy, PublishedPolicy, SequentialPolicy
from model.runtime import load_runtime
from model.scan import FrameScan, scan_frame
from sensor_sim.burst import Rows
from server.errors import ServiceError
from server.frame import FrameInProgress, FrameState
from tests.model.random_networks import random_frames
from tests.networks import SMALL, random_checkpoint, random_integer_network

BURSTS = SMALL.bursts_per_frame
RUNTIMES = [load_runtime(random_checkpoint(SMALL, seed)) for seed in range(3)]
RUNTIMES.append(load_runtime(random_integer_network(SMALL, 1)))
FRAMES = random_frames(SMALL, 4, 9)

policies = st.one_of(
    st.just(NeverExitPolicy()),
    st.builds(lambda low, gap: PublishedPolicy(min(low + gap, 1.0), low), st.floats(0, 0.7), st.floats(0.01, 0.5)),
    st.builds(PatiencePolicy, st.integers(1, 4), st.just(0.0)),
    st.builds(SequentialPolicy, st.floats(0.1, 3)),
)


def _rows(picture: int, first: int, bursts: int) -> Rows:
    rows = np.zeros((5 * bursts, SMALL.width, 3), np.uint8)
    seen = FRAMES[picture][5 * first : 5 * (first + bursts)]
    rows[: len(seen)] = seen
    return Rows(0, first, bursts, 0, rows)


def _work(frame: FrameInProgress, network: int) -> None:
    while (rows := frame.rows_to_step()) is not None:
        frame.advance(RUNTIMES[network].step(rows, frame.hidden))


def _standing(frame: FrameInProgress) -> tuple[object, ...]:
    scan = frame.scan
    return scan.processed, scan.skipped, scan.unread, scan.exited, scan.last_burst, scan.p_person, frame.next_burst


@settings(max_examples=100)
@given(
    st.integers(0, 3),
    policies,
    st.integers(0, 3),
    st.lists(st.tuples(st.integers(-1, 2), st.integers(1, BURSTS)), max_size=12),
)
def test_rows_are_taken_where_the_table_says(
    network: int, policy: ExitPolicy, picture: int, tries: list[tuple[int, int]]
) -> None:
    """Whatever comes besides what is legal: the frame is decided as if it had come alone."""
    frame = FrameInProgress(RUNTIMES[network], policy)
    for away, bursts in [*tries, *[(0, 1)] * BURSTS]:
        first = max(0, frame.received + away)
        before = _standing(frame), frame.received
        in_frame = first + bursts <= BURSTS
        legal = in_frame and (frame.over or frame.received <= first <= max(frame.received, frame.next_burst))
        refused = ""
        try:
            frame.accept(_rows(picture, first, bursts))
        except ServiceError as error:
            refused = error.code
        assert refused == ("" if legal else "out_of_order")
        _work(frame, network)
        if not legal or before[0][-1] == BURSTS:
            assert (_standing(frame), frame.received) == before
    expected = scan_frame(RUNTIMES[network], FRAMES[picture], policy)
    assert frame.decided
    assert _standing(frame)[:5] == (
        expected.processed, expected.skipped, expected.unread, expected.exited, expected.last_burst,
    )  # fmt: skip
    assert frame.scan.p_person == pytest.approx(expected.p_person, abs=1e-6)


@settings(max_examples=60)
@given(st.integers(0, 3), policies, st.integers(0, 3), st.sets(st.integers(0, BURSTS - 1)))
def test_a_frame_goes_on_from_its_state_wherever_it_is_cut(
    network: int, policy: ExitPolicy, picture: int, cuts: set[int]
) -> None:
    frame, whole = (FrameInProgress(RUNTIMES[network], policy) for _ in range(2))
    for burst in range(BURSTS):
        for each in (frame, whole):
            with suppress(ServiceError):  # a frame that was cut may have the place of a skipped burst forgotten
                each.accept(_rows(picture, burst, 1))
            _work(each, network)
        if burst in cuts:
            travelled = msgspec.msgpack.decode(msgspec.msgpack.encode(frame.state()), type=FrameState | None)
            frame = FrameInProgress.resume(RUNTIMES[network], policy, travelled)
        assert frame.next_burst == whole.next_burst
        assert frame.over == whole.over
        if not whole.over:
            assert _standing(frame) == _standing(whole)


def test_what_travels_is_all_that_a_frame_in_progress_has_learned() -> None:
    """A new field of the scan belongs into the token, or it doesn't belong into the scan."""
    told_by_policy_or_place = {"bursts_per_frame", "policy", "exited"}
    learned = {field.name for field in dataclasses.fields(FrameScan)} - told_by_policy_or_place
    assert {field.name for field in msgspec.structs.fields(FrameState)} == learned | {
        "audit_burst", "compute_us", "hidden",
    }  # fmt: skip


def test_a_state_of_another_network_is_refused() -> None:
    frame = FrameInProgress(RUNTIMES[0], NeverExitPolicy())
    state = frame.state()
    assert state is not None
    with pytest.raises(ValueError, match="reshape"):
        FrameInProgress.resume(RUNTIMES[0], NeverExitPolicy(), msgspec.structs.replace(state, hidden=state.hidden[4:]))


def test_a_frame_given_up_takes_rows_and_looks_at_none() -> None:
    frame = FrameInProgress(RUNTIMES[0], NeverExitPolicy())
    frame.accept(_rows(0, 0, 2))
    frame.give_up()
    assert (frame.over, frame.decided, frame.next_burst, frame.state()) == (True, False, BURSTS, None)
    frame.accept(_rows(0, 4, 1))
    assert frame.rows_to_step() is None
    assert frame.scan.processed == 0


def test_a_decided_frame_stays_decided() -> None:
    frame = FrameInProgress(RUNTIMES[0], NeverExitPolicy())
    frame.accept(_rows(0, 0, BURSTS))
    _work(frame, 0)
    frame.give_up()
    assert frame.decided


@pytest.mark.parametrize("rows", [(5, 33), (4, 32), (10, 32)])
def test_rows_of_another_size_change_nothing(rows: tuple[int, int]) -> None:
    frame = FrameInProgress(RUNTIMES[0], NeverExitPolicy())
    with pytest.raises(ServiceError, match="1 bursts of 30x32 are 5 rows of 32 px") as refused:
        frame.accept(Rows(0, 0, 1, 0, np.zeros((*rows, 3), np.uint8)))
    assert refused.value.code == "wrong_geometry"
    assert frame.received == 0


def test_the_state_of_an_integer_network_is_half_as_large_and_no_floats() -> None:
    states = []
    for runtime in (RUNTIMES[0], RUNTIMES[3]):
        frame = FrameInProgress(runtime, NeverExitPolicy())
        frame.accept(_rows(0, 0, 2))
        while (rows := frame.rows_to_step()) is not None:
            frame.advance(runtime.step(rows, frame.hidden))
        state = frame.state()
        assert state is not None
        resumed = FrameInProgress.resume(runtime, NeverExitPolicy(), state)
        assert resumed.hidden.dtype == frame.hidden.dtype
        assert np.array_equal(resumed.hidden, frame.hidden)
        states.append(state)
    assert len(states[0].hidden) == 2 * len(states[1].hidden)
    with pytest.raises(ValueError, match="reshape"):
        FrameInProgress.resume(RUNTIMES[3], NeverExitPolicy(), states[0])
