"""Numbers of 16 bits (IEEE 754 binary16): as files of weights store them, and the rounding of weights to them.

A network computes in float32. Weights that hold values of float16 alone take half the bytes in a file, and every reader
of the file has the very same values.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

ROUNDING: Final = 2.0**-11
"""The most by which rounding to float16 changes a number from 2^-14 to 65504, as a part of the number."""


def rounded(tensor: Floats) -> Floats | None:
    """The values of float16 that are nearest to a tensor's.

    Above 65504 there are none, and below 2^-14 they lie too far apart for numbers that matter. A small number matters
    where the numbers that it is added to are small too: those of the same output, along the first axis. All of a tensor
    of one axis count as one output's.

    Args:
        tensor: float32, of any shape.

    Returns:
        float32, of the same shape; None where a value is too large, or where the root mean square of an output's errors
        is more than `ROUNDING` of that of its values.
    """
    near = _nearest(tensor).astype(np.float32)
    outputs = (1, -1) if tensor.ndim < 2 else (len(tensor), -1)
    values = tensor.reshape(outputs).astype(np.float64)
    errors = near.reshape(outputs) - values
    safe = np.linalg.norm(errors, axis=1) <= ROUNDING * np.linalg.norm(values, axis=1)
    return near if safe.all() else None


def stored(tensor: Floats) -> npt.NDArray[np.float16] | Floats:
    """A tensor as files store it: float16 where it holds values of float16 alone, else as it is."""
    narrow = _nearest(tensor)
    return narrow if np.array_equal(narrow, tensor) else tensor


def read(tensor: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A tensor of a file as networks take it: float16 becomes float32, which has each value of float16."""
    return tensor.astype(np.float32) if tensor.dtype == np.float16 else tensor


def _nearest(tensor: Floats) -> npt.NDArray[np.float16]:
    """Values that are too large become infinite."""
    with np.errstate(over="ignore"):
        return tensor.astype(np.float16)
