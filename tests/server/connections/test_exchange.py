import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import h11
import pytest

from server.connections.exchange import BODY_BUFFER_BYTES, Application, Event, Exchange
from server.errors import ServiceError

START: Event = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]}
BODY: Event = {"type": "http.response.body", "body": b"hello"}


class Connection:
    """Keeps what is sent."""

    own_headers: list[tuple[bytes, bytes]] = [(b"server", b"test")]  # noqa: RUF012 - never changed

    def __init__(self) -> None:
        self.sent: list[h11.Event] = []
        self.complete = self.aborted = False
        self.wants_body = 0

    def transmit(self, *events: h11.Event) -> None:
        self.sent += events

    async def taken(self) -> None:
        pass

    def want_body(self) -> None:
        self.wants_body += 1

    def answered(self) -> None:
        self.complete = True

    def abort(self) -> None:
        self.aborted = True

    @property
    def status(self) -> int | None:
        return next((event.status_code for event in self.sent if isinstance(event, h11.Response)), None)

    @property
    def body(self) -> bytes:
        return b"".join(bytes(event.data) for event in self.sent if isinstance(event, h11.Data))


def _exchange(method: str = "POST") -> tuple[Connection, Exchange]:
    connection = Connection()
    return connection, Exchange(connection, {"type": "http", "method": method, "path": "/v1/classify"})


def _run(application: Application, method: str = "POST") -> Connection:
    async def run() -> Connection:
        connection, exchange = _exchange(method)
        await exchange.run(application)
        return connection

    return asyncio.run(run())


Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]


async def _answers(_scope: Event, _receive: Receive, send: Send) -> None:
    await send(START)
    await send(BODY)


@pytest.mark.parametrize(("method", "body"), [("POST", b"hello"), ("HEAD", b"")])
def test_an_answer(method: str, body: bytes) -> None:
    connection = _run(_answers, method)
    assert (connection.status, connection.body, connection.complete) == (200, body, True)
    assert isinstance(connection.sent[-1], h11.EndOfMessage)
    assert connection.sent[0].headers[0] == (b"server", b"test")  # type: ignore[attr-defined]  # a response


@pytest.mark.parametrize(
    ("failure", "status", "code"),
    [(ServiceError("out_of_time", "late"), 503, b"out_of_time"), (RuntimeError("broken"), 500, b"internal"),
     (None, 500, b"internal")],
    ids=["refused", "broken", "no answer"],
)  # fmt: skip
def test_a_request_without_an_answer_gets_a_refusal(failure: Exception | None, status: int, code: bytes) -> None:
    async def application(_scope: Event, _receive: Receive, send: Send) -> None:
        await send(START)  # the head waits for the first part of the body
        if failure is not None:
            raise failure

    connection = _run(application)
    assert (connection.status, connection.complete, connection.aborted) == (status, True, False)
    assert code in connection.body


def test_an_answer_that_stops_in_the_middle_does_not_look_whole() -> None:
    async def application(_scope: Event, _receive: Receive, send: Send) -> None:
        await send(START)
        await send({**BODY, "body": b"he", "more_body": True})
        raise RuntimeError("broken")

    connection = _run(application)
    assert (connection.complete, connection.aborted) == (False, True)


def test_a_service_that_stops_says_so() -> None:
    async def run() -> Connection:
        connection, exchange = _exchange()
        task = asyncio.create_task(exchange.run(lambda *_: asyncio.Event().wait()))  # type: ignore[arg-type]
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return connection

    connection = asyncio.run(run())
    assert (connection.status, b"draining" in connection.body) == (503, True)


@pytest.mark.parametrize("messages", [[BODY], [START, START], [START, BODY, BODY]])
def test_messages_out_of_order_are_the_applications_fault(messages: list[Event]) -> None:
    async def run() -> None:
        _, exchange = _exchange()
        for message in messages:
            await exchange.send(message)

    with pytest.raises(RuntimeError, match="cannot go on with"):
        asyncio.run(run())


def test_a_body_comes_as_it_is_asked_for() -> None:
    async def run() -> list[dict[str, Any]]:
        connection, exchange = _exchange()
        exchange.feed(b"x" * BODY_BUFFER_BYTES)
        assert exchange.full
        found = [await exchange.receive()]
        assert not exchange.full
        waiting = asyncio.create_task(exchange.receive())
        await asyncio.sleep(0)
        assert connection.wants_body == 1
        exchange.feed(b"y")
        exchange.end_body()
        found += [await waiting]
        exchange.depart()
        return [dict(each) for each in [*found, await exchange.receive()]]

    assert asyncio.run(run()) == [
        {"type": "http.request", "body": b"x" * BODY_BUFFER_BYTES, "more_body": True},
        {"type": "http.request", "body": b"y", "more_body": False},
        {"type": "http.disconnect"},
    ]


def test_a_body_that_is_refused_is_raised_where_it_is_waited_for() -> None:
    async def run() -> None:
        _, exchange = _exchange()
        exchange.feed(b"a part")
        exchange.fail(ServiceError("request_timeout", "late"))
        await exchange.receive()

    with pytest.raises(ServiceError, match="late"):
        asyncio.run(run())


def test_a_client_that_left_is_sent_nothing() -> None:
    async def run() -> Connection:
        connection, exchange = _exchange()
        exchange.depart()
        await exchange.run(_answers)
        return connection

    connection = asyncio.run(run())
    assert (connection.sent, connection.aborted) == ([], False)
