"""The numbers of a tensor in JSON, read in slices.

A parser of JSON keeps the interpreter's lock until it is done; with some megabytes of numbers that delays every stream.
So the numbers are cut out of the request before it is parsed, and read slice by slice, with a pause between two slices
in which other threads have their turn.
"""

import math
import re
import secrets
import time
from collections.abc import Iterator
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from server.errors import ServiceError

SLICE_BYTES: Final = 16_384
MOST_REST_BYTES: Final = 65_536
"""Most bytes of a request as JSON, without the numbers of its tensor."""

_KEY: Final = re.compile(rb'"data"[ \t\r\n]*:[ \t\r\n]*(?=\[)')
_NUMBERS: Final = b"0123456789,[] \t\r\n"
_DIGITS: Final = b"0123456789 \t\r\n"
_OUTSIDE: Final = re.compile(rb"[0-9][ \t\r\n]*\[|\][ \t\r\n]*[0-9]")
"""A number that stands outside of every list."""
_DECODER: Final = msgspec.json.Decoder(list[int])

CUT_OUT: Final = f'["{secrets.token_hex(8)}"]'.encode()
"""Mark in place of the numbers. No client knows it: a tensor whose `data` is not this mark is not the one whose numbers
were cut out."""


def split_numbers(text: bytes) -> tuple[bytes, memoryview | None]:
    """Cuts the numbers of the first member `data` out of a request.

    Args:
        text: a JSON document, unchecked.

    Returns:
        The document with `CUT_OUT` in place of the list; the list, or None if there was none.

    Raises:
        ServiceError: `bad_tensor`: the list holds something else than numbers; `request_too_large`: the rest of the
            document is too large.
    """
    place = text.find(b'"data"', 0, MOST_REST_BYTES)  # what comes later is too late
    while place >= 0 and (found := _KEY.match(text, place)) is None:
        place = text.find(b'"data"', place + 1, MOST_REST_BYTES)
    if place < 0 or found is None:
        _check_rest(len(text))
        return text, None
    start = end = found.end()
    depth, tail = 0, b""
    while end < len(text):
        part = text[end : end + SLICE_BYTES]
        more = not part.translate(None, _NUMBERS)
        if not more:
            part = part[: len(part) - len(part.lstrip(_NUMBERS))]
        end += len(part)
        depth += part.count(b"[") - part.count(b"]")
        tail = part or tail
        if not more:
            break
    if depth:
        raise ServiceError("bad_tensor", "the data of a tensor must be whole numbers of 0..255")
    end -= len(tail) - len(tail.rstrip(b", \t\r\n"))
    _check_rest(len(text) - (end - start))
    return text[:start] + CUT_OUT + text[end:], memoryview(text)[start:end]


def _check_rest(size: int) -> None:
    if size > MOST_REST_BYTES:
        raise ServiceError(
            "request_too_large",
            f"a request as JSON has at most {MOST_REST_BYTES} bytes beside the numbers of its one tensor, not {size}",
        )


def read_numbers(text: memoryview, shape: tuple[int, ...], name: str) -> npt.NDArray[np.uint8]:
    """Reads a list of whole numbers of 0..255, row after row, nested as the shape or flat; waits between slices.

    Args:
        text: the list that `split_numbers` cut out.
        shape: shape of the tensor.
        name: name of the tensor, for the refusal.

    Returns:
        The numbers, flat uint8.

    Raises:
        ServiceError: `bad_tensor`: other numbers, too few or too many.
    """
    values = math.prod(shape)
    refusal = ServiceError(
        "bad_tensor",
        f"the data of {name!r} must be {values} whole numbers of 0..255, flat or nested as the shape {list(shape)}",
    )
    if len(text) < 2 * values:  # a number takes a digit and a comma: nothing is allocated for what is not there
        raise refusal
    numbers, place, marks, at = np.empty(values, np.uint8), 0, b"", 0
    for part in _slices(text):
        listed = b"[" in part or b"]" in part
        found_marks = part.translate(None, _DIGITS) if listed else b"," * part.count(b",")
        marks = marks or _marks(shape if found_marks.startswith(b"[[") else (values,))
        if marks[at : at + len(found_marks)] != found_marks or (listed and _OUTSIDE.search(part)):
            raise refusal
        at += len(found_marks)
        try:
            found = bytes(_DECODER.decode(b"[" + part.removesuffix(b",").translate(None, b"[]") + b"]"))
        except (msgspec.DecodeError, ValueError) as error:  # bytes takes 0..255 alone
            raise refusal from error
        if not found or place + len(found) > values:
            raise refusal
        numbers[place : place + len(found)] = np.frombuffer(found, np.uint8)
        place += len(found)
        time.sleep(0)
    if place != values or at != len(marks):
        raise refusal
    return numbers


def _marks(shape: tuple[int, ...]) -> bytes:
    """Brackets and commas of a list nested as the shape."""
    marks = b""
    for size in reversed(shape):
        marks = b"[" + b",".join([marks] * size) + b"]"
    return marks


def _slices(text: memoryview) -> Iterator[bytes]:
    """The text cut behind commas; where there is none in a slice, the next one is what is wrong."""
    start = 0
    while start < len(text):
        part = bytes(text[start : start + SLICE_BYTES])
        comma = part.rfind(b",") if start + len(part) < len(text) else -1
        if comma >= 0:
            part = part[: comma + 1]
        yield part
        start += len(part)
