"""Raster order: a frame becomes bursts with the time each one leaves the sensor."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sensor_sim.burst import Burst, SensorGeometry


@dataclass(frozen=True, slots=True)
class ReadoutTiming:
    """When rows leave the sensor.

    Attributes:
        line_time_us: from one row to the next, horizontal blanking included.
        frame_period_us: from the start of one frame to the next; None: as soon as the last row is read.

    Raises:
        ValueError: a negative time.
    """

    line_time_us: float = 125.3
    frame_period_us: float | None = None

    def __post_init__(self) -> None:
        if self.line_time_us < 0 or (self.frame_period_us or 0) < 0:
            raise ValueError(f"times must not be negative, not {self}")

    def next_frame_us(self, start_us: float, stopped_us: float) -> float:
        """When the frame after one that started and stopped then begins: at the next frame boundary, if any."""
        if not self.frame_period_us:
            return stopped_us
        return start_us + max(1, math.ceil((stopped_us - start_us) / self.frame_period_us)) * self.frame_period_us


def read_bursts(
    frame: npt.NDArray[np.uint8],
    geometry: SensorGeometry,
    timing: ReadoutTiming | None = None,
    *,
    frame_id: int = 0,
    start_us: float = 0.0,
) -> Iterator[Burst]:
    """Reads a frame out in raster order.

    Args:
        frame: (H, W, 3) uint8 RGB of the geometry's size.
        timing: line and frame time; the defaults of `ReadoutTiming` if None.
        start_us: when the readout begins, in the stream's virtual time.

    Raises:
        ValueError: a frame of another shape or dtype.
    """
    if frame.dtype != np.uint8 or frame.shape != geometry.frame_shape:
        raise ValueError(f"a frame must be uint8 {geometry.frame_shape}, not {frame.dtype} {frame.shape}")
    timing = timing or ReadoutTiming()
    for index in range(geometry.bursts_per_frame):
        first = index * geometry.burst_rows
        last = first + geometry.burst_rows
        yield Burst(frame_id, index, frame[first:last], round(start_us + last * timing.line_time_us))
