import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import httpx2
import numpy as np
import pytest
import uvicorn
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from clients.commands.ports import free_port
from clients.python.client import stream_url
from sensor_sim.wire import (
    SUBPROTOCOL,
    Decision,
    End,
    Error,
    Hello,
    Message,
    Progress,
    Rows,
    Summary,
    Welcome,
    decode,
    encode,
)
from server.app import create_app
from server.networks import ServedNetwork
from server.settings import Settings
from server.stream.endpoint import StreamEndpoint
from tests.networks import SMALL
from tests.server.stream.ways import new_streams
from tests.waiting import until

NEVER = {"name": "never"}


def _connect(url: str, subprotocol: str | None = SUBPROTOCOL) -> ClientConnection:
    offered = [Subprotocol(subprotocol)] if subprotocol else None
    return connect(stream_url(url), subprotocols=offered, compression=None, proxy=None, open_timeout=10)


def _ask(connection: ClientConnection, message: Message) -> Message:
    connection.send(encode(message))
    return _answer(connection)


def _answer(connection: ClientConnection) -> Message:
    return decode(connection.recv(timeout=10))


def _burst(index: int, frame_id: int = 0) -> Rows:
    rows = np.random.default_rng(index).integers(0, 256, SMALL.burst_shape, np.uint8)
    return Rows(frame_id, index, 1, 0, rows)


def _stream_whole_frame(connection: ClientConnection, first: int = 0) -> Decision:
    for index in range(first, SMALL.bursts_per_frame):
        answer = _ask(connection, _burst(index))
        assert isinstance(answer, Progress)
        assert answer.burst_index == index
    decision = _answer(connection)
    assert isinstance(decision, Decision)
    return decision


def test_a_failure_of_the_server_ends_its_stream_alone(
    start: Callable[..., str], models: dict[str, ServedNetwork], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, runtime = start(), type(models[SMALL.name].runtime)
    step = runtime.step

    def failing(self: Any, rows: Any, hidden: Any) -> Any:
        if not rows.any():
            raise RuntimeError("of this test")
        return step(self, rows, hidden)

    monkeypatch.setattr(runtime, "step", failing)
    black = Rows(0, 0, 1, 0, np.zeros(SMALL.burst_shape, np.uint8))
    with _connect(url) as other, _connect(url) as connection:
        for each in (other, connection):
            assert isinstance(_ask(each, Hello(SMALL.name, NEVER)), Welcome)
        assert isinstance(_ask(other, _burst(0)), Progress)
        error = _ask(connection, black)
        assert isinstance(error, Error)
        assert error.code == "internal"
        assert "of this test" not in error.message
        with pytest.raises(ConnectionClosed) as closed:
            connection.recv(timeout=10)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1011
        assert isinstance(_stream_whole_frame(other, first=1), Decision)


def test_a_stream_from_hello_to_summary(service_url: str) -> None:
    with _connect(service_url) as connection:
        assert connection.subprotocol == SUBPROTOCOL
        welcome = _ask(connection, Hello(SMALL.name, NEVER))
        assert isinstance(welcome, Welcome)
        assert welcome.limits["message_bytes"] == 65_536
        assert welcome.limits == httpx2.get(f"{service_url}/v1/limits").json()
        decision = _stream_whole_frame(connection)
        assert not decision.exited
        summary = _ask(connection, End())
        assert isinstance(summary, Summary)
        assert (summary.frames, summary.processed) == (1, SMALL.bursts_per_frame)
        with pytest.raises(ConnectionClosed) as closed:
            _answer(connection)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1000


def _tampered(burst: Rows, offset: int, value: int) -> bytes:
    data = bytearray(encode(burst))  # type: ignore[arg-type]  # rows are bytes
    data[offset] = value
    return bytes(data)


MALFORMED: dict[str, tuple[bytes | str, str | None, int]] = {
    "bad JSON": ("{", "malformed_json", 1007),
    "unknown type": ('{"type":"bonjour"}', "unknown_type", 1008),
    "bad field": ('{"type":"hello","variant":1}', "bad_field", 1008),
    "text where rows are due": ('{"type":"hello","variant":"30x32"}', "out_of_phase", 1008),
    "wrong geometry": (encode(Rows(0, 1, 1, 0, np.zeros((5, 33, 3), np.uint8))), "wrong_geometry", 1008),
    "burst out of order": (encode(_burst(3)), "out_of_order", 1008),
    "frame before the last is decided": (encode(_burst(0, 1)), "out_of_order", 1008),
    "truncated rows": (bytes(encode(_burst(1)))[:-7], "malformed_rows", 1007),  # type: ignore[arg-type]  # bytes
    "less than a header": (b"\x01", "malformed_rows", 1007),
    "empty": (b"", "malformed_rows", 1007),
    "other version": (_tampered(_burst(1), 0, 9), "unsupported_version", 1003),
    "oversized message": (b"\x01" * 70_000, None, 1009),
}


@pytest.mark.parametrize(("data", "code", "close_code"), MALFORMED.values(), ids=MALFORMED)
def test_malformed_input_ends_its_stream_alone(
    service_url: str, data: bytes | str, code: str | None, close_code: int
) -> None:
    with _connect(service_url) as bystander, _connect(service_url) as connection:
        _ask(bystander, Hello(SMALL.name, NEVER))
        _ask(bystander, _burst(0))
        _ask(connection, Hello(SMALL.name, NEVER))
        _ask(connection, _burst(0))
        connection.send(data)
        if code:
            error = _answer(connection)
            assert isinstance(error, Error)
            assert error.code == code
            assert "Traceback" not in error.message
        with pytest.raises(ConnectionClosed) as closed:
            _answer(connection)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == close_code
        assert _stream_whole_frame(bystander, first=1).processed == SMALL.bursts_per_frame
    assert httpx2.get(f"{service_url}/healthz").status_code == 200


@pytest.mark.parametrize("subprotocol", [None, "rascanet.v0"])
def test_wrong_subprotocol(service_url: str, subprotocol: str | None) -> None:
    with pytest.raises(InvalidStatus) as caught, _connect(service_url, subprotocol):
        pass
    assert caught.value.response.status_code == 400
    assert json.loads(caught.value.response.body or b"")["code"] == "wrong_subprotocol"


def test_full_server_refuses_and_recovers(start: Callable[..., str]) -> None:
    url = start(max_streams=1)
    with _connect(url) as only:
        _ask(only, Hello(SMALL.name))
        with pytest.raises(InvalidStatus) as caught, _connect(url):
            pass
        assert caught.value.response.status_code == 503
        assert caught.value.response.headers["Retry-After"]
        _ask(only, End())
        with pytest.raises(ConnectionClosed):
            _answer(only)
    with _connect(url) as following:
        assert isinstance(_ask(following, Hello(SMALL.name)), Welcome)


def test_idle_stream_is_closed(start: Callable[..., str]) -> None:
    with _connect(start(idle_s=0.2)) as connection:
        _ask(connection, Hello(SMALL.name))
        error = _answer(connection)
        assert isinstance(error, Error)
        assert error.code == "idle"


def test_a_client_that_vanishes_frees_its_place(start: Callable[..., str]) -> None:
    url = start(max_streams=1)
    for _ in range(3):
        with _connect(url) as connection:
            _ask(connection, Hello(SMALL.name))
            connection.socket.close()
        for _attempt in range(100):
            if httpx2.get(f"{url}/healthz").json()["streams"] == 0:
                break
        else:
            pytest.fail("the stream of a vanished client was kept")


def test_a_stream_without_hello_is_closed(start: Callable[..., str]) -> None:
    with _connect(start(handshake_s=0.2)) as connection:
        error = _answer(connection)
        assert isinstance(error, Error)
        assert error.code == "handshake_timeout"


# As plain ASGI: any server, and Starlette's test client


def test_the_test_client_speaks_it(models: dict[str, ServedNetwork]) -> None:
    app = create_app(Settings(allowed_hosts=["testserver"]), models)
    with TestClient(app) as client:
        with client.websocket_connect("/v1/stream", subprotocols=[SUBPROTOCOL]) as stream:
            assert stream.accepted_subprotocol == SUBPROTOCOL
            stream.send_text(str(encode(Hello(SMALL.name, NEVER))))
            assert isinstance(decode(stream.receive_text()), Welcome)
            stream.send_bytes(bytes(encode(_burst(0))))  # type: ignore[arg-type]  # rows are bytes
            assert isinstance(decode(stream.receive_text()), Progress)
            stream.send_text(str(encode(End())))
            assert isinstance(decode(stream.receive_text()), Summary)
            with pytest.raises(WebSocketDisconnect) as closed:
                stream.receive_text()
            assert closed.value.code == 1000
        for path, offered, status in (("/v1/stream", [], 400), ("/v1/nothing", [SUBPROTOCOL], 404)):
            with (
                pytest.raises(WebSocketDenialResponse) as denied,
                client.websocket_connect(path, subprotocols=offered),
            ):
                pass
            assert denied.value.status_code == status


def test_another_servers_connections_carry_it(models: dict[str, ServedNetwork]) -> None:
    """uvicorn as it comes, with its own protocols."""
    settings = Settings(idle_s=0.3)
    config = uvicorn.Config(
        create_app(settings, models), port=free_port(), ws="websockets-sansio", log_level="critical"
    )
    server = uvicorn.Server(config)
    serving = threading.Thread(target=server.run, daemon=True)
    serving.start()
    try:
        until(lambda: server.started, "the service did not start")
        with _connect(f"http://127.0.0.1:{config.port}") as connection:
            assert isinstance(_ask(connection, Hello(SMALL.name, NEVER)), Welcome)
            assert _stream_whole_frame(connection).processed == SMALL.bursts_per_frame
            error = _answer(connection)
            assert isinstance(error, Error)
            assert error.code == "idle"
            with pytest.raises(ConnectionClosed):
                _answer(connection)
    finally:
        server.should_exit = True
        serving.join(10)
    assert not serving.is_alive()


SCOPE: dict[str, Any] = {
    "type": "websocket", "path": "/v1/stream", "headers": [], "subprotocols": [SUBPROTOCOL], "client": None,
    "extensions": {},
}  # fmt: skip


def _greeting() -> Callable[[], Awaitable[Any]]:
    """A client that says hello and then nothing more, as ASGI's `receive`."""
    hello = {"type": "websocket.receive", "text": encode(Hello(SMALL.name))}
    events: Iterator[Any] = iter([{"type": "websocket.connect"}, hello])

    async def receive() -> Any:
        event = next(events, None)
        return event if event is not None else await asyncio.Event().wait()

    return receive


@pytest.mark.parametrize("stuck_at", ["welcome", "error", "websocket.close"])
def test_last_words_that_nobody_takes(models: dict[str, ServedNetwork], stuck_at: str) -> None:
    """A client that reads nothing more, also when it is told why its stream ends, doesn't keep it."""
    streams = new_streams(models, idle_s=0.05, send_s=0.05)

    async def send(message: Any) -> None:
        if message["type"] == stuck_at or f'"type":"{stuck_at}"' in (message.get("text") or ""):
            await asyncio.Event().wait()

    asyncio.run(asyncio.wait_for(StreamEndpoint(streams)(SCOPE, _greeting(), send), 5))
    assert not len(streams)
    assert b'rascanet_streams_ended_total{reason="slow_reader"} 1.0' in streams.metrics.text()


@pytest.mark.parametrize("gone_at", ["websocket.accept", "websocket.send", "websocket.close"])
def test_a_client_that_is_gone_when_it_is_answered(models: dict[str, ServedNetwork], gone_at: str) -> None:
    """What is sent to it fails as ASGI says, and its place is free."""
    streams = new_streams(models, idle_s=0.05)

    async def send(message: Any) -> None:
        if message["type"] == gone_at:
            raise OSError

    asyncio.run(asyncio.wait_for(StreamEndpoint(streams)(SCOPE, _greeting(), send), 5))
    assert not len(streams)


def test_a_server_that_stops_without_draining(models: dict[str, ServedNetwork]) -> None:
    streams = new_streams(models)
    sent: list[str] = []
    greeted = asyncio.Event()

    async def send(message: Any) -> None:
        sent.append(message["type"])
        if message["type"] == "websocket.send":
            greeted.set()

    async def stopped() -> None:
        serving = asyncio.ensure_future(StreamEndpoint(streams)(SCOPE, _greeting(), send))
        await greeted.wait()
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving

    asyncio.run(stopped())
    assert sent == ["websocket.accept", "websocket.send"]
    assert not len(streams)
    assert b'rascanet_streams_ended_total{reason="drain"} 1.0' in streams.metrics.text()
