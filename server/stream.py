"""The websocket endpoint: moves messages between the connection and its session, and decides nothing."""

import asyncio
import logging
from time import monotonic
from typing import Final

from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from sensor_sim.wire import SUBPROTOCOL, Control, Error, WireError, decode, encode
from server.errors import ServiceError
from server.idle import IdleWatch
from server.problem import problem
from server.service import Service
from server.session import Phase, StreamSession

log = logging.getLogger(__name__)

TURN_S: Final = 0.002
"""How long one stream may hold the event loop before the others have their turn."""


class StreamEndpoint:
    """The ASGI application behind `/v1/stream`; once open it speaks plain ASGI, without the wrappers' cost."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one stream from upgrade to close."""
        service: Service = scope["app"].state.service
        websocket = WebSocket(scope, receive, send)
        if SUBPROTOCOL not in scope["subprotocols"]:
            refusal = ServiceError("wrong_subprotocol", f"offer the websocket subprotocol {SUBPROTOCOL!r}")
            await websocket.send_denial_response(problem(refusal))
            return
        if service.streams >= service.settings.max_streams:
            refusal = ServiceError(
                "server_full", f"all {service.settings.max_streams} streams are taken; try again later"
            )
            await websocket.send_denial_response(problem(refusal))
            return
        service.streams += 1
        try:
            await websocket.accept(SUBPROTOCOL)
            await _converse(receive, send, service)
        except (_ClientLeftError, OSError):
            pass  # its session goes with it
        finally:
            service.streams -= 1


class _ClientLeftError(Exception):
    """The connection is gone."""


async def _converse(receive: Receive, send: Send, service: Service) -> None:
    session = StreamSession(service.models, {"message_bytes": service.settings.message_bytes})
    try:
        with IdleWatch(service.settings.idle_s) as idle:
            await _serve(session, receive, send, idle)
        await send({"type": "websocket.close", "code": 1000, "reason": ""})
    except WireError as error:
        await _refuse(send, ServiceError(error.code, str(error)))
    except ServiceError as error:
        await _refuse(send, error)
    except (_ClientLeftError, OSError):
        raise
    except Exception:
        log.exception("a stream failed")
        await _refuse(send, ServiceError("internal", "the server failed on this stream; it is not the client's fault"))


async def _serve(session: StreamSession, receive: Receive, send: Send, idle: IdleWatch) -> None:
    turn = monotonic()
    while session.phase is not Phase.ENDED:
        waiting = idle.since = monotonic()
        event = await receive()
        now, idle.since = monotonic(), None
        if now - waiting > TURN_S:
            turn = now  # it waited, so the others had theirs
        if event["type"] == "websocket.disconnect":
            raise _ClientLeftError
        data = event.get("bytes")
        for reply in session.receive(decode(data if data is not None else event["text"])):
            await _send(send, reply)
        while (rows := session.rows_to_step()) is not None:
            for reply in session.advance(session.runtime.step(rows, session.hidden)):
                await _send(send, reply)
            if monotonic() - turn > TURN_S:
                await asyncio.sleep(0)
                turn = monotonic()


async def _send(send: Send, message: Control) -> None:
    await send({"type": "websocket.send", "text": encode(message)})


async def _refuse(send: Send, error: ServiceError) -> None:
    await _send(send, Error(error.code, str(error)))
    await send({"type": "websocket.close", "code": error.close_code, "reason": error.code})
