"""Frozen values that pass between sensor and service."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt
from msgspec import Struct

Frame = npt.NDArray[np.uint8]
"""(H, W, 3) uint8 RGB."""


class PixelFormat(StrEnum):
    """Format of one pixel of a row; every format has 8 bits a sample.

    `bayer_*` name the colours of the frame's first two rows, left to right: `bayer_grbg8` is G R over B G.
    """

    RGB8 = "rgb8"
    MONO8 = "mono8"
    BAYER_RGGB8 = "bayer_rggb8"
    BAYER_BGGR8 = "bayer_bggr8"
    BAYER_GRBG8 = "bayer_grbg8"
    BAYER_GBRG8 = "bayer_gbrg8"

    @property
    def channels(self) -> int:
        """Samples a pixel."""
        return 3 if self is PixelFormat.RGB8 else 1

    @property
    def pattern(self) -> str | None:
        """Colours of the 2 x 2 cell, such as `rggb`; None where there is no mosaic."""
        return self.value[6:10] if self.value.startswith("bayer_") else None

    @property
    def halo_rows(self) -> int:
        """Rows above, and rows below, that come with a burst so that its mosaic can be filled in without the rest."""
        return 1 if self.pattern else 0


@dataclass(frozen=True, slots=True)
class SensorGeometry:
    """Size and format of a sensor's frames: `height` rows and `width` columns, read out `burst_rows` rows at a time.

    Raises:
        ValueError: sizes below 1, a height that is no multiple of `burst_rows`, or a mosaic without whole cells.
    """

    height: int
    width: int
    burst_rows: int = 5
    pixel_format: PixelFormat = PixelFormat.RGB8

    def __post_init__(self) -> None:
        if min(self.height, self.width, self.burst_rows) < 1:
            raise ValueError(f"height, width and burst_rows must be positive, not {self}")
        if self.height % self.burst_rows:
            raise ValueError(f"height {self.height} is no multiple of burst_rows {self.burst_rows}")
        if self.pixel_format.pattern and min(self.height, self.width) < 2:
            raise ValueError(f"a mosaic has height and width of at least 2, not {self.height} x {self.width}")

    @property
    def bursts_per_frame(self) -> int:
        return self.height // self.burst_rows

    @property
    def row_bytes(self) -> int:
        return self.width * self.pixel_format.channels

    @property
    def burst_bytes(self) -> int:
        """Bytes of one burst's pixels on the wire, its halo included."""
        return (self.burst_rows + 2 * self.pixel_format.halo_rows) * self.row_bytes

    @property
    def frame_shape(self) -> tuple[int, int, int]:
        """Shape of the RGB picture in front of the sensor: (H, W, 3)."""
        return (self.height, self.width, 3)

    @property
    def sample_shape(self) -> tuple[int, int, int]:
        """Shape of the samples that the sensor makes of a picture: (H, W, channels)."""
        return (self.height, self.width, self.pixel_format.channels)


class Rows(Struct, frozen=True, eq=False):
    """Consecutive bursts of one frame: one, as the sensor reads them out, or several in one message.

    Attributes:
        frame_id: number of the frame in its stream, 0 .. 2**32 - 1.
        first_burst: place of the first burst in the frame, from 0.
        bursts: number of bursts.
        readout_us: time at which the last row left the sensor, microseconds since the stream began (virtual time).
        rows: (bursts * burst_rows + 2 * halo_rows, W, channels) uint8; a view of a received message, not a copy. The
            halo rows of a mosaic come once above and once below all bursts.
        pixel_format: format of the rows.
    """

    frame_id: int
    first_burst: int
    bursts: int
    readout_us: int
    rows: npt.NDArray[np.uint8]
    pixel_format: PixelFormat = PixelFormat.RGB8
