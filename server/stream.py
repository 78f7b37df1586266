"""The websocket endpoint: moves messages between the connection and its session, and decides nothing."""

import asyncio
from time import monotonic, perf_counter
from typing import Final
from uuid import uuid4

import structlog
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from sensor_sim.wire import SUBPROTOCOL, Control, Decision, Error, WireError, decode, encode
from server.errors import ServiceError
from server.problem import problem
from server.service import Service
from server.session import Phase, StreamSession
from server.watch import LeaveNowError, StreamWatch

log = structlog.get_logger("server.stream")

TURN_S: Final = 0.002
"""How long one stream may hold the event loop before the others have their turn."""

GOING_AWAY: Final = 1001
"""Close code of a stream that is to go on elsewhere."""


class StreamEndpoint:
    """The ASGI application behind `/v1/stream`; once open it speaks plain ASGI, without the wrappers' cost."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one stream from upgrade to close."""
        service: Service = scope["app"].state.service
        websocket = WebSocket(scope, receive, send)
        address = scope["client"][0] if scope.get("client") else ""
        try:
            if SUBPROTOCOL not in scope["subprotocols"]:
                raise ServiceError("wrong_subprotocol", f"offer the websocket subprotocol {SUBPROTOCOL!r}")
            service.admission.admit(address)
        except ServiceError as refusal:
            service.metrics.refused(refusal.code)
            await websocket.send_denial_response(problem(refusal))
            return
        began, reason = monotonic(), "internal"
        session = StreamSession(service.models, service.settings.limits, service.tokens)
        try:
            await websocket.accept(SUBPROTOCOL)
            reason = await _converse(session, receive, send, service)
            if reason == "slow_reader":
                abort = scope["extensions"].get("abort")  # nothing more fits into the connection
                if abort:
                    abort["transport"].abort()
        except (_ClientLeftError, OSError):
            reason = "client_left"
        finally:
            service.admission.release(address)
            service.metrics.ended(reason, session)
            log.info(
                "stream ended",
                stream=uuid4().hex[:8],
                reason=reason,
                frame=session.frame_id,
                frames=session.frames,
                bursts=session.bursts,
                seconds=round(monotonic() - began, 3),
            )


class _ClientLeftError(Exception):
    """The connection is gone."""


async def _converse(session: StreamSession, receive: Receive, send: Send, service: Service) -> str:
    """Serves the stream; why it ended."""
    try:
        with StreamWatch(service.settings.limits) as watch:
            service.watches.add(watch)
            if service.admission.draining:  # it began between the admission and here
                watch.leave("drain", service.settings.drain_s)
            try:
                await _serve(session, receive, send, watch, service)
            finally:
                service.watches.discard(watch)
        if session.phase is Phase.ENDED:
            await send({"type": "websocket.close", "code": 1000, "reason": ""})
            return "end"
    except LeaveNowError:
        pass
    except WireError as error:
        return await _refuse(send, ServiceError(error.code, str(error)))
    except ServiceError as error:
        if error.code == "slow_reader":
            return error.code
        return await _refuse(send, error)
    except (_ClientLeftError, OSError):
        raise
    except Exception:
        log.exception("a stream failed", frame=session.frame_id)
        return await _refuse(
            send, ServiceError("internal", "the server failed on this stream; it is not the client's fault")
        )
    reason = watch.leaving or ""
    await send({"type": "websocket.close", "code": GOING_AWAY, "reason": reason})
    return reason


async def _serve(session: StreamSession, receive: Receive, send: Send, watch: StreamWatch, service: Service) -> None:
    turn = monotonic()
    frames_left = service.settings.stream_frames
    while session.phase is not Phase.ENDED:
        if watch.leaving and await _leave(session, send, watch):
            return
        waiting = watch.since = monotonic()
        watch.reading = True
        try:
            event = await receive()
        except asyncio.CancelledError:
            if not watch.woken():
                raise
            continue
        watch.since = now = monotonic()
        watch.reading = False
        if now - waiting > TURN_S:
            turn = now  # it waited, so the others had theirs
        if event["type"] == "websocket.disconnect":
            raise _ClientLeftError
        data = event.get("bytes")
        session.behind = service.load.behind
        for reply in session.receive(decode(data if data is not None else event["text"])):
            await _send(send, reply)
            watch.opened = True
        while (rows := session.rows_to_step()) is not None:
            began = perf_counter()
            result = session.runtime.step(rows, session.hidden)
            replies = session.advance(result, (perf_counter() - began) * 1e6)
            for reply in replies:
                await _send(send, reply)
            if replies and type(replies[-1]) is Decision:
                service.metrics.decided(replies[-1], monotonic() - now)
                if session.frames >= frames_left:
                    watch.leave("stream_frames", 0)
            if monotonic() - turn > TURN_S:
                await asyncio.sleep(0)
                turn = monotonic()


async def _leave(session: StreamSession, send: Send, watch: StreamWatch) -> bool:
    """Tells the client once that the stream has to end; whether it can end now."""
    if not watch.told:
        watch.told = True
        assert watch.leaving is not None  # noqa: S101 - asked before
        await _send(send, session.going_away(watch.leaving, max(0.0, watch.leave_by - monotonic())))
    return session.between_frames


async def _send(send: Send, message: Control) -> None:
    await send({"type": "websocket.send", "text": encode(message)})


async def _refuse(send: Send, error: ServiceError) -> str:
    await _send(send, Error(error.code, str(error)))
    await send({"type": "websocket.close", "code": error.close_code, "reason": error.code})
    return error.code
