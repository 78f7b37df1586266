from fractions import Fraction
from math import floor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.integer import arithmetic
from model.integer.arithmetic import GATE_BITS, UNIT_BITS, multiplier_of, requantise, sigmoid, tanh
from model.preprocess import pixel_table

EVERY_ARGUMENT = np.arange(-(1 << 15), 1 << 15)


@given(
    value=st.integers(-(2**31), 2**31 - 1),
    multiplier=st.just(0) | st.integers(2**30, 2**31 - 1),
    shift=st.integers(-31, 30),
)
def test_requantising_rounds_the_exact_product_with_halves_upwards(value: int, multiplier: int, shift: int) -> None:
    exact = Fraction(value) * multiplier * Fraction(2) ** (shift - 31)
    assert requantise(np.array(value), np.array(multiplier), np.array(shift)) == floor(exact + Fraction(1, 2))


@given(values=st.integers(-(2**40), 2**40), bits=st.integers(1, 30))
def test_a_rounded_shift_rounds_halves_upwards(values: int, bits: int) -> None:
    found = arithmetic.rounded_shift(np.array(values), bits)
    assert found == floor(Fraction(values, 1 << bits) + Fraction(1, 2))


@given(st.floats(0, 2.0**29) | st.floats(2.0**-31, 1))
def test_a_multiplier_is_within_half_a_unit_of_its_scale(scale: float) -> None:
    multiplier, shift = multiplier_of(scale)
    assert multiplier == 0 or 2**30 <= multiplier < 2**31
    assert -31 <= shift <= 30
    found = Fraction(multiplier) * Fraction(2) ** (shift - 31)
    assert abs(found - Fraction(scale)) <= max(Fraction(scale) / 2**31, Fraction(1, 2**32))


@pytest.mark.parametrize("scale", [-1e-9, float("nan"), float("inf"), 2.0**30])
def test_scales_without_a_multiplier_are_refused(scale: float) -> None:
    with pytest.raises(ValueError, match="a scale is 0 or more"):
        multiplier_of(scale)


def test_sigmoid_and_tanh_are_near_the_true_ones_everywhere() -> None:
    arguments = EVERY_ARGUMENT / 2**GATE_BITS
    assert np.abs(sigmoid(EVERY_ARGUMENT) / 2**UNIT_BITS - 1 / (1 + np.exp(-arguments))).max() < 1e-4
    halved = np.abs(arguments) < 4  # beyond, the argument of the sigmoid behind it is cut off
    assert np.abs(tanh(EVERY_ARGUMENT) / 2**UNIT_BITS - np.tanh(arguments))[halved].max() < 2e-4
    assert np.abs(tanh(EVERY_ARGUMENT) / 2**UNIT_BITS - np.tanh(arguments)).max() < 1e-3


def test_sigmoid_and_tanh_rise_and_are_symmetric_and_within_their_bounds() -> None:
    values = sigmoid(EVERY_ARGUMENT)
    falls = np.flatnonzero(np.diff(values) < 0)
    assert (np.diff(values) >= -1).all()  # by one, where the rounded ends of two pieces meet
    assert len(falls) < 32
    assert values.min() > 0
    assert values.max() < 1 << UNIT_BITS
    assert (values[1:] + values[1:][::-1] == 1 << UNIT_BITS).all()
    assert (np.diff(tanh(EVERY_ARGUMENT)) >= -2).all()
    assert np.abs(tanh(EVERY_ARGUMENT)).max() < 1 << UNIT_BITS


def test_a_product_of_two_parts_is_rounded() -> None:
    assert arithmetic.product(np.array([1 << 14, -1, 1 << 15]), np.array([1 << 14, 1 << 14, 5])).tolist() == [
        1 << 13,
        0,
        5,
    ]


def test_pixels_are_the_published_ones_with_zero_moved() -> None:
    values = arithmetic.pixels(np.arange(256, dtype=np.uint8))
    assert np.array_equal(values - arithmetic.PIXEL_ZERO, pixel_table())
    assert values.min() == 1
    assert values.max() == 255
