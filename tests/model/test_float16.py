import struct

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from model.float16 import ROUNDING, read, rounded, stored

Floats = npt.NDArray[np.float32]

LARGEST, SMALLEST = 65504.0, 2.0**-14
"""Of float16's numbers of full precision."""
sizes = st.floats(SMALLEST, LARGEST, width=32)
numbers = st.one_of(st.just(0.0), sizes, sizes.map(lambda size: -size))
shapes = arrays.array_shapes(max_dims=4, max_side=4)
any_floats = st.floats(width=32, allow_nan=False, allow_infinity=False)


def by_struct(value: float) -> float:
    """The number of float16 that is nearest, by another implementation than NumPy's."""
    (near,) = struct.unpack("<e", struct.pack("<e", value))
    return float(near)


def same_bits(found: npt.NDArray[np.generic], expected: Floats) -> bool:
    return found.dtype == np.float32 and found.shape == expected.shape and found.tobytes() == expected.tobytes()


@settings(max_examples=40)
@given(arrays.arrays(np.float32, shapes, elements=numbers))
def test_numbers_of_full_precision_become_the_nearest_of_float16(tensor: Floats) -> None:
    near = rounded(tensor)
    assert near is not None
    expected = np.array([by_struct(float(value)) for value in tensor.flat], np.float32).reshape(tensor.shape)
    assert same_bits(near, expected)
    assert (np.abs(near.astype(np.float64) - tensor) <= ROUNDING * np.abs(tensor.astype(np.float64))).all()


@settings(max_examples=40)
@given(arrays.arrays(np.float32, shapes, elements=any_floats))
def test_rounding_is_refused_or_changes_an_output_by_one_part_in_2048(tensor: Floats) -> None:
    near = rounded(tensor)
    if near is None:
        assert (np.abs(tensor) > LARGEST).any() or ((np.abs(tensor) < SMALLEST) & (tensor != 0)).any()
        return
    again = rounded(near)
    assert again is not None
    assert same_bits(again, near)
    for values, errors in zip(np.atleast_2d(tensor), np.atleast_2d(near.astype(np.float64) - tensor), strict=True):
        assert np.square(errors).sum() <= ROUNDING**2 * np.square(values.astype(np.float64)).sum() * (1 + 1e-9)


@pytest.mark.parametrize(("value", "fits"), [(65504.0, True), (65519.0, True), (65520.0, False), (-1e38, False)])
def test_a_number_that_is_too_large_is_refused(value: float, fits: bool) -> None:
    assert (rounded(np.array([[1.0, value]], np.float32)) is not None) == fits


@pytest.mark.parametrize(
    ("tensor", "fits"),
    [
        ([1.0, 1e-6], True),  # one bias beside others
        ([1e-6, 3e-6], False),
        ([[1.0, 1e-6], [0.5, 0.0]], True),  # each output has a weight beside which the small one is nothing
        ([[1.0, 1.0], [1e-6, 3e-6]], False),  # an output of small weights alone
        ([[1.0, 1.0], [0.0, 0.0]], True),
    ],
)
def test_small_numbers_matter_where_all_of_an_output_are_small(tensor: list[object], fits: bool) -> None:
    assert (rounded(np.array(tensor, np.float32)) is not None) == fits


@settings(max_examples=40)
@given(arrays.arrays(np.float32, shapes, elements=st.one_of(any_floats, st.floats(width=16, allow_nan=False))))
def test_what_is_stored_is_read_with_the_same_bits(tensor: Floats) -> None:
    narrow = stored(tensor)
    assert same_bits(read(narrow), tensor)
    halves = all(
        abs(value) <= LARGEST and by_struct(float(value)) == value for value in tensor.flat if np.isfinite(value)
    )
    assert (narrow.dtype == np.float16) == halves


def test_every_number_of_float16_is_read() -> None:
    bits = np.arange(2**16, dtype=np.uint16)
    expected = np.array(struct.unpack("<65536e", bits.astype("<u2").tobytes()), np.float32)
    found = read(bits.view(np.float16))
    assert np.array_equal(found, expected, equal_nan=True)
    assert np.array_equal(np.signbit(found), np.signbit(expected))


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.int8, np.int32])
def test_other_numbers_stay_what_they_are(kind: type[np.generic]) -> None:
    tensor = np.zeros(3, kind)
    assert read(tensor) is tensor
