"""The ceilings: services that only send every message back.

`uvicorn` does so on uvicorn's own stack, as three lines of anybody's would; `own` on the connections of the real
service (`server.stream.connection`), where what a message means is all that is missing.
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import uvicorn
from fastapi import FastAPI
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from sensor_sim.wire import STREAM_PATH, SUBPROTOCOL
from server.connections.registry import Registry
from server.connections.uvicorn_options import connection_options
from server.http.access import Access
from server.process.clock import ServiceClock
from server.process.metrics import Metrics
from server.settings import Settings
from server.stream.conversation import Conversation
from server.stream.streams import Streams

MOST = 8192
"""Connections and streams."""


async def echo(websocket: WebSocket) -> None:
    """Sends binary messages back until the client leaves."""
    await websocket.accept(SUBPROTOCOL)
    with suppress(WebSocketDisconnect):
        while True:
            await websocket.send_bytes(await websocket.receive_bytes())


class Echo(Conversation):
    """Answers every message with itself."""

    __slots__ = ()

    def receive(self, data: bytes | str) -> list[bytes]:
        return [data.encode() if isinstance(data, str) else data]


class EchoStreams(Streams):
    """Streams that are echoes."""

    conversation = Echo


def on_uvicorn(port: int) -> None:
    """Serves an ASGI application on uvicorn's own protocols."""
    app = FastAPI()
    app.router.routes.append(WebSocketRoute(STREAM_PATH, echo))
    uvicorn.run(
        app,
        port=port,
        loop="uvloop",
        http="httptools",
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        access_log=False,
        log_config=None,
    )


def on_our_own(port: int) -> None:
    """Serves on the real service's protocols."""
    settings = Settings(max_connections=MOST, max_streams=MOST, max_streams_per_address=MOST, busy_limit=1)
    metrics, clock = Metrics(), ServiceClock()
    state = {
        "streams": EchoStreams(settings, {}, metrics, clock),
        "access": Access.of(settings),
        "connections": Registry(settings, metrics, clock),
    }

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        yield state

    app = FastAPI(lifespan=lifespan)
    uvicorn.run(app, port=port, loop="uvloop", access_log=False, log_config=None, **connection_options(settings))


def main(port: int, stack: str) -> None:
    """Serves on a loopback port until terminated."""
    {"uvicorn": on_uvicorn, "own": on_our_own}[stack](port)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
