"""The forms of a kernel, one an instruction set: which there are, and the one to use."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from model.kernel._kernel import ffi
from model.step import RuntimeUnavailableError

CACHE_LINE_BYTES = 64


def supported(at: Callable[[int], Any]) -> Iterator[tuple[str, Any]]:
    """Name and form of each instruction set that this machine can run, best first; `at` gives all by their number."""
    index = 0
    while (isa := at(index)) != ffi.NULL:
        if isa.supported():
            yield ffi.string(isa.name).decode(), isa
        index += 1


def choose(at: Callable[[int], Any], name: str | None, variable: str) -> tuple[str, Any]:
    """The form of that name, or the best.

    Args:
        at: gives all forms by their number.
        name: of the instruction set; None for the best.
        variable: the environment's that asks for one.

    Raises:
        RuntimeUnavailableError: there is none of that name here.
    """
    known = dict(supported(at))
    if name is None:
        return next(iter(known.items()))
    if name not in known:
        raise RuntimeUnavailableError(f"{variable} asks for {name!r}; this machine can run {', '.join(known)}")
    return name, known[name]


def aligned(size_bytes: int) -> npt.NDArray[np.uint8]:
    """So many zeros from the start of a cache line on."""
    room = np.zeros(size_bytes + CACHE_LINE_BYTES, np.uint8)
    skip = -room.ctypes.data % CACHE_LINE_BYTES
    return room[skip : skip + size_bytes]
