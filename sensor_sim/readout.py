"""Readout in raster order: a frame becomes bursts, each with the time at which it leaves the sensor. Pure."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sensor_sim.burst import Rows, SensorGeometry

Samples = npt.NDArray[np.uint8]
"""(rows, W, channels) uint8 as they leave the sensor."""

Reader = Callable[[int, float], Iterator[Rows]]
"""Reads out the frame with an id, from a time (us) on: yields burst after burst, each computed when it is asked for."""


@dataclass(frozen=True, slots=True)
class ReadoutTiming:
    """Times at which rows leave the sensor.

    Attributes:
        line_time_us: time from one row to the next, horizontal blanking included.
        frame_period_us: time from the start of one frame to the start of the next; None: the next frame starts as soon
            as the last row is read.
        restart_on_exit: true if the next frame starts at once after an exit.

    Raises:
        ValueError: a negative time.
    """

    line_time_us: float = 125.3
    frame_period_us: float | None = None
    restart_on_exit: bool = False

    def __post_init__(self) -> None:
        if self.line_time_us < 0 or (self.frame_period_us or 0) < 0:
            raise ValueError(f"times must not be negative, not {self}")

    def row_read_us(self, start_us: float, row: int) -> float:
        """Time at which row `row` of the frame that starts at `start_us` has left the sensor."""
        return start_us + (row + 1) * self.line_time_us

    def whole_rows(self, span_us: float) -> int:
        """Number of whole rows that leave the sensor within `span_us`."""
        return int(span_us / self.line_time_us) if self.line_time_us else 0

    def next_frame_us(self, start_us: float, end_us: float, decided_us: float = 0.0, *, exited: bool = False) -> float:
        """Start of the next frame.

        With a frame period, the next frame starts at the first frame boundary after this frame's end; if the decision
        comes more than a frame late, at the first boundary after the decision. Without a frame period, and after an
        exit that restarts the sensor, it starts as soon as this frame is both ended and decided.

        Args:
            start_us: start of this frame's readout.
            end_us: end of this frame's readout.
            decided_us: time at which this frame's decision arrived at the sensor.
            exited: true if the decision was an exit.
        """
        known_us = max(end_us, decided_us)
        if not self.frame_period_us:
            return known_us
        boundary_us = self._boundary_us(start_us, end_us)
        if exited and self.restart_on_exit:
            return min(boundary_us, known_us)
        if decided_us > boundary_us + self.frame_period_us:
            return self._boundary_us(start_us, decided_us)
        return boundary_us

    def _boundary_us(self, start_us: float, after_us: float) -> float:
        period_us = self.frame_period_us or 0.0
        return start_us + max(1, math.ceil((after_us - start_us) / period_us)) * period_us


def mirrored(row: int, height: int) -> int:
    """The row that stands in for a row just beyond the frame's edge: the second from the edge, of the same colours."""
    return -row if row < 0 else 2 * (height - 1) - row if row >= height else row


def cut_bursts(
    read_rows: Callable[[int, int], Samples],
    geometry: SensorGeometry,
    timing: ReadoutTiming,
    frame_id: int,
    start_us: float,
) -> Iterator[Rows]:
    """Cuts a frame into bursts; reads rows once, in order, and no further than the caller asks.

    Args:
        read_rows: returns rows `first` to `last` - 1, (n, W, channels) uint8.
        geometry: rows, columns and format of the frame.
        timing: line time.
        frame_id: number of the frame.
        start_us: start of the readout, in the stream's virtual time.
    """
    height, halo = geometry.height, geometry.pixel_format.halo_rows
    samples = np.empty(geometry.sample_shape, np.uint8)
    done = 0
    for index in range(geometry.bursts_per_frame):
        first = index * geometry.burst_rows
        last = first + geometry.burst_rows
        needed = min(last + halo, height)
        if needed > done:
            samples[done:needed] = read_rows(done, needed)
            done = needed
        if halo and (first == 0 or last == height):
            rows = samples[[mirrored(row, height) for row in range(first - halo, last + halo)]]
        else:
            rows = samples[first - halo : last + halo]
        readout_us = round(timing.row_read_us(start_us, needed - 1))
        yield Rows(frame_id, index, 1, readout_us, rows, geometry.pixel_format)


def read_bursts(
    frame: Samples,
    geometry: SensorGeometry,
    timing: ReadoutTiming | None = None,
    *,
    frame_id: int = 0,
    start_us: float = 0.0,
) -> Iterator[Rows]:
    """Reads out a frame of finished samples in raster order.

    Args:
        frame: (H, W, channels) uint8, `sample_shape` of the geometry.
        geometry: rows, columns and format of the frame.
        timing: line and frame time; None: the defaults of `ReadoutTiming`.
        frame_id: number of the frame.
        start_us: start of the readout, in the stream's virtual time.

    Raises:
        ValueError: a frame of another shape or dtype.
    """
    if frame.dtype != np.uint8 or frame.shape != geometry.sample_shape:
        raise ValueError(f"a frame must be uint8 {geometry.sample_shape}, not {frame.dtype} {frame.shape}")
    return cut_bursts(
        lambda first, last: frame[first:last], geometry, timing or ReadoutTiming(), frame_id, float(start_us)
    )
