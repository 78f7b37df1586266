"""The arithmetic of the integer network, in plain integer operations: every kernel equals it in every bit.

Fixed point: `Qm.n` is an integer that stands for itself times 2 to the power of -n. Rounding has one form everywhere: to the
nearest integer, halves upwards, which is an addition and an arithmetic shift to the right.
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

TABLE_STEP_BITS: Final = 7
"""The sigmoid's table has an entry every 2 to the power of 7 steps of its argument: every 1/32."""


def _sigmoid_table() -> Integers:
    arguments = np.arange(257) / 32
    return np.rint(2**UNIT_BITS / (1 + np.exp(-arguments))).astype(np.uint16)


SIGMOID_TABLE: Final = _sigmoid_table()
"""Sigmoid at 0, 1/32, ... 8: (257,) uint16, Q0.15; between entries it is linear, below zero it is one minus itself."""


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


def multiplier_of(scale: float) -> tuple[int, int]:
    """The multiplier and shift that come nearest to a scale.

    Raises:
        ValueError: a scale that is negative, not finite, or 2^30 or more.
    """
    if not (math.isfinite(scale) and 0 <= scale < 2**30):
        raise ValueError(f"a scale is 0 or more and below 2^30, not {scale}")
    mantissa, shift = math.frexp(scale)
    multiplier = round(mantissa * 2**31)
    if multiplier == 2**31:
        multiplier, shift = 2**30, shift + 1
    return (0, 0) if shift < -31 or not multiplier else (multiplier, shift)


def saturate(values: Integers, least: int, most: int) -> Integers:
    """Values cut off at both ends."""
    return np.clip(values, least, most)


def to_int16(values: Integers) -> Integers:
    return saturate(values, -(1 << 15), (1 << 15) - 1)


def to_uint8(values: Integers) -> Integers:
    """Values below zero become zero: the cut is the ReLU."""
    return saturate(values, 0, 255)


def sigmoid(arguments: Integers) -> Integers:
    """Sigmoid of Q3.12 (int16 range): Q0.15, 11 to 32757."""
    size = np.minimum(np.abs(np.asarray(arguments, np.int64)), (1 << 15) - 1)
    place, rest = size >> TABLE_STEP_BITS, size & ((1 << TABLE_STEP_BITS) - 1)
    table = SIGMOID_TABLE.astype(np.int64)
    slope = table[place + 1] - table[place]
    above = table[place] + ((slope * rest + (1 << (TABLE_STEP_BITS - 1))) >> TABLE_STEP_BITS)
    return np.where(np.asarray(arguments) < 0, (1 << UNIT_BITS) - above, above)


def tanh(arguments: Integers) -> Integers:
    """Tanh of Q3.12 (int16 range), as 2 sigmoid(2 x) - 1: Q0.15, -32746 to 32746."""
    return 2 * sigmoid(to_int16(2 * np.asarray(arguments, np.int64))) - (1 << UNIT_BITS)


def product(left: Integers, right: Integers) -> Integers:
    """The product of two Q0.15, rounded: Q0.15."""
    return (np.asarray(left, np.int64) * right + (1 << (UNIT_BITS - 1))) >> UNIT_BITS


def pixels(rows: npt.NDArray[np.uint8]) -> Integers:
    """The first layer's input, 1 to 255: the published scaling (`model.preprocess.pixel_table`) plus `PIXEL_ZERO`."""
    return np.asarray(rows, np.int64) + (rows < PIXEL_ZERO)
