"""A service besieged, stopped or suspended while streams are open: those who did nothing wrong notice nothing."""

import signal
import struct
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from clients.python.client import Client
from sensor_sim.clock import VirtualClock
from sensor_sim.wire import Error, Hello, Rows, Sync, Welcome, encode
from tests.faults.test_hostile_clients import Raw
from tests.service_process import service_process

VARIANT = "105x120"
NEVER = {"name": "never"}
HELLO = Hello(VARIANT, NEVER, 0)

FLOODS = {
    "empty pings": Raw.frame(9, b""),
    "empty pongs": Raw.frame(10, b""),
    "fragments of a byte": Raw.frame(0, b"x", fin=False),
    "empty fragments": Raw.frame(0, b"", fin=False),
    "messages": Raw.frame(1, str(encode(Sync(1))).encode()),
}


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    with service_process("--send-s", "3") as (url, _):
        yield url


def _port(url: str) -> int:
    return int(url.rpartition(":")[2])


def _opened(url: str) -> Raw:
    raw = Raw(_port(url))
    assert raw.status == 101
    raw.send(HELLO)
    assert isinstance(raw.answer(), Welcome)
    return raw


@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS)
def test_a_flood_of_small_frames_holds_nobody_up(service: str, flood: bytes) -> None:
    """While it lasts, a stream beside gets its decision, and health its answer, within the time that it gives them."""
    attacker, over = _opened(service), threading.Event()
    if flood in (FLOODS["fragments of a byte"], FLOODS["empty fragments"]):
        attacker.socket.sendall(Raw.frame(2, b"x", fin=False))
    attacker.socket.settimeout(0.1)

    def besiege() -> None:
        data = flood * (200_000 // len(flood))
        while not over.is_set():
            with suppress(OSError):
                attacker.socket.sendall(data)
                attacker.socket.recv(1 << 20)

    siege = threading.Thread(target=besiege)
    siege.start()
    try:
        with Client(service, policy=NEVER, clock=VirtualClock()) as client:
            report = client.emit(np.zeros((105, 120, 3), np.uint8))
        assert report.decision is not None
        assert urllib.request.urlopen(f"{service}/healthz/live", timeout=5).status == 200  # noqa: S310 - loopback
    finally:
        over.set()
        siege.join(10)
        attacker.abort()


def test_rows_before_hello_are_refused_as_documented(service: str) -> None:
    raw = Raw(_port(service))
    raw.send(Rows(0, 0, 1, 0, np.zeros((5, 120, 3), np.uint8)))
    error = raw.answer()
    assert isinstance(error, Error)
    assert error.code == "out_of_phase"
    assert raw.answer() == 1008
    raw.close()


def test_a_suspended_service_blames_nobody() -> None:
    """Idle, pinged or within its first message: the time that the service slept through is nobody's."""
    options = ("--idle-s", "1.2", "--handshake-s", "1.2", "--ping-s", "1.2", "--send-s", "1.2")
    with service_process(*options) as (url, process):
        silent, opened = Raw(_port(url)), _opened(url)
        process.send_signal(signal.SIGSTOP)
        time.sleep(2.5)
        process.send_signal(signal.SIGCONT)
        silent.send(HELLO)
        assert isinstance(silent.answer(), Welcome)
        opened.send(Sync(7))
        assert opened.answer() == Sync(7)
        for raw in (silent, opened):
            raw.abort()


def test_a_stop_in_the_middle_of_upgrades_is_clean(tmp_path: Path) -> None:
    """Half done, refused and not read, done and not begun, closing without an answer: exit status 0, no traceback."""
    with (tmp_path / "log").open("w+b") as log:
        with service_process("--drain-s", "0.2", log=log) as (url, process):
            half, refused, begun, closing = (Raw(_port(url), upgrade=False) for _ in range(4))
            half.socket.sendall(b"GET /v1/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n")
            refused.socket.sendall(
                b"GET /v1/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
            )
            raws = [half, refused, begun, closing, Raw(_port(url)), _opened(url)]
            raws[-1].socket.sendall(Raw.frame(8, struct.pack(">H", 1000)))
            process.terminate()
            assert process.wait(30) == 0
            for raw in raws:
                raw.abort()
        log.seek(0)
        said = log.read().decode()
    assert "Traceback" not in said
    assert '"level": "error"' not in said
