"""Every way in which a service takes a stream's bytes, for tests: the same messages in, the same answers out.

Time stands still unless a test moves it, so nothing here waits for anything.
"""

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any, Final

import msgspec
from uvicorn.server import ServerState
from websockets import ClientProtocol, Frame, Opcode, State
from websockets.uri import parse_uri

from sensor_sim.wire import SUBPROTOCOL, Message, decode
from server.networks import Networks
from server.process.clock import ServiceClock
from server.process.metrics import Metrics
from server.settings import Settings
from server.stream.connection import StreamConnection
from server.stream.conversation import Conversation
from server.stream.endpoint import StreamEndpoint
from server.stream.streams import Streams

UPGRADE: Final = (
    b"GET /v1/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Protocol: " + SUBPROTOCOL.encode() + b"\r\n\r\n"
)
EDGE: Final = 40
"""Bytes of a frame's head and of a message's header, and some of what follows."""


class Anybody:
    """May ask for anything."""

    def check(self, *_: object) -> None: ...


class VirtualLoop:
    """The part of an event loop that a protocol needs, whose time a test moves.

    Attributes:
        now: seconds.
        calls: made by `run`, over all its time.
    """

    def __init__(self) -> None:
        self.now = 1000.0
        self._due: list[tuple[float, int, _Handle]] = []
        self._numbers = count()
        self.calls = 0

    def time(self) -> float:
        return self.now

    def call_soon(self, callback: Callable[..., object], *arguments: object) -> "_Handle":
        return self.call_later(0.0, callback, *arguments)

    def call_later(self, seconds: float, callback: Callable[..., object], *arguments: object) -> "_Handle":
        handle = _Handle(callback, arguments)
        heapq.heappush(self._due, (self.now + seconds, next(self._numbers), handle))
        return handle

    def run(self, seconds: float = 0.0) -> None:
        """Calls what is due within so many seconds, each at its time."""
        until = self.now + seconds
        while self._due and self._due[0][0] <= until:
            self.now, _, handle = heapq.heappop(self._due)
            handle.run()
            self.calls += 1
        self.now = until

    def step(self) -> bool:
        """Calls the one next thing that is due now; whether there was one."""
        while self._due and self._due[0][0] <= self.now:
            handle = heapq.heappop(self._due)[2]
            if not handle.cancelled:
                handle.run()
                return True
        return False

    @property
    def pending(self) -> int:
        """Calls that are still to come."""
        return sum(not handle.cancelled for _, _, handle in self._due)


class _Handle:
    def __init__(self, callback: Callable[..., object], arguments: tuple[object, ...]) -> None:
        self._callback, self._arguments, self.cancelled = callback, arguments, False

    def cancel(self) -> None:
        self.cancelled = True

    def run(self) -> None:
        if not self.cancelled:
            self._callback(*self._arguments)


class Transport(asyncio.Transport):
    """Takes what is written, and remembers what it was told.

    Attributes:
        written: all bytes.
        reading: whether the protocol reads.
        ended: how it was told to end: `close`, `abort`, `eof`; None while it is not.
        lossless: whether what is written is taken; if not, writing is paused.
    """

    def __init__(self, peer: str = "127.0.0.1", *, secure: bool = False) -> None:
        super().__init__({"peername": (peer, 1), "sslcontext": object() if secure else None})
        self.written = b""
        self.reading = True
        self.ended: str | None = None

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert self.ended is None, "nothing is written after the end"
        self.written += data

    def pause_reading(self) -> None:
        assert self.reading
        self.reading = False

    def resume_reading(self) -> None:
        assert not self.reading
        self.reading = True

    def is_closing(self) -> bool:
        return self.ended in ("close", "abort")

    def close(self) -> None:
        self.ended = self.ended if self.is_closing() else "close"

    def abort(self) -> None:
        self.ended = "abort"

    def can_write_eof(self) -> bool:
        return self.get_extra_info("sslcontext") is None

    def write_eof(self) -> None:
        self.ended = "eof"


def new_streams(networks: Networks, loop: VirtualLoop | None = None, **settings: Any) -> Streams:
    """The streams of a process, whose clock is the loop's; each has all of `stream_s`."""
    streams = Streams(Settings(**settings), networks, Metrics(), ServiceClock(loop.time) if loop else ServiceClock())
    streams.draw = lambda: 0.0
    return streams


class Connection:
    """A `StreamConnection` between a transport and a loop that the test holds in its hands."""

    def __init__(
        self, streams: Streams, loop: VirtualLoop, transport: Transport | None = None, access: Any = None
    ) -> None:
        self.loop, self.transport, server = loop, transport or Transport(), ServerState()
        self.registered: set[Any] = server.connections  # uvicorn lists its own classes alone
        state = {"streams": streams, "access": access or Anybody()}
        config: Any = None
        self.protocol = StreamConnection(config, server, state, loop)  # type: ignore[arg-type]  # as much of one as it needs
        self.protocol.connection_made(self.transport)
        self._read = 0
        self._client = ClientProtocol(parse_uri("ws://127.0.0.1/"), state=State.OPEN, max_size=None)

    def opened(self) -> "Connection":
        """After the upgrade."""
        self.protocol.data_received(UPGRADE)
        head, _, rest = self.transport.written.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 "), head
        self._read = len(self.transport.written) - len(rest)
        return self

    def frames(self) -> list[Frame]:
        """What the service sent since the last time, as the library reads it."""
        data, self._read = self.transport.written[self._read :], len(self.transport.written)
        self._client.receive_data(data)
        assert self._client.parser_exc is None
        return [event for event in self._client.events_received() if isinstance(event, Frame)]

    def receive(self, data: bytes) -> None:
        """Lets bytes come as soon as the protocol reads, and works off all that is due at once."""
        for _ in range(10_000):
            if self.transport.reading or self.transport.ended is not None:
                break
            if not self.loop.step():
                raise AssertionError("it reads no more")
        if not self.transport.is_closing():
            self.protocol.data_received(data)
        while self.loop.step():
            pass

    def lose(self) -> None:
        """The connection is gone."""
        self.protocol.connection_lost(None)
        assert not self.registered
        self.loop.run()  # answers of other connections may wait for the turn's end
        assert not self.loop.pending, "a timer outlives its connection"


def frame(opcode: int, data: bytes, *, fin: bool = True) -> bytes:
    """One frame of a client."""
    return Frame(Opcode(opcode), data, fin).serialize(mask=True)


def whole(data: bytes | str) -> Iterator[bytes]:
    """A message in one frame and one piece."""
    yield _lone(data)


def byte_by_byte(data: bytes | str) -> Iterator[bytes]:
    """A message in one frame, cut at every byte; of a long one, at every byte of its beginning and its end."""
    sent, at = _lone(data), 0
    while at < len(sent):
        step = 1 if at < EDGE or at >= len(sent) - EDGE else min(EDGE, len(sent) - EDGE - at)
        yield sent[at : at + step]
        at += step


def in_fragments(data: bytes | str) -> Iterator[bytes]:
    """A message in three fragments with a ping between them, one of them empty."""
    content, opcode = (data.encode(errors="surrogateescape"), 1) if isinstance(data, str) else (data, 2)
    half = len(content) // 2
    yield frame(opcode, content[:half], fin=False) + frame(9, b"?")
    yield frame(0, b"", fin=False)
    yield frame(0, content[half:])


def _lone(data: bytes | str) -> bytes:
    if isinstance(data, str):
        return frame(1, data.encode(errors="surrogateescape"))
    return frame(2, data)


class Stopwatch:
    """A stopwatch that goes on by so much at every look."""

    def __init__(self, step_s: float) -> None:
        self.now, self.step_s = 0.0, step_s

    def __call__(self) -> float:
        self.now += self.step_s
        return self.now


class Way:
    """One stream. `say` is one message and gives the answers to it.

    Attributes:
        closed: close code, once the service has closed; None where it cut the connection.
    """

    conversation: Conversation
    closed: int | None = None

    def say(self, data: bytes | str) -> list[Message]:
        raise NotImplementedError

    def leave(self, reason: str, seconds: float) -> list[Message]:
        raise NotImplementedError

    @property
    def over(self) -> bool:
        """Whether the service has ended the stream."""
        return self.conversation.ending is not None

    def done(self) -> None:
        """Ends the test's side."""


class Directly(Way):
    """The conversation itself."""

    def __init__(self, streams: Streams) -> None:
        self._streams = streams
        self.conversation = streams.begin("direct", "127.0.0.1", self)  # type: ignore[arg-type]  # it sends nothing itself

    def say(self, data: bytes | str) -> list[Message]:
        texts = self.conversation.receive(data)
        while self.conversation.busy:
            self.conversation.begin_turn(yielded=True)
            texts += self.conversation.work()
        return self._heard(texts)

    def leave(self, reason: str, seconds: float) -> list[Message]:
        return self._heard(self.conversation.leave(reason, seconds))

    def _heard(self, texts: list[bytes]) -> list[Message]:
        if self.conversation.ending is not None:
            self.closed = self.conversation.ending.close_code
        return [decode(text.decode()) for text in texts]

    def done(self) -> None:
        self._streams.finish(self.conversation)


class ByProtocol(Way):
    """Our own server's connection, with its messages cut somehow."""

    def __init__(self, streams: Streams, cut: Callable[[bytes | str], Iterator[bytes]]) -> None:
        loop = VirtualLoop()
        self._cut, self.connection = cut, Connection(streams, loop).opened()
        self.conversation = next(reversed(streams.open))

    def say(self, data: bytes | str) -> list[Message]:
        for piece in self._cut(data):
            self.connection.receive(piece)
        return self._heard()

    def leave(self, reason: str, seconds: float) -> list[Message]:
        self.connection.protocol.leave(reason, seconds)
        self.connection.loop.run()
        return self._heard()

    def _heard(self) -> list[Message]:
        heard = []
        for each in self.connection.frames():
            if each.opcode is Opcode.TEXT:
                heard.append(decode(bytes(each.data).decode()))
            elif each.opcode is Opcode.CLOSE:
                self.closed = int.from_bytes(each.data[:2])
        return heard

    def done(self) -> None:
        self.connection.lose()


_RUNNER: Final = asyncio.Runner()


class ByAsgi(Way):
    """The ASGI application, as any server calls it."""

    def __init__(self, streams: Streams) -> None:
        self._streams = streams
        self._events: deque[Any] = deque([{"type": "websocket.connect"}])
        self._came, self._waits = asyncio.Event(), False
        self._sent: list[Any] = []
        scope: dict[str, Any] = {"type": "websocket", "path": "/v1/stream", "headers": [], "client": ("127.0.0.1", 1)}
        scope |= {"subprotocols": [SUBPROTOCOL], "extensions": {}}
        self._task = _RUNNER.get_loop().create_task(StreamEndpoint(streams)(scope, self._receive, self._send))
        self._run()
        self.conversation = next(reversed(streams.open))

    async def _receive(self) -> Any:
        while not self._events:
            self._came.clear()
            self._waits = True
            await self._came.wait()
        self._waits = False
        return self._events.popleft()

    async def _send(self, event: Any) -> None:
        self._sent.append(event)

    def _run(self, event: Any = None) -> None:
        """Until the application waits for more."""

        async def settle() -> None:
            if event is not None:
                self._events.append(event)
                self._came.set()
                self._waits = False
            for _ in range(100_000):
                await asyncio.sleep(0)
                if self._task.done() or (self._waits and not self._came.is_set()):
                    break
            else:
                raise AssertionError("it neither waits nor ends")
            for _ in range(10):  # what was woken beside it
                await asyncio.sleep(0)

        _RUNNER.run(settle())

    def say(self, data: bytes | str) -> list[Message]:
        self._run({"type": "websocket.receive", "text" if isinstance(data, str) else "bytes": data})
        return self._heard()

    def leave(self, reason: str, seconds: float) -> list[Message]:
        self._streams.open[self.conversation].shell.leave(reason, seconds)
        self._run()
        return self._heard()

    def _heard(self) -> list[Message]:
        sent, self._sent = self._sent, []
        for event in sent:
            if event["type"] == "websocket.close":
                self.closed = event["code"]
        return [decode(event["text"]) for event in sent if event["type"] == "websocket.send"]

    def done(self) -> None:
        if not self._task.done():
            self._run({"type": "websocket.disconnect", "code": 1005})
        _RUNNER.run(asyncio.wait_for(self._task, 5))


def same(messages: list[Message]) -> list[Message]:
    """Messages without what no two streams have in common: tokens and times."""
    return [_bare(message) for message in messages]


def _bare(message: Any) -> Message:
    changes: dict[str, Any] = {"token": ""} if isinstance(getattr(message, "token", None), str) else {}
    if hasattr(message, "compute_us"):
        changes["compute_us"] = 0
    bare: Message = msgspec.structs.replace(message, **changes)
    return bare


WAYS: Final[dict[str, Callable[[Streams], Way]]] = {
    "directly": Directly,
    "by protocol": lambda streams: ByProtocol(streams, whole),
    "by protocol, byte by byte": lambda streams: ByProtocol(streams, byte_by_byte),
    "by protocol, in fragments": lambda streams: ByProtocol(streams, in_fragments),
    "by ASGI": ByAsgi,
}
"""Every way to open a stream."""
