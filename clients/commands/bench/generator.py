"""The load generator, a process of its own: `Load` and `Idle` as JSON lines in, measurements out.

Messages are made by hand and the answers barely looked at (decisions are decoded and checked, progress is counted), so
that it stays far below the cost of the service. Its websocket frames are masked with zeros, which is legal.
"""

import asyncio
import base64
import heapq
import json
import os
import sys
import time
from array import array
from collections import deque
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import cast

import numpy as np
import psutil
import uvloop

from clients.commands.bench.load import Idle, Load, Measured
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
ANSWER_TIMEOUT_S = 60.0
TICK_S = 0.001
"""The event loop's timers are no finer; a shorter wait would spin."""
BINARY, TEXT, CLOSE, PING, PONG = 2, 1, 8, 9, 10
PROGRESS = b'{"type":"progress"'


class LoadError(Exception):
    """The service did not do as the protocol says."""


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


class ClosedLoop:
    """Every stream has one message under way at any time."""

    def __init__(self, run: Run) -> None:
        self._run = run
        run.message_answered = lambda stream: stream.send(time.perf_counter())

    def start(self) -> None:
        for stream in self._run.streams:
            stream.send(time.perf_counter())

    def stop(self) -> None:
        self._run.message_answered = lambda _: None


class Pace:
    """Every stream sends a burst's message when its last row would leave the sensor; the streams' frames are staggered.

    A stream that is a whole frame behind holds its next message back until it is answered; the message counts from
    when it was due.
    """

    def __init__(self, run: Run, frame_rate: float) -> None:
        self._run = run
        self._period_s = 1 / frame_rate
        messages = run.messages
        self._offsets_s = [
            (first + count) / messages.bursts_per_frame * self._period_s
            for first, count in zip(messages.firsts, messages.counts, strict=True)
        ]
        self._sent = [0] * len(run.streams)
        self._numbers = {stream: number for number, stream in enumerate(run.streams)}
        self._due: list[tuple[float, int]] = []
        self._timer: asyncio.TimerHandle | None = None
        run.message_answered = self._release

    def start(self) -> None:
        self._origin = time.perf_counter()
        self._due = [(self._due_at(number), number) for number in range(len(self._run.streams))]
        heapq.heapify(self._due)
        self._tick()

    def stop(self) -> None:
        self._run.message_answered = lambda _: None
        if self._timer:
            self._timer.cancel()

    def _due_at(self, number: int) -> float:
        frame, index = divmod(self._sent[number], len(self._offsets_s))
        stagger = number / len(self._sent) * self._period_s
        return self._origin + stagger + frame * self._period_s + self._offsets_s[index]

    def _tick(self) -> None:
        streams, limit = self._run.streams, self._run.messages.bursts_per_frame
        now = time.perf_counter()
        while self._due and self._due[0][0] <= now:
            due, number = heapq.heappop(self._due)
            stream = streams[number]
            self._run.due_bursts += stream.next_bursts
            if stream.unanswered >= limit:
                stream.held_due = due
                self._run.held_back += 1
            else:
                self._send(number, now)
        wait = self._due[0][0] - time.perf_counter() if self._due else 0.0
        self._timer = asyncio.get_running_loop().call_later(max(TICK_S, wait), self._tick)

    def _send(self, number: int, counted_from: float) -> None:
        self._run.streams[number].send(counted_from)
        self._sent[number] += 1
        heapq.heappush(self._due, (self._due_at(number), number))

    def _release(self, stream: Stream) -> None:
        if stream.held_due is not None:
            due, stream.held_due = stream.held_due, None
            self._send(self._numbers[stream], due)


async def measure(load: Load) -> Measured:
    """Puts the load on the service."""
    server = Server(load.pid)
    run = Run(load.port, load.variant, load.bursts_per_message, echo=load.echo)
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            await run.open(load.streams)
        drive = ClosedLoop(run) if load.frame_rate is None else Pace(run, load.frame_rate)
        drive.start()
        await run.wait(load.warmup_s)
        began, busy, cpu = time.perf_counter(), time.process_time(), server.cpu_s()
        run.begin_counting(began)
        await run.wait(load.seconds)
        while not run.latencies and time.perf_counter() < began + ANSWER_TIMEOUT_S:
            await run.wait(load.seconds)  # a busy machine may take longer for its first answer
        seconds, busy, cpu = time.perf_counter() - began, time.process_time() - busy, server.cpu_s() - cpu
        drive.stop()
        return _summary(load, run, seconds, began, busy, cpu, server.rss_bytes())
    finally:
        run.close()


def _summary(load: Load, run: Run, seconds: float, began: float, busy: float, cpu: float, rss_bytes: int) -> Measured:
    latencies, sent_at = np.array(run.latencies) * 1e6, np.array(run.sent_at)
    if not len(latencies):
        raise LoadError("nothing was answered")
    late = latencies[sent_at >= began + 0.75 * seconds]
    p50, p95, p99 = np.percentile(latencies, (50, 95, 99)).tolist()
    return Measured(
        seconds=seconds,
        messages=run.messages_done,
        bursts=run.bursts,
        offered_bursts=run.bursts if load.frame_rate is None else run.due_bursts,
        latencies_us=(p50, p95, p99),
        late_p99_us=float(np.percentile(late, 99)) if len(late) else float("inf"),
        held_back=run.held_back,
        under_way_bursts=load.streams * load.bursts_per_message,
        unanswered_bursts=sum(stream.unanswered for stream in run.streams),
        generator_busy=busy / seconds,
        server_cpu_s=cpu,
        server_rss_bytes=rss_bytes,
    )


async def measure_idle(idle: Idle) -> list[int]:
    """Resident bytes of the service at each number of idle streams."""
    server = Server(idle.pid)
    run = Run(idle.port, idle.variant, 1, echo=False)
    found = []
    try:
        for count in idle.counts:
            opened = len(run.streams)
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                await run.open(count)
                for stream in run.streams[opened:]:
                    stream.send(time.perf_counter())
                while any(stream.unanswered for stream in run.streams):
                    await run.wait(0.01)
            await run.wait(0.2)
            found.append(server.rss_bytes())
    finally:
        run.close()
    return found


class Server:
    """The service's process and its children, seen from outside."""

    def __init__(self, pid: int) -> None:
        process = psutil.Process(pid)
        self._processes = [process, *process.children(recursive=True)]

    def cpu_s(self) -> float:
        """Processor time so far: in nanoseconds where the system tells, else in its ticks of 10 ms."""
        return sum(_cpu_s(process) for process in self._processes)

    def rss_bytes(self) -> int:
        return sum(int(process.memory_info().rss) for process in self._processes)


def _cpu_s(process: psutil.Process) -> float:
    try:
        threads = [(task / "schedstat").read_text() for task in Path(f"/proc/{process.pid}/task").iterdir()]
        return sum(int(thread.split()[0]) for thread in threads) / 1e9
    except (OSError, ValueError, IndexError):
        times = process.cpu_times()
        return float(times.user + times.system)


def main() -> None:
    """Serves requests from standard input until it closes."""
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if request.pop("kind") == "idle":
                answer: object = uvloop.run(measure_idle(Idle(**request)))
            else:
                answer = asdict(uvloop.run(measure(Load(**request))))
        except (LoadError, OSError, TimeoutError, psutil.Error) as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
