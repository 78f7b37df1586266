"""Cuts a client's bytes into websocket frames (RFC 6455, section 5), sans I/O.

Nearly all frames of a sensor are lone binary messages: final, masked, without extension, with the length in the
shortest form. These are unmasked here. Every other frame, and every fault, goes to a parser of the whole protocol. The
parser gets whole frames, one at a time, so it is always between two frames when a message is unmasked here, and the
caller may stop after any frame.
"""

from typing import Final, NamedTuple

import numpy as np

try:
    from server.stream._frames import unmask as unmask
except ImportError:  # built where there is a C compiler

    def unmask(data: bytes, start: int, stop: int) -> bytes:
        """Unmasks the payload `data[start:stop]`, whose masking key is the four bytes before it."""
        size = stop - start
        words = np.frombuffer(data[start:stop] + bytes(-size % KEY_BYTES), np.uint32)
        return (words ^ np.frombuffer(data, np.uint32, 1, start - KEY_BYTES)).tobytes()[:size]


FIN: Final = 0x80
OPCODE: Final = 0x0F
TEXT: Final = 0x1
BINARY: Final = 0x2
CLOSE: Final = 0x8
MASKED: Final = 0x80
KEY_BYTES: Final = 4
WHOLE_BINARY: Final = FIN | BINARY
WHOLE_TEXT: Final = FIN | TEXT
ONE_BYTE_LENGTHS: Final = 126
TWO_BYTE_LENGTHS: Final = 65_536


def text_frame(payload: bytes) -> bytes:
    """Makes the frame of a whole text message from a server: unmasked (RFC 6455, section 5.2)."""
    size = len(payload)
    if size < ONE_BYTE_LENGTHS:
        return bytes((WHOLE_TEXT, size)) + payload
    if size < TWO_BYTE_LENGTHS:
        return b"\x81\x7e" + size.to_bytes(2) + payload
    return b"\x81\x7f" + size.to_bytes(8) + payload


class Passed(NamedTuple):
    """Bytes for the parser.

    Attributes:
        data: one whole frame; or all remaining bytes, if they begin with a frame that is wrong or too long.
        whole: true if the frame is a message of its own: no control frame, no fragment.
    """

    data: bytes
    whole: bool


class FrameGate:
    """Cuts bytes into frames; bytes may come in pieces of any size.

        gate.feed(data)
        while (found := gate.next_frame()) is not None:
            ...                      # bytes: a lone binary message; Passed: for the parser

    A gate keeps at most `most_bytes`, a header, and the bytes fed last.

    Args:
        most_bytes: longest payload that the gate waits for.
    """

    __slots__ = ("_data", "_fragmented", "_most_bytes", "_need", "_rest", "_start", "_wrong")

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._data = b""
        # Place of the next frame.
        self._start = 0
        # Beginning of a frame that is not complete.
        self._rest = bytearray()
        # Bytes of that frame that must be there before it is looked at again.
        self._need = 0
        # True while a message in fragments is open.
        self._fragmented = False
        self._wrong = False

    def feed(self, data: bytes) -> None:
        """Takes bytes as they come."""
        if self._start < len(self._data):
            data = self._data[self._start :] + data
        elif self._rest:
            self._rest += data
            if len(self._rest) < self._need:
                return
            data = bytes(self._rest)
            self._rest.clear()
        self._data, self._start = data, 0

    def next_frame(self) -> bytes | Passed | None:
        """The next frame; None until more bytes come."""
        data, start = self._data, self._start
        size = len(data) - start
        if not size:
            return None
        if size < 2:
            self._wait(2)
            return None
        first, second = data[start], data[start + 1]
        length, head = second & 0x7F, 2
        if length == ONE_BYTE_LENGTHS:
            head = 4
            if size < head:
                self._wait(head)
                return None
            length = data[start + 2] << 8 | data[start + 3]
        elif length > ONE_BYTE_LENGTHS:
            head = 10
            if size < head:
                self._wait(head)
                return None
            length = int.from_bytes(data[start + 2 : start + head])
        if self._wrong or second < MASKED or length > self._most_bytes:
            self._wrong = True
            self._start = len(data)
            return Passed(data[start:], whole=False)
        payload = start + head + KEY_BYTES
        end = payload + length
        if end > len(data):
            self._wait(end - start)
            return None
        self._start = end
        if first == WHOLE_BINARY and not self._fragmented and head == _shortest_head(length):
            message: bytes = unmask(data, payload, end)
            return message
        opcode = first & OPCODE
        if opcode < CLOSE:
            self._fragmented = first < FIN
        return Passed(data[start:end], first in (WHOLE_TEXT, WHOLE_BINARY))

    def _wait(self, need: int) -> None:
        """Keeps the beginning of a frame until `need` bytes of it are there."""
        self._rest += self._data[self._start :]
        self._need = need
        self._data, self._start = b"", 0


def _shortest_head(length: int) -> int:
    return 2 if length < ONE_BYTE_LENGTHS else 4 if length < TWO_BYTE_LENGTHS else 10
