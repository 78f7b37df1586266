"""Pixels to network input: the one place that holds the scaling, and that turns raw formats into RGB.

Raw formats go by the names of `hello` (PROTOCOL.md): `mono8`, and `bayer_` with the colours of the first 2 x 2 pixels.
"""

from functools import lru_cache

import numpy as np
import numpy.typing as npt


def pixel_table() -> npt.NDArray[np.float32]:
    """Network input for each pixel value 0..255, as published: (256,) float32, integers in -127..127."""
    pixels = np.arange(256, dtype=np.float32)
    return np.round((pixels / 255 - 0.5) * 2 * 127)


_TABLE = pixel_table()


def network_input(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """uint8 RGB (..., H, W, 3) -> float32 (..., 3, H, W), integers in -127..127."""
    return np.ascontiguousarray(np.moveaxis(_TABLE[pixels], -1, -3))


BAYER_FORMATS = ("bayer_rggb8", "bayer_bggr8", "bayer_grbg8", "bayer_gbrg8")
RAW_FORMATS = ("mono8", *BAYER_FORMATS)


def rgb_rows(rows: npt.NDArray[np.uint8], pixel_format: str, first_row: int = 0) -> npt.NDArray[np.uint8]:
    """Turns rows of a raw format into rows of RGB.

    A mosaic is filled in bilinearly: each missing colour is the mean, rounded half up, of the two or four nearest
    samples of that colour. Columns beyond the edge are mirrored. The halo rows above and below make the result the
    same for every cut of a frame into bursts.

    Args:
        rows: `mono8` (n, W, 1) uint8; `bayer_*` (1 + n + 1, W, 1) uint8, the first and last row being the halo.
        first_row: place in the frame of the first of the n rows.

    Returns:
        (n, W, 3) uint8 RGB.

    Raises:
        ValueError: an unknown format, or rows of another shape.
    """
    if rows.ndim != 3 or rows.shape[2] != 1 or not rows.size:
        raise ValueError(f"raw rows must be (n, W, 1), not {rows.shape}")
    if pixel_format == "mono8":
        return np.repeat(rows, 3, axis=2)
    if pixel_format not in BAYER_FORMATS:
        raise ValueError(f"{pixel_format!r} is not a raw format; there is {', '.join(RAW_FORMATS)}")
    height, width = rows.shape[0] - 2, rows.shape[1]
    if height < 1 or width < 2:
        raise ValueError(f"a mosaic has at least 2 columns, and a row beside those of its halo, not {rows.shape}")
    mosaic = np.empty((height + 2, width + 2), np.uint16)
    mosaic[:, 1:-1] = rows[..., 0]
    mosaic[:, 0], mosaic[:, -1] = mosaic[:, 2], mosaic[:, -3]
    beside = mosaic[:, :-2] + mosaic[:, 2:]
    # Four times each value that a colour of a pixel may take: the mean of two or four is then a shift by two.
    sums = np.empty((5, height, width), np.uint16)
    np.left_shift(mosaic[1:-1, 1:-1], 2, out=sums[_OWN])
    np.add(mosaic[:-2, 1:-1], mosaic[2:, 1:-1], out=sums[_VERTICAL])
    np.add(beside[1:-1], sums[_VERTICAL], out=sums[_ACROSS])
    np.add(beside[:-2], beside[2:], out=sums[_DIAGONAL])
    np.left_shift(beside[1:-1], 1, out=sums[_HORIZONTAL])
    sums[_VERTICAL] <<= 1
    sums += 2
    sums >>= 2
    return sums.astype(np.uint8).take(_places(pixel_format, first_row % 2, height, width))


_OWN, _ACROSS, _DIAGONAL, _HORIZONTAL, _VERTICAL = range(5)


@lru_cache(maxsize=16)
def _places(pixel_format: str, odd: int, height: int, width: int) -> npt.NDArray[np.intp]:
    """Indices of each colour of each pixel in the five planes of values: (height, width, 3); 1.2 MB for 210x240.

    One table lookup a burst takes half the time of an assignment for each colour and place in the mosaic.
    """
    colours = ["rgb".index(colour) for colour in pixel_format[6:10]]
    planes = np.empty((height, width, 3), np.intp)
    for row in range(min(2, height)):
        line = 2 * ((odd + row) % 2)
        for column in range(2):
            site = planes[row::2, column::2]
            colour, neighbour = colours[line + column], colours[line + 1 - column]
            site[..., colour] = _OWN
            if colour == 1:
                site[..., neighbour], site[..., 2 - neighbour] = _HORIZONTAL, _VERTICAL
            else:
                site[..., 1], site[..., 2 - colour] = _ACROSS, _DIAGONAL
    return planes * (height * width) + np.arange(height * width).reshape(height, width, 1)


def rgb_frame(samples: npt.NDArray[np.uint8], pixel_format: str) -> npt.NDArray[np.uint8]:
    """Turns a whole frame of a raw format (H, W, 1) uint8 into RGB (H, W, 3) uint8; rows beyond the edge are mirrored.

    Raises:
        ValueError: an unknown format, or samples of another shape.
    """
    if pixel_format in BAYER_FORMATS and len(samples) > 1:
        samples = np.concatenate([samples[1:2], samples, samples[-2:-1]])
    return rgb_rows(samples, pixel_format)
