"""Frozen values that pass between sensor and service."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class SensorGeometry:
    """What a sensor reads out: frames of `height` rows and `width` columns, `burst_rows` rows at a time.

    Raises:
        ValueError: sizes below 1, or a height that is no multiple of `burst_rows`.
    """

    height: int
    width: int
    burst_rows: int = 5

    CHANNELS: ClassVar[int] = 3

    def __post_init__(self) -> None:
        if min(self.height, self.width, self.burst_rows) < 1:
            raise ValueError(f"height, width and burst_rows must be positive, not {self}")
        if self.height % self.burst_rows:
            raise ValueError(f"height {self.height} is no multiple of burst_rows {self.burst_rows}")

    @property
    def bursts_per_frame(self) -> int:
        return self.height // self.burst_rows

    @property
    def row_bytes(self) -> int:
        return self.width * self.CHANNELS

    @property
    def burst_bytes(self) -> int:
        return self.burst_rows * self.row_bytes

    @property
    def frame_shape(self) -> tuple[int, int, int]:
        return (self.height, self.width, self.CHANNELS)


@dataclass(frozen=True, slots=True, eq=False)
class Burst:
    """Consecutive rows of one frame, just read out.

    Attributes:
        frame_id: number of the frame in its stream, from 0.
        burst_index: place in the frame, from 0.
        rows: (burst_rows, W, 3) uint8 RGB.
        readout_us: when its last row left the sensor, in microseconds since the stream began (virtual time).
    """

    frame_id: int
    burst_index: int
    rows: npt.NDArray[np.uint8]
    readout_us: int
