"""The numbers of a tensor in JSON, read in slices. No I/O.

A parser of JSON keeps the interpreter's lock until it is through; for some megabytes of numbers that is long enough for
every stream to notice. So the numbers are cut out of the request before anything parses it, and read a slice at a time,
with a moment between two slices in which other threads have their turn.
"""

import math
import re
import time
from collections.abc import Iterator
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from server.errors import ServiceError

SLICE_BYTES: Final = 16_384
_KEY: Final = re.compile(rb'"data"[ \t\r\n]*:[ \t\r\n]*(?=\[)')
_NUMBERS: Final = b"0123456789,[] \t\r\n"
_AROUND: Final = b"[] \t\r\n"
_WITHOUT_COMMA: Final = re.compile(rb"[0-9][^0-9,]+[0-9]")
_DECODER: Final = msgspec.json.Decoder(list[int])


def split_numbers(text: bytes) -> tuple[bytes, bytes | None]:
    """Cuts the numbers of the first member `data` out of a request.

    Args:
        text: a JSON document, unchecked.

    Returns:
        The document with an empty list in their place; the list that stood there, None if there was none. Quotes within
        a JSON string are escaped, so whatever looks like the member is one.
    """
    found = _KEY.search(text)
    if found is None:
        return text, None
    start = end = found.end()
    while end < len(text):
        part = text[end : end + SLICE_BYTES]
        if part.translate(None, _NUMBERS):
            end += len(part) - len(part.lstrip(_NUMBERS))
            break
        end += len(part)
    end = start + len(text[start:end].rstrip(b", \t\r\n"))
    return text[:start] + b"[]" + text[end:], text[start:end]


def read_numbers(text: bytes, shape: tuple[int, ...], name: str) -> npt.NDArray[np.uint8]:
    """Reads a list of whole numbers of 0..255, row after row, nested as the shape or flat; waits between slices.

    Args:
        text: what `split_numbers` cut out.
        shape: of the tensor.
        name: of the tensor, for the refusal.

    Returns:
        The numbers, flat.

    Raises:
        ServiceError: `bad_tensor`: other numbers, too few or too many.
    """
    values = math.prod(shape)
    refusal = ServiceError(
        "bad_tensor",
        f"the data of {name!r} must be {values} whole numbers of 0..255, flat or nested as the shape {list(shape)}",
    )
    lists = sum(math.prod(shape[:depth]) for depth in range(len(shape)))
    if text.count(b"[") not in (1, lists) or text.count(b"[") != text.count(b"]") or not text.endswith(b"]"):
        raise refusal
    if text.count(b",") != values - 1:
        raise refusal
    numbers, place = np.empty(values, np.uint8), 0
    for part in _slices(text):
        if _WITHOUT_COMMA.search(part):
            raise refusal
        try:
            found = bytes(_DECODER.decode(b"[" + part.translate(None, _AROUND) + b"]"))
        except (msgspec.DecodeError, ValueError) as error:  # bytes takes 0..255 alone
            raise refusal from error
        if place + len(found) > values:
            raise refusal
        numbers[place : place + len(found)] = np.frombuffer(found, np.uint8)
        place += len(found)
        time.sleep(0)
    if place != values:
        raise refusal
    return numbers


def _slices(text: bytes) -> Iterator[bytes]:
    """The text cut at commas, which are left out."""
    start = 0
    while start < len(text):
        comma = text.find(b",", start + SLICE_BYTES)
        end = comma if comma >= 0 else len(text)
        yield text[start:end]
        start = end + 1
