"""Websocket frames made by hand: a client's to send, masked with zeros (which is legal), and a server's to read."""

from collections.abc import Callable

BINARY, TEXT, CLOSE, PING, PONG = 2, 1, 8, 9, 10
"""Opcodes (RFC 6455, section 5.2)."""


def frame_prefix(opcode: int, size: int) -> bytes:
    """Head of a client's websocket frame with a payload of `size` bytes, the mask included."""
    head = bytes([0x80 | opcode])
    if size < 126:
        return head + bytes([0x80 | size]) + bytes(4)
    if size < 65536:
        return head + bytes([0x80 | 126]) + size.to_bytes(2) + bytes(4)
    return head + bytes([0x80 | 127]) + size.to_bytes(8) + bytes(4)


class FrameReader:
    """Cuts what the server sends into websocket frames; calls `take(opcode, buffer, start, end)` for each."""

    def __init__(self, take: Callable[[int, bytes, int, int], None]) -> None:
        self._take = take
        self._rest = b""

    def feed(self, data: bytes) -> None:
        buffer = self._rest + data if self._rest else data
        at, size = 0, len(buffer)
        while size - at >= 2:
            length, start = buffer[at + 1], at + 2
            if length >= 126:
                start += 2 if length == 126 else 8
                if size < start:
                    break
                length = int.from_bytes(buffer[at + 2 : start])
            end = start + length
            if size < end:
                break
            self._take(buffer[at] & 15, buffer, start, end)
            at = end
        self._rest = buffer[at:]
