import asyncio
from collections.abc import Awaitable, Callable, Container
from itertools import pairwise
from typing import Any

import pytest
import uvicorn
from hypothesis import given
from hypothesis import strategies as st
from uvicorn.server import ServerState
from websockets.frames import Frame, Opcode

from server.process.connections import BoundedWebSocket, lone_message, text_frame
from server.stream.endpoint import WOKEN

UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: here\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
LARGEST = 400


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 100_000])
def test_a_text_frame_of_every_form_of_length(size: int) -> None:
    payload = b"x" * size
    assert text_frame(payload) == Frame(Opcode.TEXT, payload).serialize(mask=False)


@given(st.text(max_size=300))
def test_a_text_frame_is_what_websockets_would_send(text: str) -> None:
    assert text_frame(text.encode()) == Frame(Opcode.TEXT, text.encode()).serialize(mask=False)


@given(before=st.binary(max_size=9), after=st.binary(max_size=9), size=st.integers(0, 300) | st.just(65_535))
def test_a_lone_message_is_found_where_it_lies(before: bytes, after: bytes, size: int) -> None:
    frame = Frame(Opcode.BINARY, bytes(size)).serialize(mask=True)
    data, end = before + frame + after, len(before) + len(frame)
    assert lone_message(data, len(before)) == ((end - size, end) if len(data) >= len(before) + 8 else None)
    assert lone_message(data[: end - 1], len(before)) is None


@pytest.mark.parametrize(
    "frame",
    [
        Frame(Opcode.TEXT, b"12345678").serialize(mask=True),
        Frame(Opcode.PING, b"12345678").serialize(mask=True),
        Frame(Opcode.CONT, b"12345678").serialize(mask=True),
        Frame(Opcode.BINARY, b"12345678", fin=False).serialize(mask=True),
        b"\xc2" + Frame(Opcode.BINARY, b"12345678").serialize(mask=True)[1:],  # of an extension
        Frame(Opcode.BINARY, b"12345678").serialize(mask=False),
        Frame(Opcode.BINARY, bytes(65_536)).serialize(mask=True),
        b"\x82\xfe\x00\x08" + bytes(12),  # eight bytes, their number in the longer form
    ],
)
def test_any_other_frame_is_the_parsers(frame: bytes) -> None:
    assert lone_message(frame, 0) is None


class _Transport(asyncio.Transport):
    """Takes what is written; remembers whether anything may be read."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.reading = True

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def is_closing(self) -> bool:
        return False

    def close(self) -> None:
        pass


Take = Callable[[bytes], bool]


async def _connected(take: Take, seen: list[bytes | str]) -> tuple[BoundedWebSocket, _Transport]:
    """A connection past its handshake, to an application that notes what it receives."""

    async def application(
        scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
    ) -> None:
        connection = scope["extensions"]["connection"]["protocol"]
        await receive()
        await send({"type": "websocket.accept"})
        while True:
            connection.at_once = take
            event = await receive()
            connection.at_once = None
            if event["type"] == WOKEN:
                continue
            if event["type"] != "websocket.receive":
                return
            data = event.get("bytes")
            seen.append(data if data is not None else event["text"])

    config = uvicorn.Config(
        application, ws_per_message_deflate=False, ws_max_size=LARGEST, ws_ping_interval=None, log_config=None
    )
    connection = BoundedWebSocket(config, ServerState(), {})
    transport = _Transport()
    connection.connection_made(transport)
    connection.data_received(UPGRADE)
    await _until(lambda: b"101" in transport.written and connection.at_once is not None)
    return connection, transport


async def _until(holds: Callable[[], bool]) -> None:
    for _ in range(1000):
        if holds():
            return
        await asyncio.sleep(0)
    raise TimeoutError


async def _deliver(
    data: bytes, cuts: list[int], refused: Container[int] = (), *, waking: bool = False
) -> tuple[list[bytes | str], int, bytes]:
    """What the application saw of bytes that came in pieces, some messages refused at once, or with the task woken by
    every one that wasn't; how many were taken at once; what was answered."""
    seen: list[bytes | str] = []
    asked, taken = 0, 0

    def take(message: bytes) -> bool:
        nonlocal asked, taken
        asked += 1
        if asked in refused:
            return False
        seen.append(message)
        taken += 1
        if waking:
            connection.wake()
        return True

    connection, transport = await _connected(take, seen)
    greeted = len(transport.written)
    for start, end in pairwise([0, *sorted(cuts), len(data)]):
        await _until(lambda: transport.reading)
        if end > start:
            connection.data_received(data[start:end])
    await _until(lambda: transport.reading and connection.queue.empty())
    connection.connection_lost(None)
    await asyncio.gather(*connection.tasks)
    return seen, taken, transport.written[greeted:]


_binary = st.binary(max_size=LARGEST).map(lambda payload: [Frame(Opcode.BINARY, payload)])
_text = st.text(max_size=20).map(lambda text: [Frame(Opcode.TEXT, text.encode())])
_ping = st.binary(max_size=5).map(lambda payload: [Frame(Opcode.PING, payload)])
_pieces = st.tuples(st.binary(max_size=200), _ping | st.just([]), st.binary(max_size=200)).map(
    lambda parts: [Frame(Opcode.BINARY, parts[0], fin=False), *parts[1], Frame(Opcode.CONT, parts[2])]
)


@given(
    messages=st.lists(_binary | _text | _ping | _pieces, max_size=6),
    share=st.lists(st.floats(0, 1), max_size=5),
    refused=st.sets(st.integers(1, 6)),
)
def test_messages_come_whole_and_in_order_however_they_are_taken(
    messages: list[list[Frame]], share: list[float], refused: set[int]
) -> None:
    data = b"".join(frame.serialize(mask=True) for frames in messages for frame in frames)
    expected: list[bytes | str] = []
    for frames in messages:
        payload = b"".join(bytes(frame.data) for frame in frames if frame.opcode is not Opcode.PING)
        if frames[0].opcode is not Opcode.PING:
            expected.append(payload.decode() if frames[0].opcode is Opcode.TEXT else payload)
    seen, _, written = asyncio.run(_deliver(data, [round(each * len(data)) for each in share], refused))
    assert seen == expected
    pings = [frame for frames in messages for frame in frames if frame.opcode is Opcode.PING]
    assert written == b"".join(Frame(Opcode.PONG, ping.data).serialize(mask=False) for ping in pings)


def test_whole_binary_messages_are_taken_at_once() -> None:
    data = b"".join(Frame(Opcode.BINARY, bytes(size)).serialize(mask=True) for size in (9, 200, 3))
    _, taken, _ = asyncio.run(_deliver(data, []))
    assert taken == 3


def test_nothing_is_taken_at_once_while_the_task_has_something_to_do() -> None:
    messages = [bytes([number] * 9) for number in range(3)]
    data = b"".join(Frame(Opcode.BINARY, message).serialize(mask=True) for message in messages)
    seen, taken, _ = asyncio.run(_deliver(data, [], waking=True))
    assert seen == messages
    assert taken == 1


def _unmasked_on_the_wire(payload: bytes) -> bytes:
    """A client's binary message whose mask is zeros, so that the payload is on the wire as it is."""
    return bytes([0x82, 0x80 | len(payload)]) + bytes(4) + payload


def test_bytes_within_a_frame_are_not_taken_for_one() -> None:
    inner = _unmasked_on_the_wire(b"12345678")
    data = _unmasked_on_the_wire(b"before" + inner)
    seen, _, _ = asyncio.run(_deliver(data, [len(data) - len(inner)]))
    assert seen == [b"before" + inner]


def test_a_message_within_the_pieces_of_another_is_refused_as_ever() -> None:
    first = Frame(Opcode.BINARY, b"12345678", fin=False).serialize(mask=True)
    seen, _, written = asyncio.run(_deliver(first + _unmasked_on_the_wire(b"12345678"), [len(first)]))
    assert not seen
    assert written[:1] + written[2:4] == b"\x88" + (1002).to_bytes(2)


def test_a_message_over_the_limit_is_refused_as_ever() -> None:
    data = Frame(Opcode.BINARY, bytes(LARGEST + 1)).serialize(mask=True)
    seen, _, written = asyncio.run(_deliver(data, []))
    assert not seen
    assert written[:1] + written[2:4] == b"\x88" + (1009).to_bytes(2)
