"""The ceiling: a service that only sends every message back, on the stack of the real one (see `server.__main__`)."""

import sys
from contextlib import suppress

import uvicorn
from fastapi import FastAPI
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from sensor_sim.wire import SUBPROTOCOL


async def echo(websocket: WebSocket) -> None:
    """Sends binary messages back until the client leaves."""
    await websocket.accept(SUBPROTOCOL)
    with suppress(WebSocketDisconnect):
        while True:
            await websocket.send_bytes(await websocket.receive_bytes())


def main(port: int) -> None:
    """Serves on a loopback port until terminated."""
    app = FastAPI()
    app.router.routes.append(WebSocketRoute("/v1/stream", echo))
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


if __name__ == "__main__":
    main(int(sys.argv[1]))
