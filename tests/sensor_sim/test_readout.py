import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor_sim.burst import SensorGeometry
from sensor_sim.readout import ReadoutTiming, read_bursts


@given(
    bursts=st.integers(1, 9),
    burst_rows=st.integers(1, 7),
    width=st.integers(1, 9),
    line_time_us=st.floats(0, 1000),
    start_us=st.floats(0, 1e9),
)
def test_rows_joined_give_the_frame(
    bursts: int, burst_rows: int, width: int, line_time_us: float, start_us: float
) -> None:
    geometry = SensorGeometry(bursts * burst_rows, width, burst_rows)
    frame = np.random.default_rng(1).integers(0, 256, geometry.frame_shape, np.uint8)
    read = list(read_bursts(frame, geometry, ReadoutTiming(line_time_us), frame_id=3, start_us=start_us))
    assert np.array_equal(np.concatenate([burst.rows for burst in read]), frame)
    assert [burst.first_burst for burst in read] == list(range(geometry.bursts_per_frame))
    assert {burst.frame_id for burst in read} == {3}
    times = [burst.readout_us for burst in read]
    assert times == sorted(times)
    assert times[-1] == round(start_us + geometry.height * line_time_us)


def test_burst_leaves_with_its_last_row() -> None:
    frame = np.zeros((10, 4, 3), np.uint8)
    times = [burst.readout_us for burst in read_bursts(frame, SensorGeometry(10, 4), ReadoutTiming(100))]
    assert times == [500, 1000]


@pytest.mark.parametrize(
    ("period", "stopped", "following"),
    [
        (None, 730.0, 730.0),
        (1000.0, 730.0, 1000.0),
        (1000.0, 1000.0, 1000.0),
        (1000.0, 1001.0, 2000.0),
        (1000.0, 0.0, 1000.0),
    ],
)
def test_next_frame_begins_at_a_boundary(period: float | None, stopped: float, following: float) -> None:
    assert ReadoutTiming(100, period).next_frame_us(0, stopped) == following


@pytest.mark.parametrize(
    ("restart", "exited", "decided", "following"),
    [
        (True, True, 850.0, 850.0),  # not before the word has come
        (True, True, 700.0, 730.0),
        (True, True, 1500.0, 1000.0),  # the next frame had begun by then
        (True, False, 850.0, 1000.0),
        (False, True, 850.0, 1000.0),
        (False, False, 1500.0, 1000.0),
        (False, False, 2500.0, 3000.0),  # more than a frame behind
    ],
)
def test_an_exit_may_restart_the_sensor(restart: bool, exited: bool, decided: float, following: float) -> None:
    timing = ReadoutTiming(100, 1000.0, restart_on_exit=restart)
    assert timing.next_frame_us(0, 730.0, decided, exited=exited) == following


def test_without_boundaries_the_next_frame_waits_for_the_decision() -> None:
    assert ReadoutTiming(100).next_frame_us(0, 730.0, 900.0) == 900


@pytest.mark.parametrize(
    "frame", [np.zeros((10, 5, 3), np.uint8), np.zeros((10, 4, 3), np.float32), np.zeros((10, 4), np.uint8)]
)
def test_wrong_frame(frame: np.ndarray) -> None:
    with pytest.raises(ValueError, match="a frame must be uint8"):
        next(read_bursts(frame, SensorGeometry(10, 4)))


@pytest.mark.parametrize(("height", "width", "burst_rows"), [(0, 4, 5), (10, 0, 5), (11, 4, 5), (10, 4, 0)])
def test_wrong_geometry(height: int, width: int, burst_rows: int) -> None:
    with pytest.raises(ValueError, match="height"):
        SensorGeometry(height, width, burst_rows)


def test_negative_time() -> None:
    with pytest.raises(ValueError, match="negative"):
        ReadoutTiming(-1)
