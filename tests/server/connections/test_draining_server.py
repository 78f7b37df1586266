"""What a client meets when the service stops, or its stream reaches its end of life."""

import json
import signal
from collections.abc import Callable

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from clients.python.client import stream_url
from model.config import VARIANTS
from sensor_sim.wire import (
    SUBPROTOCOL,
    Decision,
    End,
    GoingAway,
    Hello,
    Message,
    Resume,
    Rows,
    Summary,
    Welcome,
    decode,
    encode,
)
from tests.networks import SMALL
from tests.service_process import hang_ups, service_process

NEVER = {"name": "never"}


def _connect(url: str) -> ClientConnection:
    offered = [Subprotocol(SUBPROTOCOL)]
    return connect(stream_url(url), subprotocols=offered, compression=None, proxy=None, legacy=True)


def _open(url: str, variant: str, **hello: int) -> ClientConnection:
    connection = _connect(url)
    assert isinstance(_ask(connection, Hello(variant, NEVER, 0, **hello)), Welcome)  # type: ignore[arg-type]  # integers
    return connection


def _ask(connection: ClientConnection, *messages: Message) -> Message:
    for message in messages:
        connection.send(encode(message))
    return decode(connection.recv(timeout=20))


def _burst(variant: str, index: int, frame_id: int = 0) -> Rows:
    shape = SMALL.burst_shape if variant == SMALL.name else VARIANTS[variant].burst_shape
    return Rows(frame_id, index, 1, 0, np.full(shape, 8 * index, np.uint8))


def _close_code(connection: ClientConnection) -> int:
    with pytest.raises(ConnectionClosed) as closed:
        connection.recv(timeout=20)
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code


def test_under_nohup_a_service_stays() -> None:
    with hang_ups(signal.SIG_IGN), service_process("--workers", "2") as (url, service):
        service.send_signal(signal.SIGHUP)
        _open(url, "105x120").close()
        service.send_signal(signal.SIGTERM)
        assert service.wait(20) == 0


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGHUP])
def test_a_drain_lets_frames_finish(stop: signal.Signals) -> None:
    variant = "105x120"
    bursts = VARIANTS[variant].bursts_per_frame
    with hang_ups(signal.SIG_DFL), service_process("--drain-s", "30") as (url, service):
        idle, busy = (_open(url, variant) for _ in range(2))
        busy.send(encode(_burst(variant, 0)))
        service.send_signal(stop)
        for connection in (idle, busy):
            leaving = decode(connection.recv(timeout=20))
            assert isinstance(leaving, GoingAway)
            assert leaving.reason == "drain"
            assert leaving.token
        assert _close_code(idle) == 1001
        with pytest.raises(InvalidStatus) as refused:
            _open(url, variant)
        assert refused.value.response.status_code == 503
        assert refused.value.response.headers["Retry-After"]
        assert json.loads(refused.value.response.body or b"")["code"] == "draining"
        decision = _ask(busy, *(_burst(variant, index) for index in range(1, bursts)))
        assert isinstance(decision, Decision)
        assert decision.processed == bursts
        assert _close_code(busy) == 1001
        assert service.wait(20) == 0


def test_a_drain_has_an_end() -> None:
    variant = "105x120"
    with service_process("--drain-s", "0.3", "--workers", "2") as (url, service):
        stuck = _open(url, variant)
        stuck.send(encode(_burst(variant, 0)))
        service.send_signal(signal.SIGTERM)
        leaving = decode(stuck.recv(timeout=20))
        assert isinstance(leaving, GoingAway)
        assert leaving.seconds <= 0.3
        assert _close_code(stuck) == 1001
        assert service.wait(20) == 0


def test_a_stream_that_had_its_frames_goes_on_elsewhere(start: Callable[..., str]) -> None:
    url = start(stream_frames=1)
    with _open(url, SMALL.name) as connection:
        decision = _ask(connection, *(_burst(SMALL.name, index) for index in range(SMALL.bursts_per_frame)))
        assert isinstance(decision, Decision)
        leaving = decode(connection.recv(timeout=20))
        assert isinstance(leaving, GoingAway)
        assert leaving.reason == "stream_frames"
        assert _close_code(connection) == 1001
    with _connect(url) as again:
        welcome = _ask(again, Resume(leaving.token))
        assert isinstance(welcome, Welcome)
        assert welcome.position is not None
        assert welcome.position.next_burst == SMALL.bursts_per_frame
        summary = _ask(again, End())
        assert isinstance(summary, Summary)
        assert summary.frames == 1


def test_a_stream_that_had_its_time_goes_on_elsewhere(start: Callable[..., str]) -> None:
    with _open(start(stream_s=0.3, drain_s=0.3), SMALL.name) as connection:
        connection.send(encode(_burst(SMALL.name, 0)))  # its frame never ends
        leaving = decode(connection.recv(timeout=20))
        assert isinstance(leaving, GoingAway)
        assert leaving.reason == "stream_s"
        assert _close_code(connection) == 1001
