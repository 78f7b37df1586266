"""The websocket endpoint: moves messages between the connection and its session, and decides nothing."""

import asyncio
import logging
import secrets
from time import monotonic, perf_counter
from typing import Final

from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from sensor_sim.wire import SUBPROTOCOL, Control, Decision, Error, WireError, decode, encode
from server.errors import ServiceError
from server.logs import STREAM
from server.problem import problem
from server.service import Service
from server.session import Phase, StreamSession
from server.watch import LeaveNowError, StreamWatch

log = logging.getLogger(__name__)

STREAM_PATH: Final = "/v1/stream"

TURN_S: Final = 0.002
"""How long one stream may hold the event loop before the others have their turn."""

STREAM_HEADER: Final = b"rascanet-stream"
"""Of the answer to an upgrade: the name of the stream in the log."""

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
        began, reason, stream = monotonic(), "internal", secrets.token_hex(6)
        session = StreamSession(service.models, service.settings.limits, service.tokens)
        service.sessions.add(session)
        STREAM.set(stream)
        try:
            await websocket.accept(SUBPROTOCOL, [(STREAM_HEADER, stream.encode())])
            reason = await _converse(session, receive, send, service)
        except _ClientLeftError as error:
            reason = str(error)
        except OSError:
            reason = "client_left"
        finally:
            _cut_off_later(scope, 0.0 if reason == "slow_reader" else service.settings.send_s)
            service.admission.release(address)
            service.sessions.discard(session)
            service.metrics.ended(reason, session)
            facts = {
                "reason": reason,
                "frame": session.frame_id,
                "frames": session.frames,
                "bursts": session.bursts,
                "seconds": round(monotonic() - began, 3),
            }
            log.info("stream ended", extra={"facts": facts})


class _ClientLeftError(Exception):
    """The connection is gone: `client_left`, or `no_pong`."""


def _cut_off_later(scope: Scope, seconds: float) -> None:
    """Bounds what is left to do for a connection: a close frame that nobody takes would keep it for ever."""
    abort = scope["extensions"].get("abort")
    if abort:
        asyncio.get_running_loop().call_later(seconds, abort["transport"].abort)


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
            return await _close(send, 1000, "", service) or "end"
    except LeaveNowError:
        pass
    except WireError as error:
        return await _refuse(send, ServiceError(error.code, str(error)), service)
    except ServiceError as error:
        return error.code if error.code == "slow_reader" else await _refuse(send, error, service)
    except (_ClientLeftError, OSError):
        raise
    except Exception:
        log.exception("a stream failed", extra={"facts": {"frame": session.frame_id}})
        failure = ServiceError("internal", "the server failed on this stream; it is not the client's fault")
        return await _refuse(send, failure, service)
    reason = watch.leaving or ""
    return await _close(send, GOING_AWAY, reason, service) or reason


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
            raise _ClientLeftError("no_pong" if event.get("no_pong") else "client_left")
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


async def _refuse(send: Send, error: ServiceError, service: Service) -> str:
    return await _close(send, error.close_code, error.code, service, Error(error.code, str(error))) or error.code


async def _close(send: Send, code: int, reason: str, service: Service, last: Error | None = None) -> str:
    """Says the last words; `slow_reader` if they are not taken within `send_s`, else nothing."""
    try:
        async with asyncio.timeout(service.settings.send_s):
            if last is not None:
                await _send(send, last)
            await send({"type": "websocket.close", "code": code, "reason": reason})
    except TimeoutError:
        return "slow_reader"
    return ""
