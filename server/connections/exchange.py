"""One request and its answer, between a connection and an ASGI application."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any, Final, Protocol

import h11

from server.errors import ServiceError, draining, fault_of_ours
from server.http.problem import problem

log = logging.getLogger(__name__)

BODY_BUFFER_BYTES: Final = 65_536
"""Bytes of a received body that wait for the application; past this the connection is not read."""

PHRASES: Final = {int(status): status.phrase.encode() for status in HTTPStatus}

Event = MutableMapping[str, Any]
Application = Callable[[Event, Callable[[], Awaitable[Event]], Callable[[Event], Awaitable[None]]], Awaitable[None]]


class Connection(Protocol):
    """The connection that a request comes from and its answer goes to."""

    @property
    def own_headers(self) -> list[tuple[bytes, bytes]]:
        """Headers of every answer on this connection."""

    def transmit(self, *events: h11.Event) -> None:
        """Sends parts of the answer, all at once."""

    async def taken(self) -> None:
        """Waits while the client takes too little of what was sent."""

    def want_body(self) -> None:
        """Reads on."""

    def answered(self) -> None:
        """Hears that the answer is complete."""

    def abort(self) -> None:
        """Drops the connection: an answer that stops in the middle must not look whole."""


class Exchange:
    """A request under way.

    Args:
        connection: the connection of the request.
        scope: ASGI scope of type `http`.

    Attributes:
        whole: true once all of the body came.
        started: true once a part of the answer was sent; the head waits for the first part of the body.
        complete: true once all of the answer was sent.
    """

    def __init__(self, connection: Connection, scope: Event) -> None:
        self._connection, self.scope = connection, scope
        self._body = bytearray()
        self._arrived = asyncio.Event()
        self._end_told = self._gone = self._bodiless = False
        self._failure: ServiceError | None = None
        self._head: h11.Response | None = None
        self.whole = self.started = self.complete = False

    @property
    def full(self) -> bool:
        """True while no more of the body should be read."""
        return len(self._body) >= BODY_BUFFER_BYTES

    def feed(self, data: bytes) -> None:
        """Takes a part of the body; drops a part that comes after the answer."""
        if not self.complete:
            self._body += data
            self._arrived.set()

    def end_body(self) -> None:
        """Notes that the body is whole."""
        self.whole = True
        self._arrived.set()

    def fail(self, error: ServiceError) -> None:
        """Makes the application's next `receive` raise the error, so that the application answers it."""
        self._failure = error
        self._arrived.set()

    def depart(self) -> None:
        """Notes that the client has left."""
        self._gone = True
        self._arrived.set()

    async def run(self, application: Application) -> None:
        """Calls the application; in every case the request is answered, or the connection dropped."""
        try:
            await application(self.scope, self.receive, self.send)
        except asyncio.CancelledError:
            self._give_up(draining())
            raise
        except ServiceError as refusal:
            self._give_up(refusal)
        except Exception as error:
            if not self.complete:  # otherwise the application has logged it with its answer
                log.error("a request failed", exc_info=error)
        self._give_up(fault_of_ours("request"))

    async def receive(self) -> Event:
        """Waits for the next part of the body; `http.disconnect` once no part can come.

        Raises:
            ServiceError: the body is broken, late or too large.
        """
        while True:
            if self._gone or self.complete:
                return {"type": "http.disconnect"}
            if self._failure is not None and not self.whole:
                raise self._failure
            if self._body or (self.whole and not self._end_told):
                data, self._body = bytes(self._body), bytearray()
                self._end_told = self.whole
                return {"type": "http.request", "body": data, "more_body": not self.whole}
            self._connection.want_body()
            self._arrived.clear()
            await self._arrived.wait()

    async def send(self, message: Event) -> None:
        """Sends a part of the answer, and waits until the client has taken enough of it.

        Raises:
            RuntimeError: a message that is out of order.
            h11.LocalProtocolError: headers or a body that do not make a legal answer.
        """
        await self._connection.taken()
        if self._gone:
            return
        kind = message["type"]
        if self.complete or kind != ("http.response.start" if self._head is None else "http.response.body"):
            raise RuntimeError(f"an answer cannot go on with {kind!r}")
        if self._head is None:
            self._start(message["status"], list(message.get("headers", [])))
        else:
            self._go_on(self._head, message.get("body", b""), more=message.get("more_body", False))
            await self._connection.taken()

    def _start(self, status: int, headers: list[tuple[bytes, bytes]]) -> h11.Response:
        self._bodiless = self.scope["method"] == "HEAD" or status in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)
        own = self._connection.own_headers
        self._head = h11.Response(status_code=status, headers=[*own, *headers], reason=PHRASES.get(status, b""))
        return self._head

    def _go_on(self, head: h11.Response, data: bytes, *, more: bool) -> None:
        events: list[h11.Event] = [] if self.started else [head]
        if data and not self._bodiless:
            events.append(h11.Data(data=data))
        if not more:
            events.append(h11.EndOfMessage())
        self.started = True
        self._connection.transmit(*events)
        if not more:
            self.complete = True
            self._body.clear()
            self._arrived.set()
            self._connection.answered()

    def _give_up(self, error: ServiceError) -> None:
        """Answers with a refusal if no answer began, else drops the connection: a cut answer must not look whole."""
        if self._gone or self.complete:
            return
        if self.started:
            self._connection.abort()
            return
        answer = problem(error, self.scope["path"])
        self._go_on(self._start(answer.status_code, answer.raw_headers), bytes(answer.body), more=False)
