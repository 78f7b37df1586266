"""HTTP/1.1 on one connection, given to uvicorn as `http=`.

h11 does the protocol: it is pulled, so that a turn of the loop ends when its time is up, however many heads or chunks
came in one read; and its states are documented, so that nothing here has to reach into a parser. This class moves
bytes between the transport, h11 and the `Exchange` under way, and keeps the connection's `Life` up to date; every
deadline is a rule in `server.connections.states`.
"""

import asyncio
import logging
import re
from time import perf_counter
from typing import Any, Final

import h11
import uvicorn
from uvicorn.server import ServerState

from server.connections.exchange import BODY_BUFFER_BYTES, PHRASES, Event, Exchange
from server.connections.places import Place
from server.connections.registry import Registry
from server.connections.request_head import (
    HEAD_BYTES,
    HEAD_LINES,
    ambiguous_body,
    asks_for_websocket,
    controlled,
    scope_of,
    too_large,
    trailers_too_large,
    written,
)
from server.connections.states import End, Life, State
from server.errors import ServiceError
from server.http.problem import problem
from server.http.security import HEADERS

log = logging.getLogger(__name__)

SLICE_BYTES: Final = 2_048
"""Bytes of a head given to h11 at a time; a head may exceed the bounds by this before it is refused."""
TURN_S: Final = 0.001
"""Longest turn of one connection on the event loop, before the others have theirs."""

PARTS: Final = 1_000
PART_BYTES: Final = 64
"""A body in more parts has so many bytes a part: a chunk of one byte costs a hundred times what it weighs."""

HEALTH: Final = re.compile(r"/healthz(/|$)|/v2/health/")


class HttpConnection(asyncio.Protocol):
    """Reads requests one after the other; gives the connection to the stream's protocol at a websocket upgrade.

    Args:
        config, server_state, app_state: uvicorn's arguments; `app_state` has `connections` (`Registry`).

    Attributes:
        life: state of the connection, and its deadlines.
    """

    transport: asyncio.Transport
    life: Life

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        if not config.loaded:
            config.load()
        self._config, self._server, self._app_state = config, server_state, app_state
        self._connections: Registry = app_state["connections"]
        self._loop = _loop or asyncio.get_event_loop()
        self._inbox = bytearray()  # what came and h11 was not given yet
        self._exchange: Exchange | None = None
        self._task: asyncio.Task[None] | None = None
        self._stream: Any = None  # the protocol that took over
        self._writable = asyncio.Event()
        self._writable.set()
        self._turn_due = self._paused = self._deaf = self._last = self._heard_all = False
        self._place = Place.NONE_LEFT
        self._sent_bytes = self._unread_bytes = 0
        self._new_request()

    # What the transport calls

    def admit(self, address: str) -> bool:
        """Takes a place for a connection that is accepted and not made yet; returns false if there is none."""
        self._place = self._connections.enter(self, address)
        self._last = self._place is Place.RESERVED
        self.life = Life(self._connections.settings, State.TLS_HANDSHAKE, self._connections.clock())
        return self._place in (Place.ORDINARY, Place.RESERVED)

    def securing(self, task: asyncio.Task[None]) -> None:
        """Takes the task that makes the connection; to end the handshake is to cancel it."""
        self._task = task

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # it is one that reads
        self.transport, self._task = transport, None
        peer, own = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
        self._client = (str(peer[0]), int(peer[1])) if isinstance(peer, tuple) else ("", 0)
        self._address = (str(own[0]), int(own[1])) if isinstance(own, tuple) else None
        if self._place is Place.NONE_LEFT and not self.admit(self._client[0]):
            transport.abort()
            return
        self._secure = transport.get_extra_info("sslcontext") is not None
        self._server.connections.add(self)  # type: ignore[arg-type]  # uvicorn lists its own classes alone
        self._enter(State.BEFORE_HEAD)

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            return
        self._inbox += data
        if not self._turn_due:
            self._turn()

    def eof_received(self) -> bool:
        """Notes that the client has nothing more to say; whether something that came whole is still to be answered.

        Over TLS a client can't close one half of a connection alone.
        """
        self._heard_all = True
        if self._secure or self._stream is not None:
            return False
        return self._turn_due or bool(self._inbox) or self._owes_an_answer

    @property
    def _owes_an_answer(self) -> bool:
        """True if a whole request is being answered, or one that is refused because a part of it is missing."""
        return self._exchange is not None and (self._exchange.whole or self._deaf)

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()
        self._turn_later()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._connections.remove(self):
            return
        self._server.connections.discard(self)
        self._writable.set()
        if self._exchange is not None:
            self._exchange.depart()

    # What the server and the registry call

    def shutdown(self) -> None:
        """Ends the connection once its answer is sent."""
        self._last = True
        if self._exchange is None:
            self.transport.close()

    def look(self, now: float) -> None:
        """Ends the state if its time is up."""
        if self.life.state is State.TLS_HANDSHAKE:
            pass
        elif self.transport.is_closing():
            if self.life.state is not State.CLOSING:
                self._enter(State.CLOSING)
            self.life.moved(self._taken())
        elif self._stream is not None:
            if self.life.state is State.UPGRADING and self._stream.handshake_complete:
                self._enter(State.STREAMING)
        else:
            self._look_at_bytes(now)
        end = self.life.end(now)
        if end is not None:
            self._end(end)

    def _look_at_bytes(self, now: float) -> None:
        taken_bytes, state = self._taken(), self.life.state
        if state is State.UNREAD:
            self.life.moved(taken_bytes)
            if not self._unread_bytes:
                self._enter(State.IDLE if self._exchange is None else State.ANSWERING)
        elif self._unread_bytes and state in (State.ANSWERING, State.IDLE):
            self._enter(State.UNREAD)
        elif state is State.IN_BODY and self._waits_for_us:
            self.life.hold(now)

    def _taken(self) -> int:
        """Number of bytes that the client took since the last look; TLS may add to the waiting bytes."""
        before, self._unread_bytes = self._unread_bytes, self.transport.get_write_buffer_size()
        sent, self._sent_bytes = self._sent_bytes, 0
        return max(0, before + sent - self._unread_bytes)

    @property
    def _waits_for_us(self) -> bool:
        """True if the application, not the client, holds a body up."""
        full = self._exchange is not None and self._exchange.full
        return full or self._paused or bool(self._http.they_are_waiting_for_100_continue)

    def _end(self, end: End) -> None:
        self._connections.cut(self, self.life.state)
        if end is End.REFUSE:
            self._time_out()
        elif end is End.CLOSE:
            self._close()
        else:
            if self.life.state is State.ANSWERING:
                log.error("a request is given up: nothing was answered in time", extra={"facts": self._facts()})
            self.abort()

    def _time_out(self) -> None:
        state, settings = self.life.state, self._connections.settings
        if state is State.IN_HEAD or self._exchange is None:
            self._tell(ServiceError("request_timeout", f"the head did not arrive within {settings.handshake_s:g} s"))
            return
        self._exchange.fail(
            ServiceError(
                "request_timeout",
                f"the body did not arrive within {settings.request_s:g} s, at {settings.min_bytes_per_s} bytes a second"
                f" or more over every {settings.send_s:g} s",
            )
        )
        self._enter(State.ANSWERING)

    def _facts(self) -> dict[str, Any]:
        exchange = self._exchange
        return {} if exchange is None else {"method": exchange.scope["method"], "path": exchange.scope["path"][:200]}

    # What an exchange calls

    @property
    def own_headers(self) -> list[tuple[bytes, bytes]]:
        """The headers date and server; in the last answer of a connection also `Connection: close`."""
        return [*self._server.default_headers, *([(b"connection", b"close")] if self._last else [])]

    def transmit(self, *events: h11.Event) -> None:
        """Sends parts of an answer, all at once."""
        data = b"".join(self._http.send(event) or b"" for event in events)
        if data and not self.transport.is_closing():
            self._sent_bytes += len(data)
            self.transport.write(data)
        if self.life.state is State.ANSWERING:
            self._enter(State.ANSWERING)

    async def taken(self) -> None:
        """Waits until the client has taken enough of the answer, or has left."""
        await self._writable.wait()

    def want_body(self) -> None:
        """Reads on, and lets the client begin if it waits for that (`Expect: 100-continue`)."""
        if self._http.they_are_waiting_for_100_continue and not self.transport.is_closing():
            self.transmit(h11.InformationalResponse(status_code=100, headers=[]))
        self._turn_later()

    def answered(self) -> None:
        """Goes on to the next request, or ends the connection."""
        self._exchange = self._task = None
        if self._last or self._http.our_state is h11.MUST_CLOSE:
            if self._http.their_state in (h11.SEND_BODY, h11.ERROR):
                self._linger()
            else:
                self.transport.close()
        elif self._http.their_state is h11.SEND_BODY:
            # The rest of the body is dropped.
            self._enter(State.REFUSED)
            self._turn_later()
        else:
            self._next_request()

    def abort(self) -> None:
        """Drops the connection with all bytes not taken yet, and gives up the work for it."""
        if self._task is not None:
            self._task.cancel()
        if self._exchange is not None:
            self._exchange.depart()
        if self.life.state is not State.TLS_HANDSHAKE:
            self.transport.abort()

    # Reading

    def _new_request(self) -> None:
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_BYTES)
        self._head_bytes = self._head_lines = self._parts = self._body_bytes = 0
        self._asks_for_head = False  # HEAD: no answer has a body

    def _next_request(self) -> None:
        """Begins anew with the bytes after the last request; each request has a parser of its own, so nothing leaks."""
        self._inbox[:0] = self._http.trailing_data[0]
        self._new_request()
        self._enter(State.IDLE)
        self._turn_later()

    def _turn_later(self) -> None:
        if not self._turn_due and self._stream is None:
            self._turn_due = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        """Processes received bytes for one turn; the rest waits for the next turn."""
        self._turn_due = False
        if self._stream is not None:
            return
        until = perf_counter() + TURN_S
        while not self.transport.is_closing() and self._step():
            if perf_counter() > until:
                self._turn_later()
                break
        if self._stream is None and not self.transport.is_closing():
            if self._heard_all and not self._turn_due and not self._owes_an_answer:
                self.transport.close()  # what is missing of a request will never come
            else:
                self._pace_reading()

    def _pace_reading(self) -> None:
        """Pauses reading while enough bytes wait to be processed."""
        enough = self._turn_due or len(self._inbox) >= BODY_BUFFER_BYTES
        if enough and not self._paused:
            self.transport.pause_reading()
        elif self._paused and not enough:
            self.transport.resume_reading()
        self._paused = enough

    def _step(self) -> bool:
        """Takes one event of the parser; returns true if there may be another."""
        exchange = self._exchange
        if self._deaf or (exchange is not None and (exchange.whole or exchange.full)):
            return False
        try:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                return self._feed()
        except h11.RemoteProtocolError as error:
            self._refuse_head("head_too_large" if error.error_status_hint == 431 else "bad_request", str(error)[:100])
            return False
        if isinstance(event, h11.Request):
            return self._begin(event)
        if isinstance(event, h11.Data):
            self._parts += 1
            self._body_bytes += len(event.data)
            self.life.moved(len(event.data))
            if self._parts > PARTS and self._body_bytes < PART_BYTES * self._parts:
                self._refuse_head("bad_request", f"a body of {PARTS} parts with fewer than {PART_BYTES} bytes each")
                return False
            if exchange is not None:
                exchange.feed(bytes(event.data))
        elif isinstance(event, h11.EndOfMessage):  # its headers are trailers: nothing that a request may be judged by
            if trailers_too_large(event):
                self._refuse_head("head_too_large", "too much behind its body")
            elif exchange is None:
                self._next_request()
            else:
                exchange.end_body()
                self._enter(State.ANSWERING)
            return False
        else:  # PAUSED, ConnectionClosed: there is nothing more to read
            return False
        return True

    def _feed(self) -> bool:
        """Gives the parser more bytes; returns false if there are none."""
        in_head = self._http.their_state is h11.IDLE
        if in_head and not self._head_bytes:
            self._inbox = self._inbox.lstrip(b"\r\n")  # RFC 9112, 2.2: an empty line before a request is nothing
        if not self._inbox:
            return False
        data = bytes(self._inbox[: SLICE_BYTES if in_head else BODY_BUFFER_BYTES])
        if in_head:
            if not self._head_bytes:
                self._enter(State.IN_HEAD)
            elif self._head_bytes > HEAD_BYTES or self._head_lines > HEAD_LINES:
                self._refuse_head("head_too_large", "too much of it")
                return False
            self._head_bytes += len(data)
            self._head_lines += data.count(b"\n")
        del self._inbox[: len(data)]
        self._http.receive_data(data)
        return True

    # Requests

    def _begin(self, request: h11.Request) -> bool:
        """Starts a request's exchange; returns true if the parser may go on."""
        self._enter(State.IN_BODY)
        self._asks_for_head = request.method == b"HEAD"
        scope = scope_of(request)
        if too_large(request):
            self._refuse_head("head_too_large", "too much of it")
        elif ambiguous_body(request):
            self._refuse_head("bad_request", "both Content-Length and Transfer-Encoding")
        elif controlled(request):
            self._refuse_head("bad_request", "a header has a control character")
        elif scope is None:
            self._refuse_head("bad_request", "the request target is neither a path nor a URL of http or https")
        elif self._place is Place.RESERVED and not HEALTH.match(scope["path"]):
            most = self._connections.settings.max_connections
            self._refuse(ServiceError("too_many_connections", f"all {most} connections are taken; try again later"))
        elif asks_for_websocket(request):
            self._hand_over(request)
        else:
            self._exchange = Exchange(self, self._with_surroundings(scope))
            self._task = self._loop.create_task(self._exchange.run(self._config.loaded_app))
            self._task.add_done_callback(self._server.tasks.discard)
            self._server.tasks.add(self._task)
            return True
        return False

    def _with_surroundings(self, scope: dict[str, Any]) -> Event:
        """The scope with the facts that the connection knows and the head doesn't."""
        return {
            **scope,
            "type": "http",
            "asgi": {"version": self._config.asgi_version, "spec_version": "2.3"},
            "scheme": "https" if self._secure else "http",
            "server": self._address,
            "client": self._client,
            "root_path": self._config.root_path,
            "path": self._config.root_path + scope["path"],
            "state": self._app_state.copy(),
        }

    def _hand_over(self, request: h11.Request) -> None:
        """Gives the connection to the websocket's protocol, which reads the head again."""
        rest = self._http.trailing_data[0] + bytes(self._inbox)
        self._inbox.clear()
        self._server.connections.discard(self)
        self._enter(State.UPGRADING)
        if self._paused:
            self._paused = False
            self.transport.resume_reading()
        make: Any = self._config.ws_protocol_class
        self._stream = make(config=self._config, server_state=self._server, app_state=self._app_state)
        self._stream.connection_made(self.transport)
        self.transport.set_protocol(_HandedOver(self._stream, self))
        self._stream.data_received(written(request))
        if rest and not self.transport.is_closing():
            self._stream.data_received(rest)

    # Ending

    def _refuse_head(self, code: str, why: str) -> None:
        if code == "head_too_large":
            text = f"a request's head has at most {HEAD_BYTES} bytes and {HEAD_LINES} lines: {why}"
        else:
            text = f"this is not HTTP in the form that this service takes: {why}"
        self._refuse(ServiceError(code, text))

    def _refuse(self, error: ServiceError) -> None:
        """Refuses a request that no application sees, or whose body is broken."""
        self._connections.cut(self, error.code)
        self._tell(error)

    def _tell(self, error: ServiceError) -> None:
        """Answers with a refusal, unless the application answers; ends the connection."""
        self._last = True
        if self._exchange is not None:
            self._exchange.fail(error)  # the application answers it, or has begun to
            self._deaf = True
            self._enter(State.ANSWERING)
            return
        if self._http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            answer = problem(error)
            for name, value in HEADERS.items():
                answer.headers.setdefault(name, value)
            head = h11.Response(
                status_code=answer.status_code,
                headers=[*self.own_headers, *answer.raw_headers],
                reason=PHRASES[answer.status_code],
            )
            body = [] if self._asks_for_head else [h11.Data(data=bytes(answer.body))]
            self.transmit(head, *body, h11.EndOfMessage())
        self._linger()

    def _linger(self) -> None:
        """Reads and drops further bytes, so that the answer arrives before the connection is reset."""
        self._deaf = True
        self._inbox.clear()
        self._pace_reading()
        self._enter(State.REFUSED)
        if self.transport.can_write_eof():
            self.transport.write_eof()

    def _close(self) -> None:
        self.transport.close()
        self._enter(State.CLOSING)

    def _enter(self, state: State) -> None:
        self.life.enter(state, self._connections.clock())


class _HandedOver(asyncio.Protocol):
    """Passes a transport's calls to the stream's protocol; the registry keeps the connection until it is lost."""

    def __init__(self, stream: Any, connection: HttpConnection) -> None:
        self.data_received = stream.data_received  # type: ignore[method-assign]  # at no cost a message
        self.eof_received = stream.eof_received  # type: ignore[method-assign]  # likewise
        self.pause_writing = stream.pause_writing  # type: ignore[method-assign]  # likewise
        self.resume_writing = stream.resume_writing  # type: ignore[method-assign]  # likewise
        self._stream, self._connection = stream, connection

    def connection_lost(self, exc: Exception | None) -> None:
        self._connection.connection_lost(exc)
        self._stream.connection_lost(exc)
