"""Clients that keep connections, requests and places; the service takes them back. Raw sockets, a service of its own.

What ends each state of a connection, with seconds by hand, is in tests/server/connections/test_http_connection.py.
"""

import os
import re
import signal
import socket
import ssl
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil
import pytest
import trustme

from server.connections.places import RESERVE
from server.process.request_pool import SHARE
from tests.service_process import metric, service_process
from tests.waiting import until

LIMITS = {
    "handshake-s": 0.7, "keep-alive-s": 0.7, "send-s": 0.5, "request-s": 3, "ping-s": 1, "idle-s": 5,
    "max-connections": 60, "max-connections-per-address": 50, "max-requests": 16, "drain-s": 2,
}  # fmt: skip
OF_ONE_CLIENT = int(LIMITS["max-requests"]) * SHARE // (SHARE + 1)
"""Requests that one client may have under way: more than all `SPECIMENS` take, even if none is answered yet."""
OPTIONS = [part for name, value in LIMITS.items() for part in (f"--{name}", str(value))]
HOST = b"Host: 127.0.0.1\r\n"
GET = b"GET /openapi.json HTTP/1.1\r\n" + HOST + b"\r\n"
POST = b"POST /v2/models/105x120/infer HTTP/1.1\r\nContent-Type: application/json\r\n" + HOST
"""Of a body that is refused by itself: pictures wait for processes of the lowest priority."""
UPGRADE = (
    b"GET /v1/stream HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: rascanet.v1\r\n" + HOST
)


class Victim:
    """The service under attack, and what it holds."""

    def __init__(self, url: str, pid: int) -> None:
        self.url, self.port = url, int(url.rpartition(":")[2])
        self.process = psutil.Process(pid)

    def connect(self, *data: bytes, receive_buffer_bytes: int | None = None) -> socket.socket:
        """A client that has sent this, piece by piece."""
        with ExitStack() as undo:
            client = undo.enter_context(socket.socket())
            if receive_buffer_bytes:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
            client.settimeout(20)
            client.connect(("127.0.0.1", self.port))
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for piece in data:
                client.sendall(piece)
                if len(data) > 1:
                    time.sleep(0.05)  # pieces are to come in segments of their own
            undo.pop_all()
            return client

    def text(self, path: str) -> str:
        with urllib.request.urlopen(f"{self.url}{path}", timeout=20) as answer:  # noqa: S310 - loopback
            return str(answer.read().decode())

    def cut(self, reason: str) -> float:
        return metric(self.url, "rascanet_connections_cut_total", reason=reason)

    def connections(self) -> int:
        """Open ones, as the system sees them."""
        return sum(each.status == "ESTABLISHED" for each in self.process.net_connections("tcp"))


@pytest.fixture(scope="module")
def service() -> Iterator[Victim]:
    with service_process(*OPTIONS) as (url, process):
        yield Victim(url, process.pid)


@pytest.fixture
def victim(service: Victim) -> Iterator[Victim]:
    """Checks afterwards that nothing is kept, and that there is room for everybody."""
    yield service
    until(lambda: service.connections() == 0, "a connection was kept")
    assert metric(service.url, "rascanet_tasks") <= 6
    clients = [service.connect(POST + b"Content-Length: 1\r\n\r\n") for _ in range(OF_ONE_CLIENT)]
    for client in clients:
        client.sendall(b"x")
    for client in clients:
        assert codes(answer(client)) == [400]


def answer(client: socket.socket) -> bytes:
    """All that the service sends until it closes the connection, or has said nothing for longer than it may."""
    found = b""
    with client, suppress(ConnectionResetError):
        while data := client.recv(65_536):
            found += data
    return found


def codes(found: bytes) -> list[int]:
    return [int(code) for code in re.findall(rb"HTTP/1\.1 (\d{3}) ", found)]


SPECIMENS: list[tuple[list[bytes], list[int]]] = [
    ([GET], [200]),
    ([GET, b"\r\n"], [200]),
    ([GET, b"G"], [200, 408]),
    ([b"GET / HTT"], [408]),
    ([], []),
    ([POST + b"Content-Length: 999999999999\r\n\r\n"], [413]),
    ([POST + b"Content-Length: 10\r\n\r\n", b"12345"], [408]),
    ([POST + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n"], [400]),
    ([POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n", b"A: " + b"a" * 300_000], [431]),
    ([UPGRADE + b"Content-Length: 3\r\n\r\nabc"], [426]),
    ([UPGRADE.replace(b"1.1", b"1.0") + b"\r\n"], [426]),
    ([UPGRADE + b"Cookie: a=" + b"x" * 9000 + b"\r\n\r\n"], [101]),
    ([UPGRADE.replace(b"stream", b"nothing") + b"\r\n"], [404]),
    ([UPGRADE.replace(b": 13", b": 12") + b"\r\n"], [400]),
    ([UPGRADE.replace(b"AA==", b"") + b"\r\n"], [400]),
    ([GET + UPGRADE + b"\r\n"], [200, 101]),
    ([POST + b"Upgrade: h2c\r\nConnection: Upgrade\r\nContent-Length: %d\r\n\r\n" % len(GET), GET], [400]),
]
"""What a client sends and then waits, and how it is answered; its connection then ends."""


def test_whatever_a_client_sends_it_is_answered_and_let_go(victim: Victim) -> None:
    clients = [(pieces, expected, victim.connect(*pieces)) for pieces, expected in 2 * SPECIMENS]
    for pieces, expected, client in clients:
        assert codes(answer(client)) == expected, pieces


def test_answers_that_nobody_reads_are_given_up(victim: Victim) -> None:
    before = victim.cut("unread")
    clients = [victim.connect(GET * 500, receive_buffer_bytes=2048) for _ in range(3)]
    until(lambda: victim.cut("unread") >= before + 3)
    for client in clients:
        client.close()


def test_slow_bodies_keep_no_room(victim: Victim) -> None:
    """They come steadily, but far too slowly."""
    slow = [victim.connect(POST + b"Content-Length: 100000\r\n\r\n") for _ in range(OF_ONE_CLIENT)]
    over = threading.Event()

    def trickle() -> None:
        while not over.wait(0.05):
            for client in slow:
                with suppress(OSError):
                    client.sendall(b"x")

    thread = threading.Thread(target=trickle)
    thread.start()
    try:
        until(lambda: metric(victim.url, "rascanet_connections") <= 1)  # the one that asks
    finally:
        over.set()
        thread.join()
        for client in slow:
            client.close()


def test_trailers_cost_no_memory(victim: Victim) -> None:
    resident_bytes = victim.process.memory_info().rss
    with victim.connect(POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n") as client, suppress(OSError):
        for _ in range(2000):
            client.sendall(b"A: " + b"a" * 10_000 + b"\r\n")
    assert victim.process.memory_info().rss - resident_bytes < 5e6


def test_one_client_cannot_take_all_places(victim: Victim) -> None:
    """Others are let in beside it, and health checks even when every place is taken (here all are one address)."""
    most = int(LIMITS["max-connections-per-address"])
    with ExitStack() as held:
        for _ in range(most):
            held.enter_context(victim.connect())
        assert answer(victim.connect(GET)) == b""  # reset
        with socket.socket() as other:
            other.bind(("127.0.0.2", 0))
            other.settimeout(20)
            other.connect(("127.0.0.1", victim.port))
            other.sendall(GET)
            assert other.recv(12) == b"HTTP/1.1 200"


def test_health_is_told_when_every_place_is_taken(victim: Victim) -> None:
    def ask(address: str, path: bytes) -> bytes:
        with socket.socket() as client:
            client.bind((address, 0))
            client.settimeout(20)
            client.connect(("127.0.0.1", victim.port))
            client.sendall(b"GET " + path + b" HTTP/1.1\r\n" + HOST + b"\r\n")
            return client.recv(12)

    with ExitStack() as held:
        for number in range(int(LIMITS["max-connections"]) + RESERVE // 2):
            client = held.enter_context(socket.socket())
            client.bind((f"127.0.0.{2 + number % 2}", 0))
            client.connect(("127.0.0.1", victim.port))
        assert ask("127.0.0.9", b"/healthz/live") == b"HTTP/1.1 200"
        assert ask("127.0.0.9", b"/v1/models") == b"HTTP/1.1 503"


def test_a_suspended_service_cuts_nobody_off(victim: Victim) -> None:
    client = victim.connect(POST + b"Content-Length: 10\r\n\r\n12345")
    victim.process.suspend()
    time.sleep(LIMITS["request-s"] + 1)
    victim.process.resume()
    client.sendall(b"67890")
    assert codes(answer(client)) == [400]


@contextmanager
def secured(folder: Path) -> Iterator[tuple[Victim, ssl.SSLContext]]:
    """A service that speaks TLS, and who trusts it."""
    authority = trustme.CA()
    own = authority.issue_cert("127.0.0.1")
    certificate, key = folder / "certificate", folder / "key"
    own.cert_chain_pems[0].write_to_path(str(certificate))
    own.private_key_pem.write_to_path(str(key))
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    with ExitStack() as held:
        held.enter_context(pytest.MonkeyPatch.context()).setattr(
            "tests.service_process.wait_until_it_answers", lambda _url, _process: None
        )
        url, process = held.enter_context(
            service_process(*OPTIONS, "--tls-certificate", str(certificate), "--tls-key", str(key))
        )
        victim = Victim(url, process.pid)

        def listens() -> bool:
            with suppress(ConnectionRefusedError):
                victim.connect().close()
                return True
            return False

        until(listens)
        yield victim, trust


def test_handshakes_that_never_begin_or_never_end_are_counted_and_cut_off(tmp_path: Path) -> None:
    with secured(tmp_path) as (victim, trust):

        def speak() -> bytes:
            with victim.connect() as client, trust.wrap_socket(client, server_hostname="127.0.0.1") as spoken:
                spoken.sendall(GET)
                return bytes(spoken.recv(12))

        assert speak() == b"HTTP/1.1 200"
        descriptors = victim.process.num_fds()
        silent = [victim.connect() for _ in range(20)]
        broken = [victim.connect(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03") for _ in range(20)]
        wrong = [victim.connect(GET) for _ in range(5)]
        assert speak() == b"HTTP/1.1 200"
        for client in (*silent, *broken, *wrong):
            assert answer(client)[:1] in (b"", b"\x15")  # nothing, or an alert
        until(lambda: victim.process.num_fds() <= descriptors, "a descriptor was kept")
        assert speak() == b"HTTP/1.1 200"


def test_the_end_is_clean_whatever_clients_are_at(tmp_path: Path) -> None:
    """Requests under way get their answers, exit status 0."""
    log = tmp_path / "log"
    with log.open("wb") as file, service_process(*OPTIONS, log=file) as (url, process):
        victim = Victim(url, process.pid)
        late = victim.connect(POST + b"Content-Length: 10\r\n\r\n12345")
        held = [
            victim.connect(*pieces)
            for pieces in ([], [b"GET / HT"], [UPGRADE], [UPGRADE + b"\r\n"], [GET], [GET, UPGRADE + b"Cookie: "])
        ]
        unread = victim.connect(GET * 300, receive_buffer_bytes=2048)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        late.sendall(b"67890")
        found = late.recv(65_536)
        assert codes(found) == [400]
        assert process.wait(30) == 0
        for client in (*held, late, unread):
            client.close()
    assert "Traceback" not in log.read_text()


def test_a_log_that_nobody_reads_stops_nobody() -> None:
    """Its pipe is full after some hundred lines."""
    reading, writing = os.pipe()
    try:
        with open(writing, "wb", closefd=False) as log, service_process(*OPTIONS, log=log) as (url, process):
            victim = Victim(url, process.pid)
            refused = UPGRADE.replace(b"rascanet.v1", b"x" * 300) + b"\r\n"
            for _ in range(400):
                assert codes(answer(victim.connect(refused))) == [400]
            assert victim.text("/healthz/live")
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
    finally:
        os.close(reading)
        os.close(writing)
