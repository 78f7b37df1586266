"""The arithmetic of the integer network, in plain integer operations: every kernel equals it in every bit.

Fixed point: `Qm.n` is an integer that stands for itself times 2 to the power of -n. Rounding has one form everywhere:
to the nearest integer, halves upwards, which is an addition and an arithmetic shift to the right.
"""

import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[Any]

GATE_BITS: Final = 12
"""Arguments of sigmoid and tanh are Q3.12 in int16: -8 to 8."""
UNIT_BITS: Final = 15
"""Hidden state, gates, probabilities are Q0.15."""
POOLED_BITS: Final = 14
"""The hidden state pooled over columns (mean plus maximum, -2 to 2) is Q1.14."""
REDUCED_BITS: Final = 11
"""The classifier's reduced layer is Q4.11: -16 to 16."""
LOGIT_BITS: Final = 12
MOST_LOGIT: Final = (1 << 23) - 1
"""Logits are Q11.12 and stay below 2048, so that a float32 holds each."""

PIXEL_ZERO: Final = 128
"""The value of a pixel that stands for zero, as in the padding beside a row."""

PIECE_BITS: Final = 10
"""The sigmoid's table has a piece for every 2 to the power of 10 steps of its argument: 32 pieces of a quarter each."""

FINE_BITS: Final = 3
"""Slope and bend of a piece are this much finer than its value."""


def _sigmoid_table() -> Integers:
    """Of each piece the parabola through its ends and its middle."""
    ends = np.arange(33) / 4
    left, middle, right = (1 / (1 + np.exp(-places)) for places in (ends[:-1], ends[:-1] + 1 / 8, ends[1:]))
    bend = 2 * (left + right - 2 * middle)
    fine = 2.0 ** (UNIT_BITS + FINE_BITS)
    return np.stack(
        [np.rint(left * 2**UNIT_BITS), np.rint((right - left - bend) * fine), np.rint(bend * fine)], 1
    ).astype(np.int16)


SIGMOID_TABLE: Final = _sigmoid_table()
"""Sigmoid from 0 to 8: (32, 3) int16, of each piece its value at the left end, slope and bend.

Below zero it is one minus itself."""


def requantise(sums: Integers, multiplier: Integers, shift: Integers) -> Integers:
    """Scales sums by `multiplier * 2 ** (shift - 31)` and rounds.

    That is TensorFlow Lite's form of a multiplier with CMSIS-NN's single rounding.

    Args:
        sums: int64 that fit into int32; the last axis is that of the channels.
        multiplier: int32, 0 or 2^30 to 2^31 - 1, one a channel.
        shift: -31 to 30, one a channel.
    """
    right = UNIT_BITS + 16 - np.asarray(shift, np.int64)
    products = np.asarray(sums, np.int64) * np.asarray(multiplier, np.int64)
    return (products + (np.int64(1) << (right - 1))) >> right


def rounded_shift(values: Integers, bits: int) -> Integers:
    """Values divided by 2 to the power of `bits`, rounded."""
    return (values + (1 << (bits - 1))) >> bits


def multiplier_of(scale: float) -> tuple[int, int]:
    """The multiplier and shift that come nearest to a scale; 0 and -1, which every layer may have, for one near zero.

    Raises:
        ValueError: a scale that is negative, not finite, or 2^30 or more.
    """
    if not (math.isfinite(scale) and 0 <= scale < 2**30):
        raise ValueError(f"a scale is 0 or more and below 2^30, not {scale}")
    mantissa, shift = math.frexp(scale)
    multiplier = round(mantissa * 2**31)
    if multiplier == 2**31:
        multiplier, shift = 2**30, shift + 1
    return (0, -1) if shift < -31 or not multiplier else (multiplier, shift)


def saturate(values: Integers, least: int, most: int) -> Integers:
    """Values cut off at both ends."""
    return np.clip(values, least, most)


def to_int16(values: Integers) -> Integers:
    """Values cut off at the ends of int16."""
    return saturate(values, -(1 << 15), (1 << 15) - 1)


def to_uint8(values: Integers) -> Integers:
    """Values below zero become zero: the cut is the ReLU."""
    return saturate(values, 0, 255)


def sigmoid(arguments: Integers) -> Integers:
    """Sigmoid of Q3.12 (int16 range): Q0.15, more than 0 and less than 2^15."""
    size = np.minimum(np.abs(np.asarray(arguments, np.int64)), (1 << 15) - 1)
    value, slope, bend = np.moveaxis(SIGMOID_TABLE.astype(np.int64)[size >> PIECE_BITS], -1, 0)
    place = size & ((1 << PIECE_BITS) - 1)
    steep = slope + rounded_shift(bend * place, PIECE_BITS)
    above = value + rounded_shift(steep * place, PIECE_BITS + FINE_BITS)
    values: Integers = np.where(np.asarray(arguments) < 0, (1 << UNIT_BITS) - above, above)
    return values


def tanh(arguments: Integers) -> Integers:
    """Tanh of Q3.12 (int16 range), as 2 sigmoid(2 x) - 1: Q0.15."""
    return 2 * sigmoid(to_int16(2 * np.asarray(arguments, np.int64))) - (1 << UNIT_BITS)


def product(left: Integers, right: Integers) -> Integers:
    """The product of two Q0.15, rounded: Q0.15."""
    return rounded_shift(np.asarray(left, np.int64) * right, UNIT_BITS)


def pixels(rows: npt.NDArray[np.uint8]) -> Integers:
    """The first layer's input, 1 to 255: the published scaling (`model.preprocess.pixel_table`) plus `PIXEL_ZERO`."""
    values: Integers = np.asarray(rows, np.int64) + (rows < PIXEL_ZERO)
    return values
