"""The websocket endpoint: moves messages between the connection and its session, and decides nothing."""

import asyncio
import logging
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from sensor_sim.wire import SUBPROTOCOL, Control, Error, WireError, decode, encode
from server.errors import ServiceError
from server.problem import problem
from server.service import Service
from server.session import Phase, StreamSession

log = logging.getLogger(__name__)


async def stream(websocket: WebSocket) -> None:
    """Serves one stream from upgrade to close."""
    service: Service = websocket.app.state.service
    if SUBPROTOCOL not in websocket.scope["subprotocols"]:
        refusal = ServiceError("wrong_subprotocol", f"offer the websocket subprotocol {SUBPROTOCOL!r}")
        await websocket.send_denial_response(problem(refusal))
        return
    if service.streams >= service.settings.max_streams:
        refusal = ServiceError("server_full", f"all {service.settings.max_streams} streams are taken; try again later")
        await websocket.send_denial_response(problem(refusal))
        return
    service.streams += 1
    try:
        await websocket.accept(SUBPROTOCOL)
        await _converse(websocket, service)
    except (WebSocketDisconnect, ConnectionError):
        pass  # the client left; its session goes with it
    finally:
        service.streams -= 1


async def _converse(websocket: WebSocket, service: Service) -> None:
    session = StreamSession(service.models, {"message_bytes": service.settings.message_bytes})
    try:
        while session.phase is not Phase.ENDED:
            for reply in session.receive(decode(await _receive(websocket, service.settings.idle_s))):
                await _send(websocket, reply)
            while (rows := session.rows_to_step()) is not None:
                for reply in session.advance(session.runtime.step(rows, session.hidden)):
                    await _send(websocket, reply)
        await websocket.close()
    except WireError as error:
        await _refuse(websocket, ServiceError(error.code, str(error)))
    except ServiceError as error:
        await _refuse(websocket, error)
    except (WebSocketDisconnect, ConnectionError):
        raise
    except Exception:
        log.exception("a stream failed")
        await _refuse(
            websocket, ServiceError("internal", "the server failed on this stream; it is not the client's fault")
        )


async def _receive(websocket: WebSocket, idle_s: float) -> bytes | str:
    try:
        async with asyncio.timeout(idle_s):
            event: dict[str, Any] = dict(await websocket.receive())
    except TimeoutError:
        raise ServiceError("idle", f"nothing came for {idle_s:g} s") from None
    if event["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(event.get("code", 1005))
    data: bytes | str = event["bytes"] if event.get("bytes") is not None else event["text"]
    return data


async def _send(websocket: WebSocket, message: Control) -> None:
    text = encode(message)
    await websocket.send({"type": "websocket.send", "text": text})


async def _refuse(websocket: WebSocket, error: ServiceError) -> None:
    await _send(websocket, Error(error.code, str(error)))
    await websocket.close(error.close_code, error.code)
