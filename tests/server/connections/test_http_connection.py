"""What clients do to a connection, with seconds by hand; tests/faults/test_hostile_http.py has the sockets."""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.connections.places import RESERVE
from server.connections.request_head import HEAD_BYTES, HEAD_LINES
from server.connections.states import LINGER_S, RULES, End, State
from server.errors import ServiceError
from server.settings import Settings
from tests.server.connections.connected import (
    Application,
    Client,
    FakeStream,
    FakeTransport,
    Receive,
    Send,
    hello,
    settle,
)

GET = b"GET /a HTTP/1.1\r\nHost: here\r\n\r\n"
UPGRADE = (
    b"GET /v1/stream HTTP/1.1\r\nHost: here\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
)
CHUNKED = b"POST /a HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n"
POST = b"POST /a HTTP/1.1\r\nHost: here\r\nContent-Length: %d\r\n\r\n"
LIMITS = Settings(handshake_s=3, request_s=20, keep_alive_s=40, send_s=5, min_bytes_per_s=100, stream_s=500)


def under_way(
    application: Application, steps: Callable[[Client], Awaitable[None]], settings: Settings = LIMITS, **options: bool
) -> Client:
    """Runs steps on a connection to the application."""

    async def run() -> Client:
        client = Client(application, settings, **options)
        await steps(client)
        await settle()
        client.connection.connection_lost(None)
        await settle()
        for task in client.server.tasks:
            task.cancel()
        await asyncio.gather(*client.server.tasks, return_exceptions=True)
        assert len(client.registry) == 0
        assert not client.server.connections
        return client

    return asyncio.run(run())


async def forever(_scope: dict[str, Any], _receive: Receive, _send: Send) -> None:
    """Never answers."""
    await asyncio.Event().wait()


def hello_after(event: asyncio.Event) -> Application:
    """An application that waits before it says hello."""

    async def app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await event.wait()
        await hello(scope, receive, send)

    return app


async def never_reads(_scope: dict[str, Any], _receive: Receive, send: Send) -> None:
    """Refuses at once, as a body that is announced too long is."""
    await send({"type": "http.response.start", "status": 413, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body"})


async def answers_later(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Answers after others had their turns, as a file that a thread reads."""
    for _ in range(5):
        await asyncio.sleep(0)
    await hello(scope, receive, send)


@pytest.mark.parametrize("count", [1, 3])
def test_a_client_that_has_nothing_more_to_say_gets_its_answers(count: int) -> None:
    async def steps(client: Client) -> None:
        client.connection.data_received(GET * count)
        assert client.connection.eof_received(), "the other half stays open"
        await settle()

    client = under_way(answers_later, steps)
    assert client.answers == [200] * count
    assert client.transport.closed


@pytest.mark.parametrize("sent", [b"", b"GET / HT", POST % 10 + b"12345", GET + b"GET / HT"])
def test_what_will_never_be_whole_is_not_waited_for(sent: bytes) -> None:
    async def steps(client: Client) -> None:
        if sent:
            await client.send(sent)
        if not client.connection.eof_received():
            client.transport.close()
        await settle()

    assert under_way(answers_later, steps).transport.closed


def test_over_tls_the_end_is_the_end() -> None:
    async def steps(client: Client) -> None:
        client.connection.data_received(GET)
        assert not client.connection.eof_received()

    under_way(answers_later, steps, secure=True)


# Every state, and how a client gets a connection there and leaves it so


async def _tls_handshake(client: Client) -> None:
    assert client.connection.admit("192.0.2.1")
    client.connection.securing(asyncio.create_task(asyncio.Event().wait()))  # type: ignore[arg-type]  # any task


async def _before_head(client: Client) -> None:
    pass


async def _in_head(client: Client) -> None:
    await client.send(b"GET / HT")


async def _in_body(client: Client) -> None:
    await client.send(POST % 10 + b"12345")


async def _answering(client: Client) -> None:
    await client.send(GET)


async def _unread(client: Client) -> None:
    await client.send(GET)
    client.transport.unread = 50_000
    client.wait(0)


async def _idle(client: Client) -> None:
    await client.send(GET)


async def _idle_after_another_byte(client: Client) -> None:
    await client.send(GET)
    await client.send(b"\r\n")


async def _refused(client: Client) -> None:
    await client.send(POST % 10**6)


async def _upgrading(client: Client) -> None:
    await client.send(UPGRADE + b"\r\n")


async def _streaming(client: Client) -> None:
    await client.send(UPGRADE + b"\r\n")
    FakeStream.made[0].handshake_complete = True
    client.wait(0)


async def _closing(client: Client) -> None:
    await client.send(b"GET /a HTTP/1.0\r\n\r\n")
    client.wait(0)


WAYS: list[tuple[State, Application, Callable[[Client], Awaitable[None]]]] = [
    (State.TLS_HANDSHAKE, hello, _tls_handshake),
    (State.BEFORE_HEAD, hello, _before_head),
    (State.IN_HEAD, hello, _in_head),
    (State.IN_BODY, hello, _in_body),
    (State.ANSWERING, forever, _answering),
    (State.UNREAD, hello, _unread),
    (State.IDLE, hello, _idle),
    (State.IDLE, hello, _idle_after_another_byte),
    (State.REFUSED, never_reads, _refused),
    (State.UPGRADING, hello, _upgrading),
    (State.STREAMING, hello, _streaming),
    (State.CLOSING, hello, _closing),
]


def test_there_is_a_way_into_every_state() -> None:
    assert {state for state, _, _ in WAYS} == set(State)


@pytest.mark.parametrize(("state", "application", "way"), WAYS, ids=[way.__name__ for _, _, way in WAYS])
def test_a_client_that_does_nothing_more_loses_its_connection(
    state: State, application: Application, way: Callable[[Client], Awaitable[None]]
) -> None:
    rule = RULES[state]
    seconds = min(rule.most_s(LIMITS), LIMITS.send_s if rule.paced else float("inf"))

    async def steps(client: Client) -> None:
        await way(client)
        assert client.connection.life.state is state
        client.wait(seconds - 0.01)
        assert client.connection.life.state is state
        client.wait(0.01)
        await settle()
        if state is State.TLS_HANDSHAKE:
            assert client.connection._task is not None
            assert client.connection._task.cancelled()
            return
        assert client.transport.aborted == (rule.end is End.ABORT)
        assert client.transport.closed == (rule.end is End.CLOSE or state is State.CLOSING)
        for _ in range(3):  # whatever it does next, and however it is told, it is gone soon
            client.wait(LIMITS.send_s + LINGER_S)
        assert client.transport.is_closing()

    under_way(application, steps, admitted=state is not State.TLS_HANDSHAKE)


# Requests


@given(st.lists(st.sampled_from([GET, POST % 3 + b"abc", POST % 0, b"\r\n" + GET]), min_size=1, max_size=6), st.data())
def test_requests_are_answered_once_each_in_order_however_they_are_cut(
    requests: list[bytes], data: st.DataObject
) -> None:
    whole = b"".join(requests)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=5)))

    async def steps(client: Client) -> None:
        for start, end in pairwise([0, *cuts, len(whole)]):
            await client.send(whole[start:end])
        await settle()

    client = under_way(hello, steps)
    assert client.answers == [200] * len(requests)
    expected = [
        b"POST /a 3" if b"abc" in each else b"POST /a 0" if b"POST" in each else b"GET /a 0" for each in requests
    ]
    assert [part.rpartition(b"\r\n\r\n")[2] for part in client.transport.written.split(b"HTTP/1.1 ")[1:]] == expected


@pytest.mark.parametrize(
    "upgrade",
    [
        b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AA\r\n",
        b"Upgrade: websocket\r\nConnection: Upgrade\r\n",  # no websocket has a body or is a POST
        b"Upgrade: TLS/1.2\r\nConnection: upgrade\r\n",
    ],
)
@pytest.mark.parametrize("cut", [False, True])
def test_an_upgrade_that_is_not_taken_is_ignored_and_the_body_read(upgrade: bytes, cut: bool) -> None:
    body = GET + b"x" * 20  # as a request of its own it would be answered twice
    head = b"POST /a HTTP/1.1\r\nHost: here\r\n" + upgrade + b"Content-Length: %d\r\n\r\n" % len(body)

    async def steps(client: Client) -> None:
        for piece in (head, body) if cut else (head + body,):
            await client.send(piece)
        await client.send(GET)

    client = under_way(hello, steps)
    assert client.answers == [200, 200]
    assert b"POST /a %d" % len(body) in client.transport.written
    assert not FakeStream.made


@pytest.mark.parametrize(
    ("head", "code"),
    [
        (UPGRADE + b"Content-Length: 3\r\n\r\nabc", 200),
        (UPGRADE.replace(b"1.1", b"1.0") + b"\r\n", 200),
        (UPGRADE + b"X: " + b"x" * HEAD_BYTES + b"\r\n\r\n", 431),
        (UPGRADE + b"".join(b"X: %d\r\n" % number for number in range(HEAD_LINES)) + b"\r\n", 431),
    ],
    ids=["body", "HTTP/1.0", "long", "lines"],
)
def test_every_upgrade_is_answered(head: bytes, code: int) -> None:
    async def steps(client: Client) -> None:
        await client.send(head)

    assert under_way(hello, steps).answers == [code]
    assert not FakeStream.made


def test_cookies_of_others_keep_nobody_from_streaming() -> None:
    """They know no ports: any service of the same host may have set them."""

    async def steps(client: Client) -> None:
        await client.send(UPGRADE + b"Cookie: a=" + b"x" * 9000 + b"\r\nOrigin: http://here\r\n\r\nfirst frame")
        (stream,) = FakeStream.made
        assert stream.received.startswith(b"GET /v1/stream HTTP/1.1\r\n")
        assert stream.received.endswith(b"origin: http://here\r\n\r\nfirst frame")

    under_way(hello, steps)


def test_an_upgrade_waits_for_the_answer_before_it() -> None:
    answered = asyncio.Event()

    async def steps(client: Client) -> None:
        await client.send(GET + UPGRADE + b"\r\n")
        assert not FakeStream.made
        answered.set()
        await settle()
        assert client.answers == [200]
        assert len(FakeStream.made) == 1
        assert not client.server.tasks

    under_way(hello_after(answered), steps)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"CONNECT here:1 HTTP/1.1\r\nHost: here\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n", 400),
        (
            CHUNKED[:-2] + b"Content-Length: 1\r\n\r\n1\r\na\r\n0\r\n\r\n",
            400,
        ),
        (b"GET / HTTP/1.1\r\nHost: here\r\nX: a\x7fb\r\n\r\n", 400),
        (UPGRADE.replace(b"Host: here", b"Host: here\r\nX: a\x01b") + b"\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: here\r\nX: " + b"x" * 70_000, 431),
        (b"GET / HTTP/1.1\r\nHost: here\r\n" + b"a:b\r\n" * 4000, 431),
    ],
)
def test_a_head_that_cannot_be_is_refused_and_counted(data: bytes, code: int) -> None:
    async def steps(client: Client) -> None:
        for start in range(0, len(data), 10_000):
            await client.send(data[start : start + 10_000])
        assert client.connection.life.state is State.REFUSED

    client = under_way(hello, steps)
    assert client.answers == [code]
    assert b"connection: close" in client.transport.written
    assert b"x-content-type-options: nosniff" in client.transport.written.lower()
    assert client.transport.half_closed
    reason = "head_too_large" if code == 431 else "bad_request"
    assert f'rascanet_connections_cut_total{{reason="{reason}"}} 1.0' in client.metrics.text().decode()


@pytest.mark.parametrize(
    "lines",
    [
        b"HEAD here:1 HTTP/1.1\r\nHost: here\r\n\r\n",
        b"HEAD / HTTP/1.1\r\nHost: here\r\nX: a\x01b\r\n\r\n",
        b"HEAD / HTTP/1.1\r\nHost: here\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
)
def test_a_refusal_of_head_has_no_body(lines: bytes) -> None:
    async def steps(client: Client) -> None:
        await client.send(lines)
        assert client.connection.life.state is State.REFUSED

    client = under_way(hello, steps)
    assert client.transport.written.startswith(b"HTTP/1.1 400 ")
    assert client.transport.written.endswith(b"\r\n\r\n")


def test_a_fault_with_one_connection_is_not_the_others(caplog: pytest.LogCaptureFixture) -> None:
    async def steps(client: Client) -> None:
        broken = client.another()
        assert broken.admit("192.0.2.2")
        broken.look = lambda now: now / 0  # type: ignore[assignment, method-assign]
        client.now += LIMITS.handshake_s
        client.registry.sweep()
        assert client.transport.closed
        broken.connection_lost(None)

    with caplog.at_level(logging.ERROR):
        under_way(hello, steps)
    assert "a connection failed" in caplog.text


def test_a_head_that_comes_too_late_is_told_so_and_counted_once() -> None:
    async def steps(client: Client) -> None:
        await client.send(b"GET / HT")
        client.wait(LIMITS.handshake_s)

    client = under_way(hello, steps)
    assert client.answers == [408]
    counts = re.findall(r'rascanet_connections_cut_total\{reason="(\w+)"\} (\S+)', client.metrics.text().decode())
    assert counts == [("in_head", "1.0")]


def test_trailers_are_dropped() -> None:
    seen: list[Any] = []

    async def notes(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await hello(scope, receive, send)
        seen.extend(name for name, _ in scope["headers"])

    async def steps(client: Client) -> None:
        await client.send(CHUNKED + b"1\r\nx\r\n0\r\nAuthorization: Bearer t\r\n\r\n")

    assert under_way(notes, steps).answers == [200]
    assert b"authorization" not in seen


def test_a_body_in_very_many_very_small_chunks_is_refused() -> None:
    async def steps(client: Client) -> None:
        await client.send(CHUNKED)
        for _ in range(10):
            await client.send(b"1\r\nx\r\n" * 500)
        await settle()

    assert under_way(hello, steps).answers == [400]


def test_a_body_in_many_chunks_of_a_usual_size_is_taken() -> None:
    async def steps(client: Client) -> None:
        await client.send(CHUNKED)
        for _ in range(20):
            await client.send((b"64\r\n" + b"x" * 100 + b"\r\n") * 100)
        await client.send(b"0\r\n\r\n")
        await settle()

    client = under_way(hello, steps)
    assert client.answers == [200]
    assert b"POST /a 200000" in client.transport.written


def test_trailers_are_bounded() -> None:
    async def steps(client: Client) -> None:
        await client.send(CHUNKED + b"1\r\nx\r\n0\r\nA: ")
        for _ in range(40):
            await client.send(b"a" * 10_000)
        assert len(client.connection._inbox) < 10_000

    assert under_way(hello, steps).answers == [431]

    async def at_once(client: Client) -> None:
        await client.send(CHUNKED + b"1\r\nx\r\n0\r\nA: " + b"a" * 100_000 + b"\r\n\r\n")

    assert under_way(hello, at_once).answers == [431]


def test_a_long_body_and_a_head_that_is_cut_are_both_served() -> None:
    async def steps(client: Client) -> None:
        await client.send(POST % 100_000 + b"x" * 100_000 + GET[:10])
        await client.send(GET[10:])

    assert under_way(hello, steps).answers == [200, 200]


def test_reading_stops_while_the_application_takes_no_more() -> None:
    async def steps(client: Client) -> None:
        await client.send(POST % 10**6 + b"x" * 50_000)
        for _ in range(8):
            if client.transport.reading:
                await client.send(b"x" * 50_000)
        assert not client.transport.reading
        client.wait(LIMITS.send_s)  # and that is not the client's fault
        assert client.connection.life.state is State.IN_BODY

    under_way(forever, steps)


def test_many_requests_of_one_read_are_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """A turn ends with every answer, or when its time is up: here at once."""
    monkeypatch.setattr("server.connections.http_connection.TURN_S", -1.0)
    turns: list[int] = []

    async def steps(client: Client) -> None:
        client.connection.data_received(CHUNKED + b"1\r\nx\r\n" * 500)
        assert not client.transport.reading
        for _ in range(3):
            before = len(client.connection._inbox) + len(client.connection._http.trailing_data[0])
            await asyncio.sleep(0)
            after = len(client.connection._inbox) + len(client.connection._http.trailing_data[0])
            turns.append(before - after)

    under_way(forever, steps)
    assert all(size < 100 for size in turns)


def test_a_body_that_comes_byte_by_byte_is_given_up_after_one_window() -> None:
    async def raises(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        try:
            while True:
                await receive()
        except ServiceError as error:
            seen.append(error.code)
        await never_reads(scope, receive, send)

    seen: list[str] = []

    async def steps(client: Client) -> None:
        await client.send(POST % 10**6)
        for _ in range(9):
            await client.send(b"x")
            client.wait(1)
        await settle()

    client = under_way(raises, steps)
    assert seen == ["request_timeout"]
    assert client.answers == [413]  # of the application; and the rest of the body is not waited for
    assert client.transport.closed or client.connection.life.state in (State.REFUSED, State.CLOSING)


@pytest.mark.parametrize("request_", [GET, b"GET /a HTTP/1.0\r\n\r\n"])
def test_an_answer_that_is_taken_slowly_but_steadily_is_sent_to_its_end(request_: bytes) -> None:
    async def steps(client: Client) -> None:
        await client.send(request_)
        client.transport.unread = 50_000
        client.wait(0)
        for unread_bytes in range(49_400, 0, -600):
            client.transport.unread = unread_bytes
            client.wait(LIMITS.send_s)
            assert not client.transport.aborted
        client.transport.unread = 0
        client.wait(0)
        assert client.connection.life.state is (State.IDLE if request_ is GET else State.CLOSING)
        client.wait(LIMITS.keep_alive_s)
        assert client.transport.is_closing()

    under_way(hello, steps)


@pytest.mark.parametrize("gap_s", [1.5, 10.0, 100.0])
@pytest.mark.parametrize(("state", "application", "way"), [each for each in WAYS if each[0] is not State.TLS_HANDSHAKE])
def test_time_that_the_service_slept_counts_against_nobody(
    state: State, application: Application, way: Callable[[Client], Awaitable[None]], gap_s: float
) -> None:
    async def steps(client: Client) -> None:
        client.registry.clock.beat()
        await way(client)
        client.now += gap_s
        client.registry.sweep()
        assert client.connection.life.state is state

    under_way(application, steps)


def test_a_connection_of_the_reserve_is_for_health_alone() -> None:
    async def steps(client: Client) -> None:
        for number in range(2, 4):
            assert client.another().admit(f"192.0.2.{number}")
        for path, code in (
            (b"/healthz/live", 200),
            (b"/healthz", 200),
            (b"/v2/health/live", 200),
            (b"/healthzz", 503),
            (b"/a", 503),
        ):
            connection, transport = client.another(), FakeTransport("192.0.2.4")
            connection.connection_made(transport)
            connection.data_received(b"GET " + path + b" HTTP/1.1\r\nHost: here\r\n\r\n")
            await settle()
            assert transport.written.startswith(b"HTTP/1.1 %d " % code)
            assert b"connection: close" in transport.written
        for number in range(5, 5 + RESERVE - 5):
            assert client.another().admit(f"192.0.2.{number}")
        assert not client.another().admit("192.0.2.5")
        for other in list(client.registry._open):
            if other is not client.connection:
                other.connection_lost(None)  # type: ignore[attr-defined]

    under_way(hello, steps, Settings(max_connections=3))


@pytest.mark.parametrize("started", [False, True])
def test_an_application_that_fails_is_answered_for_or_cut_off(started: bool, caplog: pytest.LogCaptureFixture) -> None:
    async def fails(_scope: dict[str, Any], _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        if started:
            await send({"type": "http.response.body", "body": b"half of it", "more_body": True})
        raise ZeroDivisionError

    async def steps(client: Client) -> None:
        await client.send(GET)
        assert client.transport.aborted == started

    with caplog.at_level(logging.ERROR):
        assert under_way(fails, steps).answers == [200 if started else 500]
    assert "a request failed" in caplog.text


def test_a_request_under_way_when_the_service_ends_gets_its_answer() -> None:
    going_on = asyncio.Event()

    async def steps(client: Client) -> None:
        await client.send(GET)
        client.connection.shutdown()
        assert not client.transport.closed
        going_on.set()
        await settle()
        assert client.transport.closed

    client = under_way(hello_after(going_on), steps)
    assert client.answers == [200]
    assert b"connection: close" in client.transport.written


def test_a_request_that_outlasts_the_service_is_told() -> None:
    async def steps(client: Client) -> None:
        await client.send(GET)
        for task in client.server.tasks:
            task.cancel()

    assert under_way(forever, steps).answers == [503]


def test_what_an_application_does_after_its_answer_is_not_the_connections() -> None:
    async def goes_on(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        await hello(scope, receive, send)
        await asyncio.Event().wait()

    async def steps(client: Client) -> None:
        await client.send(GET)
        for task in list(client.server.tasks):
            task.cancel()
        await client.send(GET)
        assert not client.transport.aborted

    assert under_way(goes_on, steps).answers == [200, 200]


def test_an_answer_to_head_has_no_body() -> None:
    async def steps(client: Client) -> None:
        await client.send(b"HEAD /a HTTP/1.1\r\nHost: here\r\n\r\n")
        await client.send(GET)

    client = under_way(hello, steps)
    assert client.answers == [200, 200]
    assert b"HEAD" not in client.transport.written
