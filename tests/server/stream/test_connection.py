"""One connection between a transport and a loop that the test holds in its hands: no waiting, no sockets."""

import ast
import json
import logging
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets import Opcode

from sensor_sim.wire import SUBPROTOCOL, Decision, GoingAway, Hello, Sync, Welcome, decode, encode
from server.connections.request_head import HEAD_BYTES
from server.http.access import Access
from server.stream.allowance import PARTS_AT_ONCE, PARTS_PER_S
from server.stream.conversation import TURN_S
from server.stream.streams import Streams
from server.stream.upgrade import STREAM_HEADER
from tests.conftest import served
from tests.networks import SMALL
from tests.server.stream.test_conversation import BURSTS, LEGAL, MESSAGES, NEVER, rows
from tests.server.stream.ways import (
    UPGRADE,
    Connection,
    Directly,
    Stopwatch,
    Transport,
    VirtualLoop,
    frame,
    new_streams,
    same,
    whole,
)

NETWORKS = served()
HELLO = encode(Hello(SMALL.name, NEVER))


def _streams(loop: VirtualLoop, **settings: Any) -> Streams:
    return new_streams(NETWORKS, loop, **settings)


def _connection(**settings: Any) -> Connection:
    loop = VirtualLoop()
    return Connection(_streams(loop, **settings), loop)


def _opened(**settings: Any) -> tuple[Connection, Streams]:
    loop = VirtualLoop()
    streams = _streams(loop, **settings)
    return Connection(streams, loop).opened(), streams


def _counted(streams: Streams, metric: str, reason: str) -> bool:
    return f'rascanet_streams_{metric}_total{{reason="{reason}"}} 1.0'.encode() in streams.metrics.text()


def _texts(connection: Connection) -> list[Any]:
    return [decode(bytes(each.data).decode()) for each in connection.frames() if each.opcode is Opcode.TEXT]


def _say(connection: Connection, message: bytes | str) -> list[Any]:
    for piece in whole(message):
        connection.receive(piece)
    return _texts(connection)


def _closes(connection: Connection) -> list[int]:
    return [int.from_bytes(each.data[:2]) for each in connection.frames() if each.opcode is Opcode.CLOSE]


def _head(**changes: str | None) -> bytes:
    headers: dict[str, str | None] = {
        "Host": "127.0.0.1",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Protocol": SUBPROTOCOL,
    }
    first = changes.pop("first", None) or "GET /v1/stream HTTP/1.1"
    headers |= {name.replace("_", "-"): value for name, value in changes.items()}
    lines = [first, *(f"{name}: {value}" for name, value in headers.items() if value is not None)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


# The upgrade


@pytest.mark.parametrize("step", [1, 7, 10_000])
def test_a_head_may_come_in_pieces_and_a_message_behind_it(step: int) -> None:
    connection = _connection()
    data = UPGRADE + b"".join(whole(HELLO))
    for start in range(0, len(data), step):
        connection.receive(data[start : start + step])
    head, _, rest = connection.transport.written.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
    assert f"\r\n{STREAM_HEADER}: ".encode() in head
    assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in head, "the example of RFC 6455, section 1.3"
    assert f"Sec-WebSocket-Protocol: {SUBPROTOCOL}".encode() in head
    assert b'"type":"welcome"' in rest
    connection.lose()


@pytest.mark.parametrize(
    "head",
    [
        _head(Cookie="a=" + "x" * 9000),
        _head(Cookie="ä=ö"),
        _head(Sec_WebSocket_Protocol=f"{SUBPROTOCOL}, rascanet.bearer.abc"),
        _head(Sec_WebSocket_Extensions="permessage-deflate"),
        _head(Connection="keep-alive, Upgrade"),
        _head(Content_Length="0"),
        _head(first="GET /v1/stream?why=not HTTP/1.1"),
        _head(first="GET /v1/%73tream HTTP/1.1"),
        _head(first="GET http://127.0.0.1/v1/stream HTTP/1.1"),
    ],
)
def test_heads_that_begin_a_stream(head: bytes) -> None:
    connection = _connection()
    connection.receive(head)
    assert connection.transport.written.startswith(b"HTTP/1.1 101 ")
    assert b"Sec-WebSocket-Extensions" not in connection.transport.written
    connection.lose()


REFUSED = {
    "another method": (_head(first="POST /v1/stream HTTP/1.1"), 400, "bad_request"),
    "HTTP/1.0": (_head(first="GET /v1/stream HTTP/1.0"), 400, "bad_request"),
    "HTTP/2": (_head(first="PRI * HTTP/2.0"), 404, "not_found"),
    "no request line": (b"hello\r\n\r\n", 400, "bad_request"),
    "nothing": (b"\r\n\r\n", 400, "bad_request"),
    "no header": (_head(first="GET /v1/stream HTTP/1.1\r\nno colon"), 400, "bad_request"),
    "a folded header": (_head(first="GET /v1/stream HTTP/1.1\r\n Folded: yes"), 400, "bad_request"),
    "a body": (_head(Content_Length="5"), 400, "bad_request"),
    "a length of 5,000 digits": (_head(Content_Length="9" * 5000), 400, "bad_request"),
    "chunks": (_head(Transfer_Encoding="chunked"), 400, "bad_request"),
    "no key": (_head(Sec_WebSocket_Key=None), 400, "bad_request"),
    "a short key": (_head(Sec_WebSocket_Key="AAAA"), 400, "bad_request"),
    "a key that is none": (_head(Sec_WebSocket_Key="ä"), 400, "bad_request"),
    "another version": (_head(Sec_WebSocket_Version="8"), 400, "bad_request"),
    "no upgrade": (_head(Upgrade=None), 400, "bad_request"),
    "h2c": (_head(Upgrade="h2c"), 400, "bad_request"),
    "a path of nothing": (_head(first="GET /v1/streams HTTP/1.1"), 404, "not_found"),
    "a line end in the path": (_head(first="GET /v1/stream%0a HTTP/1.1"), 404, "not_found"),
    "a URL that is none": (_head(first="GET http://[/v1/stream HTTP/1.1"), 400, "bad_request"),
    "a slash more": (_head(first="GET /v1/stream/ HTTP/1.1"), 404, "not_found"),
    "no subprotocol": (_head(Sec_WebSocket_Protocol=None), 400, "wrong_subprotocol"),
    "another subprotocol": (_head(Sec_WebSocket_Protocol="rascanet.v0"), 400, "wrong_subprotocol"),
    "a head too long": (_head(Cookie="x" * HEAD_BYTES), 431, "head_too_large"),
    "a head without end": (b"GET /v1/stream HTTP/1.1\r\nX: " + b"x" * HEAD_BYTES, 431, "head_too_large"),
}


@pytest.mark.parametrize(("head", "status", "code"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("step", [1000, 100_000])
def test_every_other_head_is_answered_counted_and_logged(
    head: bytes, status: int, code: str, step: int, caplog: pytest.LogCaptureFixture
) -> None:
    loop = VirtualLoop()
    streams = _streams(loop)
    connection = Connection(streams, loop)
    with caplog.at_level(logging.INFO):
        for start in range(0, len(head), step):
            connection.receive(head[start : start + step])
    answer, _, body = connection.transport.written.partition(b"\r\n\r\n")
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert json.loads(body)["code"] == code
    assert f"content-length: {len(body)}".encode() in answer.lower()
    assert connection.transport.ended == "close"
    assert _counted(streams, "refused", code)
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [("INFO", "upgrade refused")]
    assert not len(streams)
    connection.lose()


@given(st.binary(max_size=200) | st.lists(st.sampled_from([b"\r\n", b": ", b" ", b"GET", b"\xff", b"0"])).map(b"".join))
def test_nothing_that_comes_instead_of_a_head_is_our_failure(garbage: bytes) -> None:
    connection = _connection()
    connection.receive(garbage + b"\r\n\r\n")
    assert connection.transport.written[:10] == b"HTTP/1.1 4"
    connection.lose()


@pytest.mark.parametrize("sent", [b"", UPGRADE[:-1], b"GET "])
def test_a_head_that_does_not_come_is_cut_off(sent: bytes) -> None:
    loop = VirtualLoop()
    streams = _streams(loop, handshake_s=3.0)
    connection = Connection(streams, loop)
    connection.receive(sent)
    loop.run(2.9)
    assert connection.transport.ended is None
    loop.run(0.2)
    assert connection.transport.ended == "abort"
    assert _counted(streams, "refused", "request_timeout")
    connection.lose()


def test_a_refusal_that_nobody_takes_is_cut_off() -> None:
    connection = _connection(handshake_s=3.0)
    connection.receive(b"hello\r\n\r\n")
    assert connection.transport.ended == "close"
    connection.loop.run(3.1)
    assert connection.transport.ended == "abort"
    connection.lose()


def test_who_may_ask_is_asked() -> None:
    loop = VirtualLoop()
    streams = _streams(loop)
    access = Access(bearer=b"secret")
    for head, answer in (
        (_head(), b"HTTP/1.1 401 "),
        (_head(Authorization="Bearer guess"), b"HTTP/1.1 401 "),
        (_head(Authorization="Bearer secret", Origin="http://example.com"), b"HTTP/1.1 403 "),
        (_head(Authorization="Bearer secret", Origin="http://["), b"HTTP/1.1 403 "),
        (_head(Authorization="Bearer secret", Origin="http://127.0.0.1"), b"HTTP/1.1 101 "),
        (_head(Sec_WebSocket_Protocol=f"{SUBPROTOCOL}, rascanet.bearer.c2VjcmV0"), b"HTTP/1.1 101 "),
    ):
        connection = Connection(streams, loop, access=access)
        connection.receive(head)
        assert connection.transport.written.startswith(answer), head
        connection.protocol.connection_lost(None)


def test_a_service_that_admits_nobody_says_so_before_it_reads_a_head() -> None:
    for settings, code in (({"max_streams": 1}, "server_full"), ({}, "draining")):
        loop = VirtualLoop()
        streams = _streams(loop, **settings)
        first = Connection(streams, loop).opened()
        if code == "draining":
            streams.drain()
        second = Connection(streams, loop)
        second.receive(b"anything\r\n\r\n")
        head, _, body = second.transport.written.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 503 ")
        assert b"retry-after: " in head
        assert json.loads(body)["code"] == code
        first.protocol.connection_lost(None)
        assert not len(streams)


@pytest.mark.parametrize(
    ("peers", "forwarded", "code"),
    [
        (("192.0.2.1", "192.0.2.1"), None, "address_full"),
        (("192.0.2.1", "192.0.2.2"), None, None),
        (("2001:db8::1", "2001:db8::2"), None, "address_full"),
        (("10.0.0.1", "10.0.0.1"), ("192.0.2.1", "192.0.2.2"), None),
        (("10.0.0.1", "10.0.0.1"), ("2001:db8::1", "2001:0db8::2"), "address_full"),
        (("192.0.2.1", "192.0.2.1"), ("192.0.2.1", "192.0.2.2"), "address_full"),
    ],
)
def test_streams_of_one_client_are_bounded(
    peers: tuple[str, str], forwarded: tuple[str, str] | None, code: str | None
) -> None:
    loop = VirtualLoop()
    streams = _streams(loop, max_streams_per_address=1, trusted_proxies=["10.0.0.0/8"])
    for number, peer in enumerate(peers):
        last = Connection(streams, loop, Transport(peer))
        last.receive(_head(X_Forwarded_For=forwarded[number] if forwarded else None))
    assert last.transport.written.startswith(b"HTTP/1.1 503 " if code else b"HTTP/1.1 101 ")
    assert (code or "").encode() in last.transport.written


# Messages


@given(
    names=st.lists(st.sampled_from(LEGAL), max_size=4), last=st.sampled_from(sorted(MESSAGES)),
    places=st.lists(st.floats(0, 1), max_size=6),
)  # fmt: skip
def test_messages_cut_and_joined_anyhow_are_answered_alike(names: list[str], last: str, places: list[float]) -> None:
    messages = [MESSAGES[name] for name in ("hello", *names, last)]
    data = b"".join(piece for message in messages for piece in whole(message))
    cuts = [0, *sorted(round(place * len(data)) for place in places), len(data)]
    settings: dict[str, Any] = {"credit_bursts": 8, "message_bursts": 4}
    directly = Directly(new_streams(NETWORKS, **settings))
    expected = [answer for message in messages for answer in directly.say(message)]
    connection, _ = _opened(**settings)
    for start, end in pairwise(cuts):
        connection.receive(data[start:end])
    assert same(_texts(connection)) == same(expected)
    connection.lose()


PIECES = st.one_of(
    st.binary(max_size=60),
    st.sampled_from(sorted(MESSAGES)).map(lambda name: b"".join(whole(MESSAGES[name]))),
    st.builds(
        lambda first, data: bytes([first, 0x80 | len(data)]) + bytes(4) + data,  # also such as no client may send
        st.sampled_from([0x00, 0x01, 0x02, 0x08, 0x80, 0x81, 0x82, 0x83, 0x88, 0x89, 0x8A, 0xC2]),
        st.binary(max_size=125),
    ),
)
EVENTS = st.lists(PIECES | st.sampled_from(["pause", "resume", "leave", "wait"]), max_size=12)


@given(EVENTS)
def test_whatever_comes_and_happens_a_stream_ends_and_its_place_is_free(events: list[bytes | str]) -> None:
    """Bytes of any kind, a reader that stops and goes on, a service that stops, time that passes: in any order."""
    connection, streams = _opened(message_bytes=5000, handshake_s=3.0, idle_s=3.0, send_s=2.0, drain_s=1.0)
    protocol, paused = connection.protocol, False
    for event in events:
        if connection.transport.is_closing():
            break
        if isinstance(event, bytes):
            if connection.transport.reading:
                protocol.data_received(event)
        elif event == "pause" and not paused:
            paused = True
            protocol.pause_writing()
        elif event == "resume" and paused:
            paused = False
            protocol.resume_writing()
        elif event == "leave":
            streams.drain()
        connection.loop.run(1.0 if event == "wait" else 0.0)
    connection.loop.run(30.0)
    assert connection.transport.is_closing(), "no stream lasts whose client does nothing more"
    assert not len(streams)
    assert b'reason="internal"' not in streams.metrics.text()
    connection.lose()


def test_pings_are_answered_between_messages() -> None:
    connection, _ = _opened()
    connection.receive(frame(9, b"are you there") + b"".join(whole(HELLO)) + frame(9, b"still"))
    found = [(each.opcode, bytes(each.data)[:13]) for each in connection.frames()]
    assert found == [(10, b"are you there"), (1, b'{"type":"welc'), (10, b"still")]
    connection.lose()


# Turns and floods


def _patient(step_s: float, **settings: Any) -> tuple[Connection, Streams]:
    """A stream whose work takes as long as its stopwatch says at every look."""
    loop = VirtualLoop()
    streams = _streams(loop, **settings)
    streams.stopwatch = Stopwatch(step_s)
    return Connection(streams, loop).opened(), streams


FLOODS: dict[str, Callable[[int], bytes]] = {
    "empty pings": lambda number: frame(9, b"") * number,
    "empty pongs": lambda number: frame(10, b"") * number,
    "messages": lambda number: b"".join(whole(encode(Sync(1)))) * number,
    "fragments of a byte": lambda number: frame(2, b"1", fin=False) + frame(0, b"1", fin=False) * (number - 1),
    "empty continuations": lambda number: frame(2, b"1", fin=False) + frame(0, b"", fin=False) * (number - 1),
}


@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS)
def test_whatever_comes_the_others_have_their_turn(flood: Callable[[int], bytes]) -> None:
    """A read of many small frames is worked off in turns; nothing is read meanwhile."""
    connection, _ = _patient(TURN_S / 10)
    connection.receive(b"".join(whole(HELLO)))
    connection.frames()
    connection.protocol.data_received(flood(500))
    turns = 0
    while not connection.transport.reading:
        assert connection.loop.pending >= 1, "it goes on by itself"
        connection.loop.step()
        turns += 1
    assert turns >= 500 * 0.1 / 3, "ten looks at the stopwatch are a turn, a frame takes three at most"
    assert connection.transport.ended is None
    connection.lose()


@pytest.mark.parametrize("name", ["empty pings", "empty pongs", "fragments of a byte", "empty continuations"])
def test_frames_without_a_message_are_rationed(name: str) -> None:
    """Whatever the client sends, no more of them are worked off than the allowance lets through."""
    connection, _ = _opened(idle_s=1000.0, ping_s=1000.0)
    connection.receive(b"".join(whole(HELLO)))
    data = FLOODS[name](PARTS_AT_ONCE + 10 * PARTS_PER_S)
    connection.protocol.data_received(data)
    seconds = 0
    while connection.loop.step() or not connection.transport.reading:
        connection.loop.run(0.5)
        seconds += 1
        assert seconds < 100
    assert 9 <= seconds / 2 <= 11, "at the rate that is allowed"
    assert connection.transport.ended is None
    connection.lose()


def test_a_message_in_as_many_fragments_as_bytes_is_a_message() -> None:
    connection, _ = _opened()
    connection.receive(b"".join(whole(encode(Hello(SMALL.name, NEVER, 0)))))
    connection.frames()
    data = bytes(encode(rows(0, BURSTS)))[:]  # type: ignore[arg-type]  # rows are bytes
    pieces = [frame(0 if at else 2, data[at : at + 1], fin=at == len(data) - 1) for at in range(len(data))]
    connection.protocol.data_received(b"".join(pieces))
    while connection.loop.pending > 1 or not connection.transport.reading:
        connection.loop.run(0.1)
    assert [type(answer) for answer in _texts(connection)] == [Decision]
    connection.lose()


# Clients that do not take their answers


def test_who_takes_nothing_is_not_read_from_and_cut_off() -> None:
    connection, streams = _opened(send_s=2.0)
    connection.receive(b"".join(whole(HELLO)))
    connection.protocol.pause_writing()
    assert not connection.transport.reading
    connection.loop.run(1.9)
    assert connection.transport.ended is None
    connection.loop.run(0.2)
    assert connection.transport.ended == "abort"
    assert _counted(streams, "ended", "slow_reader")
    assert not len(streams)
    connection.lose()


def test_what_came_before_the_answers_were_not_taken_is_worked_off_afterwards() -> None:
    connection, _ = _opened()
    connection.receive(b"".join(whole(HELLO)))
    connection.frames()
    connection.protocol.pause_writing()
    connection.protocol.data_received(b"".join(whole(encode(Sync(1)))) * 3)  # it was on its way already
    connection.loop.run()
    assert not _texts(connection)
    connection.protocol.resume_writing()
    connection.loop.run()
    assert _texts(connection) == [Sync(1)] * 3
    assert connection.transport.reading
    connection.lose()


# Endings


def test_a_close_of_the_client_is_answered() -> None:
    connection, streams = _opened()
    connection.receive(frame(8, (4321).to_bytes(2) + b"bye"))
    assert _closes(connection) == [4321]
    assert connection.transport.ended == "close"
    assert _counted(streams, "ended", "client_left")
    connection.lose()


def test_a_close_that_is_answered_ends_the_connection() -> None:
    connection, streams = _opened()
    for message in (HELLO, MESSAGES["end"]):
        connection.receive(b"".join(whole(message)))
    assert _closes(connection) == [1000]
    assert not len(streams), "its place is free"
    assert connection.transport.ended is None
    connection.receive(b"".join(whole(encode(Sync(1)))) + frame(8, (1000).to_bytes(2)))
    assert connection.transport.ended == "close"
    assert not connection.frames()
    connection.lose()


def test_a_close_that_is_never_answered_is_cut_off() -> None:
    connection, streams = _opened(send_s=2.0)
    for message in (HELLO, MESSAGES["end"]):
        connection.receive(b"".join(whole(message)))
    for _ in range(19):
        connection.receive(b"".join(whole(encode(Sync(1)))) + frame(9, b""))
        connection.loop.run(0.1)
        assert connection.transport.ended is None
    connection.loop.run(0.2)
    assert connection.transport.ended == "abort"
    assert _counted(streams, "ended", "end")
    connection.lose()


def test_whoever_waits_for_a_close_waits_quietly() -> None:
    """Pings that are due no more wake nobody."""
    connection, _ = _opened(send_s=60.0, ping_s=2.0)
    for message in (HELLO, MESSAGES["end"]):
        connection.receive(b"".join(whole(message)))
    connection.loop.run(30.0)
    assert connection.loop.calls <= 30.0 / 2.0 + 1
    connection.lose()


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frame(2, bytes(5001)), 1009),
        (frame(2, bytes(4000), fin=False) + frame(0, bytes(1001)), 1009),
        (frame(0, b"1"), 1002),
        (frame(2, b"1", fin=False) + frame(2, b"2"), 1002),
        (b"\x82\x01x", 1002),
        (b"\xc2" + frame(2, b"1")[1:], 1002),
        (b"\x83" + frame(2, b"1")[1:], 1002),
        (b"\x89\xfe\x00\x7e" + bytes(130), 1002),
        (frame(8, b"\x00"), 1002),
        (frame(8, (1005).to_bytes(2)), 1002),
    ],
    ids=range(10),  # masks are random
)
def test_wrong_frames_end_the_connection(data: bytes, code: int) -> None:
    connection, streams = _opened(message_bytes=5000, send_s=2.0)
    connection.receive(b"".join(whole(HELLO)))
    connection.receive(data)
    assert _closes(connection) == [code]
    assert connection.transport.ended == "eof", "the client may still read why"
    assert _counted(streams, "ended", "bad_frame")
    connection.receive(frame(9, b"more") * 100)
    connection.loop.run(2.1)
    assert connection.transport.ended == "abort"
    connection.lose()


def test_over_tls_a_wrong_frame_ends_the_connection_whole() -> None:
    loop = VirtualLoop()
    connection = Connection(_streams(loop), loop, Transport(secure=True)).opened()
    connection.receive(frame(0, b"1"))
    assert connection.transport.ended == "close"
    connection.lose()


@pytest.mark.parametrize(
    "sent",
    [b"", UPGRADE[:20], b"x\r\n\r\n", UPGRADE, UPGRADE + b"".join(whole(HELLO)) + b"\x82"],
    ids=["nothing", "half a head", "no head", "a head", "half a frame"],
)
@pytest.mark.parametrize("asked", [True, False], ids=["by the server", "by the client"])
def test_a_connection_may_end_at_any_time(sent: bytes, asked: bool) -> None:
    """Also while its upgrade is half done, held back or refused: nothing is kept, and nothing fails."""
    loop = VirtualLoop()
    streams = _streams(loop)
    connection = Connection(streams, loop)
    assert connection.protocol in connection.registered
    connection.receive(sent)
    if asked:
        streams.drain()
        connection.protocol.shutdown()
        assert connection.transport.is_closing()
    connection.lose()
    connection.protocol.shutdown()
    assert not len(streams)


def test_a_stream_is_told_to_leave() -> None:
    connection, streams = _opened(drain_s=3.0)
    connection.receive(b"".join(whole(HELLO)) + b"".join(whole(MESSAGES["rows"])))
    connection.frames()
    streams.drain()
    connection.loop.run()
    (told,) = _texts(connection)
    assert isinstance(told, GoingAway)
    connection.loop.run(2.9)
    assert len(streams) == 1
    connection.loop.run(0.2)
    assert _closes(connection) == [1001]
    assert not len(streams)
    connection.lose()


# Keepalive


def test_a_client_that_answers_pings_stays() -> None:
    connection, _ = _opened(ping_s=2.0, idle_s=1000.0)
    connection.receive(b"".join(whole(HELLO)))
    connection.frames()
    for _ in range(5):
        connection.loop.run(2.0)
        (ping,) = connection.frames()
        assert ping.opcode is Opcode.PING
        connection.receive(frame(10, bytes(ping.data)))
    assert connection.transport.ended is None
    connection.lose()


def test_a_client_that_answers_no_ping_is_lost() -> None:
    connection, streams = _opened(ping_s=2.0, send_s=1.0, idle_s=1000.0)
    connection.receive(b"".join(whole(HELLO)))
    for _ in range(49):
        connection.receive(frame(10, b"none of yours"))
        connection.loop.run(0.1)
    assert len(streams) == 1
    connection.loop.run(0.2)
    assert _closes(connection) == [1011]
    assert _counted(streams, "ended", "no_pong")
    connection.loop.run(1.1)
    assert connection.transport.ended == "abort"
    connection.lose()


def test_whose_pong_may_lie_unread_is_not_lost() -> None:
    connection, streams = _opened(ping_s=2.0, send_s=100.0, idle_s=1000.0)
    connection.receive(b"".join(whole(HELLO)))
    connection.protocol.pause_writing()
    connection.loop.run(50.0)
    assert len(streams) == 1
    connection.lose()


def test_time_that_the_service_slept_through_counts_against_nobody() -> None:
    connection, streams = _opened(ping_s=2.0, idle_s=3.0)
    streams.clock.beat()
    connection.receive(b"".join(whole(HELLO)))
    connection.loop.now += 100.0  # the machine was suspended
    connection.loop.run()
    for _ in range(2):
        streams.clock.beat()
        connection.loop.run(0.9)
    assert len(streams) == 1
    assert [type(answer) for answer in _texts(connection)] == [Welcome]
    connection.lose()


# What the connection must not touch

PRODUCT = [*Path("server/stream").rglob("*.py")]
DOCUMENTED = {"uvicorn": {"Config"}, "uvicorn.server": {"ServerState"}}
"""Of uvicorn; of websockets, whatever the package itself exports."""


@pytest.mark.parametrize("path", PRODUCT, ids=str)
def test_no_private_part_of_a_library_is_touched(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in ("uvicorn", "websockets"):
            names = {alias.name for alias in node.names}
            assert node.module == "websockets" or names <= DOCUMENTED.get(node.module, set())
        if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__"):
            assert isinstance(node.value, ast.Name), ast.unparse(node)
            assert node.value.id in ("self", "cls"), ast.unparse(node)
