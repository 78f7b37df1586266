"""The websocket endpoint: moves messages between the connection and its session, and decides nothing."""

import asyncio
import logging
import secrets
from collections.abc import Callable, Iterator
from time import monotonic, perf_counter
from typing import Final, Protocol

from starlette.types import Message as Event
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from sensor_sim.wire import (
    SUBPROTOCOL,
    Control,
    Decision,
    Error,
    Message,
    Rows,
    WireError,
    decode,
    encode,
    encode_control,
)
from server.errors import ServiceError
from server.http.problem import problem
from server.process.logs import STREAM
from server.stream.session import Phase, StreamSession
from server.stream.streams import Streams
from server.stream.watch import LeaveNowError, StreamWatch

log = logging.getLogger(__name__)

STREAM_PATH: Final = "/v1/stream"

TURN_S: Final = 0.002
"""How long one stream may hold the event loop before the others have their turn."""

STREAM_HEADER: Final = b"rascanet-stream"
"""Of the answer to an upgrade: the name of the stream in the log."""

WOKEN: Final = "rascanet.woken"
"""An event between `receive` and us alone: there is something to do, but no message came."""

GOING_AWAY: Final = 1001
"""Close code of a stream that is to go on elsewhere."""


class Connection(Protocol):
    """What a stream may do with its connection past ASGI; see `server.process.connections.BoundedWebSocket`."""

    at_once: Callable[[bytes], bool] | None
    transport: asyncio.Transport
    writable: asyncio.Event

    def write(self, *texts: bytes) -> None: ...

    def wake(self) -> None: ...


class StreamEndpoint:
    """The ASGI application behind `/v1/stream`; once open it speaks plain ASGI, without the wrappers' cost."""

    def __init__(self, streams: Streams) -> None:
        self._streams = streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one stream from upgrade to close."""
        streams = self._streams
        websocket = WebSocket(scope, receive, send)
        address = scope["client"][0] if scope.get("client") else ""
        try:
            if SUBPROTOCOL not in scope["subprotocols"]:
                raise ServiceError("wrong_subprotocol", f"offer the websocket subprotocol {SUBPROTOCOL!r}")
            streams.admission.admit(address)
        except ServiceError as refusal:
            streams.metrics.refused(refusal.code)
            await websocket.send_denial_response(problem(refusal))
            return
        began, reason, stream = monotonic(), "internal", secrets.token_hex(6)
        session = StreamSession(streams.networks, streams.settings.limits, streams.tokens)
        streams.sessions.add(session)
        STREAM.set(stream)
        try:
            await websocket.accept(SUBPROTOCOL, [(STREAM_HEADER, stream.encode())])
            reason = await _converse(session, scope, receive, send, streams)
        except _ClientLeftError as error:
            reason = str(error)
        except OSError:
            reason = "client_left"
        finally:
            _cut_off_later(scope, 0.0 if reason == "slow_reader" else streams.settings.send_s)
            streams.admission.release(address)
            streams.sessions.discard(session)
            streams.metrics.ended(reason, session)
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
    connection = _connection(scope)
    if connection is not None:
        asyncio.get_running_loop().call_later(seconds, connection.transport.abort)


def _connection(scope: Scope) -> Connection | None:
    """The connection itself, where the server is ours."""
    found: Connection | None = scope["extensions"].get("connection", {}).get("protocol")
    return found


async def _converse(session: StreamSession, scope: Scope, receive: Receive, send: Send, streams: Streams) -> str:
    """Serves the stream; why it ended."""
    try:
        with StreamWatch(streams.settings.limits) as watch:
            streams.watches.add(watch)
            if streams.admission.draining:  # it began between the admission and here
                watch.leave("drain", streams.settings.drain_s)
            try:
                await _Serving(session, streams, watch, _connection(scope)).serve(receive, send)
            finally:
                streams.watches.discard(watch)
        if session.phase is Phase.ENDED:
            return await _close(send, 1000, "", streams) or "end"
    except LeaveNowError:
        pass
    except WireError as error:
        return await _refuse(send, ServiceError(error.code, str(error)), streams)
    except ServiceError as error:
        return error.code if error.code == "slow_reader" else await _refuse(send, error, streams)
    except (_ClientLeftError, OSError):
        raise
    except Exception:
        log.exception("a stream failed", extra={"facts": {"frame": session.frame_id}})
        failure = ServiceError("internal", "the server failed on this stream; it is not the client's fault")
        return await _refuse(send, failure, streams)
    reason = watch.leaving or ""
    return await _close(send, GOING_AWAY, reason, streams) or reason


class _Serving:
    """Works a stream's messages off: at once where the connection lets us, else by a task.

    Rows are worked off where they come from the socket, in the callback of the event loop that read them: to wake a
    task for each would cost more than the network does. Whatever is out of the ordinary is left to the task: other
    messages, refusals, waiting for a reader, leaving, turns that grow long.
    """

    def __init__(
        self, session: StreamSession, streams: Streams, watch: StreamWatch, connection: Connection | None
    ) -> None:
        self._session, self._streams, self._watch, self._connection = session, streams, watch, connection
        self._turn = self._last = monotonic()  # when this turn began, and when a message was last worked off
        self._failure: Exception | None = None

    async def serve(self, receive: Receive, send: Send) -> None:
        session, watch = self._session, self._watch
        while session.phase is not Phase.ENDED:
            if watch.leaving and await _leave(session, send, watch):
                return
            waiting = watch.since = monotonic()
            watch.reading = True
            try:
                event = await self._receive(receive)
            except asyncio.CancelledError:
                if not watch.woken():
                    raise
                continue
            watch.since = now = monotonic()
            watch.reading = False
            if now - waiting > TURN_S:
                self._turn = now  # it waited, so the others had theirs
            if event["type"] == "websocket.disconnect":
                raise _ClientLeftError("no_pong" if event.get("no_pong") else "client_left")
            if event["type"] == WOKEN:
                await self._go_on()
            else:
                await self._work(event, now, send)
            if session.frames >= self._streams.settings.stream_frames:
                watch.leave("stream_frames", 0)

    async def _work(self, event: Event, came: float, send: Send) -> None:
        data = event.get("bytes")
        for replies in self._answers(decode(data if data is not None else event["text"]), came):
            for reply in replies:
                await _send(send, reply)
                self._watch.opened = True
            if monotonic() - self._turn > TURN_S:
                await asyncio.sleep(0)
                self._turn = monotonic()

    async def _receive(self, receive: Receive) -> Event:
        if self._connection is None:
            return await receive()
        self._connection.at_once = self._take
        try:
            return await receive()
        finally:
            self._connection.at_once = None

    async def _go_on(self) -> None:
        """What made `_take` wake the task: a failure, answers that are not taken, or the stream's last frame."""
        if self._failure is not None:
            raise self._failure
        assert self._connection is not None  # noqa: S101 - who else would have woken us
        await self._connection.writable.wait()

    def _take(self, data: bytes) -> bool:
        """Works rows off; False if that is for the task to do, to which nothing has happened yet."""
        watch, connection, now = self._watch, self._connection, monotonic()
        if now - self._last > TURN_S / 10:
            self._turn = now  # between the messages of one read there is no time
        if connection is None or watch.leaving or now - self._turn > TURN_S:
            return False
        texts: list[bytes] = []
        try:
            message = decode(data)
            if isinstance(message, Rows) and message.bursts > self._session.runtime.turn_bursts:
                return False
            for replies in self._answers(message, now):
                texts.extend(map(encode_control, replies))
        except (WireError, ServiceError):
            return False  # it is said by the task, which comes to the same
        except Exception as failure:
            self._failure = failure
        if texts:
            connection.write(*texts)
        last = self._session.frames >= self._streams.settings.stream_frames
        if self._failure or last or not connection.writable.is_set():
            connection.wake()
        watch.since = self._last = monotonic()
        return True

    def _answers(self, message: Message, came: float) -> Iterator[list[Control]]:
        """Advances the session by a message: what to answer at once, then after every step of the network.

        Raises:
            ServiceError: the message is not legal here; nothing has changed.
        """
        session, streams = self._session, self._streams
        yield session.receive(message, behind=streams.load.behind)
        while (rows := session.rows_to_step()) is not None:
            began = perf_counter()
            result = session.runtime.step(rows, session.hidden)
            replies = session.advance(result, (perf_counter() - began) * 1e6)
            yield replies
            if replies and type(replies[-1]) is Decision:
                streams.metrics.decided(replies[-1], monotonic() - came)


async def _leave(session: StreamSession, send: Send, watch: StreamWatch) -> bool:
    """Tells the client once that the stream has to end; whether it can end now."""
    if not watch.told:
        watch.told = True
        assert watch.leaving is not None  # noqa: S101 - asked before
        await _send(send, session.going_away(watch.leaving, max(0.0, watch.leave_by - monotonic())))
    return session.between_frames


async def _send(send: Send, message: Control) -> None:
    await send({"type": "websocket.send", "text": encode(message)})


async def _refuse(send: Send, error: ServiceError, streams: Streams) -> str:
    return await _close(send, error.close_code, error.code, streams, Error(error.code, str(error))) or error.code


async def _close(send: Send, code: int, reason: str, streams: Streams, last: Error | None = None) -> str:
    """Says the last words; `slow_reader` if they are not taken within `send_s`, else nothing."""
    try:
        async with asyncio.timeout(streams.settings.send_s):
            if last is not None:
                await _send(send, last)
            await send({"type": "websocket.close", "code": code, "reason": reason})
    except TimeoutError:
        return "slow_reader"
    return ""
