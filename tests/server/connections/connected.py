"""A connection to an application, without a socket and without a clock: bytes in, bytes out, seconds by hand."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from server.connections.http_connection import HttpConnection
from server.connections.registry import Registry
from server.process.clock import ServiceClock
from server.process.metrics import Metrics
from server.settings import Settings

Send = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Application = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]


class FakeTransport(asyncio.Transport):
    """Keeps what is written; `unread` bytes of it are said not to be taken yet."""

    def __init__(self, peer: str = "192.0.2.1", *, secure: bool = False) -> None:
        tls = {"sslcontext": object()} if secure else {}
        super().__init__({"peername": (peer, 5000), "sockname": ("192.0.2.9", 80)} | tls)
        self.written = b""
        self.unread = 0
        self.reading = True
        self.closed = self.aborted = self.half_closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def get_write_buffer_size(self) -> int:
        return self.unread

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def is_closing(self) -> bool:
        return self.closed or self.aborted

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.aborted = True

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.half_closed = True

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        pass


class FakeStream(asyncio.Protocol):
    """A websocket's protocol: notes what it is given."""

    made: "list[FakeStream]" = []  # noqa: RUF012 - of one test at a time

    def __init__(self, config: Any, server_state: Any, app_state: Any) -> None:
        self.received = b""
        self.handshake_complete = False
        self.made.append(self)

    def data_received(self, data: bytes) -> None:
        self.received += data


class Client:
    """One connection and what is on its other end."""

    def __init__(
        self, application: Application, settings: Settings, *, admitted: bool = True, secure: bool = False
    ) -> None:
        self.now = 0.0
        self.settings = settings
        self.metrics = Metrics()
        self.registry = Registry(settings, self.metrics, ServiceClock(lambda: self.now))
        self.server = ServerState()
        FakeStream.made = []
        self._config = uvicorn.Config(application, ws=FakeStream, lifespan="off", log_config=None)
        self.transport = FakeTransport(secure=secure)
        self.connection = self.another()
        if admitted:
            self.connection.connection_made(self.transport)

    def another(self) -> HttpConnection:
        return HttpConnection(self._config, self.server, {"connections": self.registry})

    async def send(self, data: bytes) -> None:
        """Delivers bytes and lets whatever waits for them run."""
        self.connection.data_received(data)
        await settle()

    def wait(self, seconds: float) -> None:
        """Lets time pass in one step, and looks."""
        self.now += seconds
        self.connection.look(self.registry.clock())

    @property
    def answers(self) -> list[int]:
        """Status codes of the answers so far."""
        return [int(part[:3]) for part in self.transport.written.split(b"HTTP/1.1 ")[1:]]


async def settle() -> None:
    """Lets every callback and task go as far as it can."""
    for _ in range(50):
        await asyncio.sleep(0)


async def hello(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Reads the body and answers with its length."""
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            return
        size += len(message["body"])
        more = message["more_body"]
    body = f"{scope['method']} {scope['path']} {size}".encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})
