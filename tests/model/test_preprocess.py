from fractions import Fraction
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.preprocess import BAYER_FORMATS, network_input, pixel_table, rgb_frame, rgb_rows


def test_the_table_is_the_published_scaling() -> None:
    # In exact arithmetic; 127.5, the only point between two integers, is not a pixel value.
    exact = [round((Fraction(pixel, 255) - Fraction(1, 2)) * 2 * 127) for pixel in range(256)]
    assert pixel_table().tolist() == exact
    assert pixel_table().dtype == np.float32


def test_the_table_is_strictly_between_its_ends_and_never_falls() -> None:
    table = pixel_table()
    assert (table[0], table[255]) == (-127, 127)
    assert set(np.diff(table)) <= {0, 1}
    assert np.array_equal(table, -table[::-1])


@settings(max_examples=20)
@given(st.lists(st.integers(0, 3), max_size=2), st.integers(1, 6), st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_channels_move_before_rows_and_columns(lead: list[int], height: int, width: int, seed: int) -> None:
    pixels: npt.NDArray[np.uint8] = np.random.default_rng(seed).integers(0, 256, (*lead, height, width, 3), np.uint8)
    values = network_input(pixels)
    assert values.shape == (*lead, 3, height, width)
    assert values.dtype == np.float32
    assert values.flags.c_contiguous
    table = pixel_table()
    for channel in range(3):
        assert np.array_equal(values[..., channel, :, :], table[pixels[..., channel]])


def test_red_comes_first() -> None:
    red = np.zeros((1, 1, 3), np.uint8)
    red[..., 0] = 255
    assert network_input(red).ravel().tolist() == [127, -127, -127]


def _filled_by_hand(mosaic: npt.NDArray[np.uint8], pattern: str) -> npt.NDArray[np.uint8]:
    """Bilinear demosaic of a whole frame (H, W) pixel by pixel: the mean, half up, of the nearest of each colour."""
    height, width = mosaic.shape

    def inside(place: int, size: int) -> int:
        return -place if place < 0 else 2 * (size - 1) - place if place >= size else place

    filled = np.zeros((height, width, 3), np.uint8)
    for row, column, colour in np.ndindex(filled.shape):
        by_distance: dict[int, list[int]] = {}
        for down in (-1, 0, 1):
            for right in (-1, 0, 1):
                if "rgb".index(pattern[2 * ((row + down) % 2) + (column + right) % 2]) == colour:
                    value = mosaic[inside(row + down, height), inside(column + right, width)]
                    by_distance.setdefault(down * down + right * right, []).append(int(value))
        nearest = by_distance[min(by_distance)]
        filled[row, column, colour] = (2 * sum(nearest) + len(nearest)) // (2 * len(nearest))
    return filled


@settings(max_examples=20)
@given(
    pixel_format=st.sampled_from(BAYER_FORMATS),
    height=st.integers(2, 7),
    width=st.integers(2, 7),
    seed=st.integers(0, 2**32 - 1),
    cuts=st.sets(st.integers(1, 6)),
)
def test_a_mosaic_is_filled_in_from_its_nearest_neighbours(
    pixel_format: str, height: int, width: int, seed: int, cuts: set[int]
) -> None:
    mosaic = np.random.default_rng(seed).integers(0, 256, (height, width, 1), np.uint8)
    expected = _filled_by_hand(mosaic[..., 0], pixel_format[6:10])
    assert np.array_equal(rgb_frame(mosaic, pixel_format), expected)
    padded = np.concatenate([mosaic[1:2], mosaic, mosaic[-2:-1]])
    edges = [0, *sorted(cut for cut in cuts if cut < height), height]
    parts = [rgb_rows(padded[first : last + 2], pixel_format, first) for first, last in pairwise(edges)]
    assert np.array_equal(np.concatenate(parts), expected)


def test_mono_is_grey() -> None:
    samples = np.arange(12, dtype=np.uint8).reshape(3, 4, 1)
    assert np.array_equal(rgb_rows(samples, "mono8"), np.concatenate([samples] * 3, axis=2))


@pytest.mark.parametrize(
    ("shape", "pixel_format", "complaint"),
    [
        ((5, 4, 3), "mono8", "raw rows must be"),
        ((5, 4), "mono8", "raw rows must be"),
        ((0, 4, 1), "mono8", "raw rows must be"),
        ((5, 4, 1), "rgb8", "'rgb8' is not a raw format; there is mono8, bayer_rggb8"),
        ((2, 4, 1), "bayer_rggb8", "a row beside those of its halo"),
        ((3, 1, 1), "bayer_rggb8", "at least 2 columns"),
    ],
)
def test_what_is_no_raw_row(shape: tuple[int, ...], pixel_format: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        rgb_rows(np.zeros(shape, np.uint8), pixel_format)
