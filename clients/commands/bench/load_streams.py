"""The streams of a load: their messages, made by hand, and what is counted of the answers.

Answers are barely looked at (decisions are decoded and checked, progress is counted), so that the generator stays far
below the cost of the service.
"""

import asyncio
import base64
import os
import time
from array import array
from collections import deque
from collections.abc import Callable
from typing import cast

import numpy as np

from clients.commands.bench.websocket_frames import BINARY, CLOSE, PING, PONG, TEXT, FrameReader, frame_prefix
from model.config import VARIANTS
from sensor_sim.wire import (
    HEADER,
    STREAM_PATH,
    SUBPROTOCOL,
    VERSION,
    Credit,
    Decision,
    Hello,
    Progress,
    Welcome,
    decode,
    encode_control,
)

OPEN_AT_ONCE = 50
PROGRESS = b'{"type":"progress"'


class LoadError(Exception):
    """The service did not do as the protocol says."""


class Messages:
    """A frame's rows messages: websocket prefix, bursts and pixels of each, shared by all streams."""

    def __init__(self, variant: str, bursts_per_message: int) -> None:
        config = VARIANTS[variant]
        self.bursts_per_frame = config.bursts_per_frame
        self._row_bytes = config.width * config.INPUT_CHANNELS
        self._rows = config.BURST_ROWS
        frame = np.random.default_rng(0).integers(0, 256, config.frame_shape, np.uint8)
        self.firsts = list(range(0, self.bursts_per_frame, bursts_per_message))
        self.counts = [min(bursts_per_message, self.bursts_per_frame - first) for first in self.firsts]
        self._pixels = [
            frame[first * self._rows : (first + count) * self._rows].tobytes()
            for first, count in zip(self.firsts, self.counts, strict=True)
        ]
        self._prefixes = [frame_prefix(BINARY, HEADER.size + len(pixels)) for pixels in self._pixels]

    def __len__(self) -> int:
        return len(self.firsts)

    def bytes_of(self, index: int, frame_id: int) -> bytes:
        """Message `index` of a frame, ready to be sent."""
        count = self.counts[index]
        header = HEADER.pack(VERSION, 0, count * self._rows, frame_id, self.firsts[index], count, self._row_bytes, 0)
        return b"".join((self._prefixes[index], header, self._pixels[index]))


class Stream(asyncio.Protocol):
    """One connection: sends the next message when told, reports what is answered."""

    def __init__(self, run: "Run") -> None:
        self._run = run
        self._messages = run.messages
        self._reader: FrameReader | None = None
        self._head = b""
        self._transport: asyncio.Transport
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._index, self._frame_id = 0, 0
        self._pending: deque[list[float]] = deque()  # [sent at, bursts to be answered] of each message
        self.unanswered = 0  # bursts
        self.held_due: float | None = None  # the message that a stream a frame behind should have sent

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's isn't one by inheritance
        key = base64.b64encode(os.urandom(16)).decode()
        self._transport.write(
            f"GET {STREAM_PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: {SUBPROTOCOL}\r\n\r\n"
            .encode()
        )  # fmt: skip

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail("the service closed a stream")

    def data_received(self, data: bytes) -> None:
        if self._reader is not None:
            self._reader.feed(data)
            return
        self._head += data
        head, found, rest = self._head.partition(b"\r\n\r\n")
        if not found:
            return
        if not head.startswith(b"HTTP/1.1 101"):
            self._fail(f"the service refused a stream: {head.splitlines()[0].decode(errors='replace')}")
            return
        self._reader = FrameReader(self._take)
        if self._run.load_echo:
            self.ready.set_result(None)
        else:
            hello = encode_control(Hello(self._run.variant, {"name": "never"}, progress_every=1))
            self._transport.write(frame_prefix(TEXT, len(hello)) + hello)
        if rest:
            self._reader.feed(rest)

    def _take(self, opcode: int, buffer: bytes, start: int, end: int) -> None:
        if opcode == TEXT and not self._run.load_echo:
            if buffer.startswith(PROGRESS, start):
                self._answered(1)
            else:
                self._take_control(buffer[start:end].decode())
        elif opcode in (BINARY, TEXT):
            self._answered(int(self._pending[0][1]))
        elif opcode == PING:
            self._transport.write(frame_prefix(PONG, end - start) + buffer[start:end])
        elif opcode == CLOSE:
            self._fail("the service closed a stream")

    def _take_control(self, text: str) -> None:
        message = decode(text)
        if isinstance(message, Progress):
            self._answered(1)
        elif isinstance(message, Welcome):
            self.ready.set_result(None)
        elif not isinstance(message, Decision | Credit) or (
            isinstance(message, Decision) and message.processed != self._messages.bursts_per_frame
        ):
            self._fail(f"unexpected answer: {text[:200]}")

    def _answered(self, bursts: int) -> None:
        message = self._pending[0]
        self._run.answered(message[0], bursts)
        self.unanswered -= bursts
        message[1] -= bursts
        if not message[1]:
            self._pending.popleft()
            self._run.messages_done += 1
            self._run.message_answered(self)

    @property
    def next_bursts(self) -> int:
        """Bursts of the next message."""
        return self._messages.counts[self._index]

    def send(self, counted_from: float) -> None:
        """Sends the next message; its answer is timed from `counted_from`."""
        index = self._index
        bursts = self.next_bursts
        self._pending.append([counted_from, bursts])
        self.unanswered += bursts
        self._transport.write(self._messages.bytes_of(index, self._frame_id))
        self._index += 1
        if self._index == len(self._messages):
            self._index, self._frame_id = 0, self._frame_id + 1

    def close(self) -> None:
        self._transport.abort()

    def _fail(self, why: str) -> None:
        self._run.fail(why)
        if not self.ready.done():
            self.ready.set_exception(LoadError(why))


class Run:
    """The streams of one load and what is counted of them."""

    def __init__(self, port: int, variant: str, bursts_per_message: int, *, echo: bool) -> None:
        self.port, self.variant, self.load_echo = port, variant, echo
        self.messages = Messages(variant, bursts_per_message)
        self.streams: list[Stream] = []
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.message_answered: Callable[[Stream], None] = lambda _: None
        self.closing = False
        self.begin_counting(float("inf"))

    def begin_counting(self, since: float) -> None:
        """Forgets what was counted; answers count from now on, latencies of what is sent from `since` on."""
        self._since = since
        self.bursts = self.messages_done = self.due_bursts = self.held_back = 0
        self.sent_at, self.latencies = array("d"), array("d")

    def answered(self, sent_at: float, bursts: int) -> None:
        self.bursts += bursts
        if sent_at >= self._since:
            latency = time.perf_counter() - sent_at
            for _ in range(bursts):
                self.sent_at.append(sent_at)
                self.latencies.append(latency)

    def fail(self, why: str) -> None:
        if not self.closing and not self.failed.done():
            self.failed.set_exception(LoadError(why))

    async def open(self, count: int) -> None:
        """Opens streams until there are `count`."""
        loop = asyncio.get_running_loop()
        while len(self.streams) < count:
            batch = [Stream(self) for _ in range(min(OPEN_AT_ONCE, count - len(self.streams)))]
            for stream in batch:
                await loop.create_connection(lambda stream=stream: stream, "127.0.0.1", self.port)  # type: ignore[misc]  # binds the loop's value
            await asyncio.gather(*(stream.ready for stream in batch))
            self.streams += batch

    async def wait(self, seconds: float) -> None:
        """Lets the load run.

        Raises:
            LoadError: a stream failed.
        """
        done, _ = await asyncio.wait([self.failed], timeout=seconds)
        for failed in done:
            failed.result()

    def close(self) -> None:
        self.closing = True
        for stream in self.streams:
            stream.close()
        if not self.failed.done():
            self.failed.cancel()
