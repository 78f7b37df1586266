"""Clients that read slowly, write slowly, flood, vanish and repeat themselves; the service frees what they held.

Raw sockets, since no websocket library misbehaves like this.
"""

import socket
import struct
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import count

import numpy as np
import psutil
import pytest

from clients.python.client import Client
from sensor_sim.clock import VirtualClock
from sensor_sim.wire import SUBPROTOCOL, Decision, Error, Hello, Message, Resume, Rows, Welcome, decode, encode
from server.connections.places import RESERVE
from tests.service_process import metric, service_process
from tests.waiting import until

VARIANT = "105x120"
SHAPE = (5, 120, 3)
LIMITS = {
    "idle-s": 1.0, "send-s": 0.5, "handshake-s": 0.7, "ping-s": 0.3, "stream-s": 60, "max-connections": 300,
    "message-bytes": 20_000, "max-streams": 50, "max-streams-per-address": 50, "busy-limit": 1,
    "credit-bursts": 100_000,
}  # fmt: skip


class Raw:
    """A websocket by hand: nothing is answered by itself."""

    def __init__(self, port: int, *, upgrade: bool = True, receive_buffer: int | None = None) -> None:
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(20)
        self.socket.connect(("127.0.0.1", port))
        self._file = self.socket.makefile("rb")
        if upgrade:
            self.socket.sendall(
                b"GET /v1/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
                b"Sec-WebSocket-Protocol: " + SUBPROTOCOL.encode() + b"\r\n\r\n"
            )
            self.status = int(self._file.readline().split()[1])
            while self._file.readline().strip():
                pass

    @staticmethod
    def frame(opcode: int, data: bytes, *, fin: bool = True) -> bytes:
        """One websocket frame, masked with zeros."""
        size = len(data)
        length = bytes([0x80 | size]) if size < 126 else b"\xfe" + struct.pack(">H", size)
        return bytes([fin << 7 | opcode]) + length + bytes(4) + data

    def send(self, message: Message) -> None:
        data = encode(message)
        self.socket.sendall(self.frame(1, data.encode()) if isinstance(data, str) else self.frame(2, data))

    def next_frame(self) -> tuple[int, bytes]:
        """Opcode and data of the server's next frame; opcode -1 at the end."""
        head = self._file.read(2)
        if len(head) < 2:
            return -1, b""
        size = head[1] & 127
        if size == 126:
            size = struct.unpack(">H", self._file.read(2))[0]
        return head[0] & 15, self._file.read(size)

    def answer(self) -> Message | int:
        """The server's next message; a close code, or -1 for an end without one."""
        while True:
            opcode, data = self.next_frame()
            if opcode == 1:
                return decode(data.decode())
            if opcode == 8:
                return int(struct.unpack(">H", data[:2])[0])
            if opcode == -1:
                return -1

    def is_cut(self, seconds: float) -> bool:
        """Whether the server ends the connection in time, whatever it sends before."""
        deadline = time.monotonic() + seconds
        self.socket.settimeout(0.2)
        while time.monotonic() < deadline:
            try:
                if not self.socket.recv(65536):
                    return True
            except TimeoutError:
                continue
            except OSError:
                return True
        return False

    @property
    def is_reset(self) -> bool:
        """Whether the server has reset the connection."""
        self.socket.setblocking(False)
        try:
            self.socket.recv(1)
        except BlockingIOError:
            return False
        except ConnectionResetError:
            return True
        return False  # it was closed in peace

    def abort(self) -> None:
        """Resets the connection."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        self._file.close()
        self.socket.close()


class Victim:
    """The service under attack."""

    def __init__(self, url: str, pid: int) -> None:
        self.url, self.port = url, int(url.rpartition(":")[2])
        self.process = psutil.Process(pid)

    def ended(self, reason: str) -> float:
        return metric(self.url, "rascanet_streams_ended_total", reason=reason)

    def cut(self, reason: str) -> float:
        return metric(self.url, "rascanet_connections_cut_total", reason=reason)


@pytest.fixture(scope="module")
def service() -> Iterator[Victim]:
    options = [part for name, value in LIMITS.items() for part in (f"--{name}", str(value))]
    with service_process(*options) as (url, process):
        yield Victim(url, process.pid)


@pytest.fixture
def victim(service: Victim) -> Iterator[Victim]:
    """Checks afterwards that nothing was kept and that the service still serves."""
    descriptors, tasks = service.process.num_fds(), metric(service.url, "rascanet_tasks")
    yield service
    until(lambda: metric(service.url, "rascanet_streams") == 0, "a session was kept")
    until(lambda: service.process.num_fds() <= descriptors, "a descriptor was kept")
    assert metric(service.url, "rascanet_tasks") <= tasks
    with Client(service.url, policy={"name": "never"}, clock=VirtualClock()) as client:
        client.emit(np.zeros((105, 120, 3), np.uint8))


def _opened(victim: Victim, hello: Hello | None = None, receive_buffer: int | None = None) -> Raw:
    raw = Raw(victim.port, receive_buffer=receive_buffer)
    assert raw.status == 101
    raw.send(hello or Hello(VARIANT, {"name": "never"}, 0))
    assert isinstance(raw.answer(), Welcome)
    return raw


def _burst(index: int, frame_id: int = 0) -> Rows:
    return Rows(frame_id, index % 21, 1, 0, np.random.default_rng(index).integers(0, 256, SHAPE, np.uint8))


def test_a_slow_reader_is_cut_off(victim: Victim) -> None:
    before = victim.ended("slow_reader")
    raw = _opened(victim, Hello(VARIANT, {"name": "never"}, 1, checkpoint_every=1), receive_buffer=2048)
    raw.socket.settimeout(5)
    with suppress(OSError):  # its own writing is stopped too: nothing more is read from it
        for number in range(20_000):
            raw.send(_burst(number, number // 21))
    until(lambda: victim.ended("slow_reader") > before)
    raw.abort()


def test_one_that_never_answers_a_ping_is_found(victim: Victim) -> None:
    before = victim.ended("no_pong")
    raw, numbers = _opened(victim), count()

    def is_found() -> bool:
        number = next(numbers)
        with suppress(OSError):  # it talks, so it isn't idle
            raw.send(_burst(number, number // 21))
        return victim.ended("no_pong") > before

    until(is_found)
    raw.close()


def test_slow_heads_are_cut_off(victim: Victim) -> None:
    silent, trickling, endless = (Raw(victim.port, upgrade=False) for _ in range(3))
    endless.socket.sendall(b"GET / HTTP/1.1\r\n")
    with suppress(OSError):
        for _ in range(200):
            endless.socket.sendall(b"X-Filler: " + b"x" * 1000 + b"\r\n")
    for byte in b"GET /v1/st":
        with suppress(OSError):
            trickling.socket.sendall(bytes([byte]))
        time.sleep(0.1)
    for raw in (silent, trickling, endless):
        assert raw.is_cut(20)
        raw.close()


def test_more_connections_than_are_allowed(victim: Victim) -> None:
    """The exact number is for tests/server/connections/test_places.py: here some may have left before the last came."""
    before = victim.cut("max_connections")
    silent = [Raw(victim.port, upgrade=False) for _ in range(330)]
    reset = set[Raw]()

    def some_are_reset() -> bool:
        reset.update(raw for raw in silent[-30:] if raw.is_reset)
        return bool(reset)

    until(some_are_reset)
    for raw in silent:
        raw.close()
    assert len(reset) <= 30 - RESERVE

    def are_counted() -> bool:
        with suppress(ConnectionResetError):  # there may be no place yet
            return victim.cut("max_connections") > before
        return False

    until(are_counted)


def test_ten_thousand_connects(victim: Victim) -> None:
    resident = victim.process.memory_info().rss
    for number in range(10_000):
        raw = Raw(victim.port, upgrade=False)
        if number % 3 == 0:
            raw.socket.sendall(b"GET /v1/stream HTTP/1.1\r\nUpgrade: websocket\r\n")
        raw.abort()
    assert victim.process.memory_info().rss - resident < 20e6


def test_a_ping_flood(victim: Victim) -> None:
    """Answers to pings are not taken: the flood is not read any further, and others are served."""
    raw = _opened(victim, receive_buffer=2048)
    resident = victim.process.memory_info().rss
    raw.socket.settimeout(0.3)
    ping = Raw.frame(9, b"x" * 125) * 100
    with suppress(OSError):
        for _ in range(1000):
            raw.socket.sendall(ping)
    with Client(victim.url, policy={"name": "never"}, clock=VirtualClock()) as client:
        client.emit(np.zeros((105, 120, 3), np.uint8))
    assert victim.process.memory_info().rss - resident < 5e6
    raw.abort()


def test_fragments_of_one_byte(victim: Victim) -> None:
    raw = _opened(victim, Hello(VARIANT, {"name": "never"}, 0, checkpoint_every=1))
    data = encode(_burst(0))
    assert isinstance(data, bytes)
    pieces = [Raw.frame(0 if at else 2, data[at : at + 1], fin=at == len(data) - 1) for at in range(len(data))]
    raw.socket.sendall(b"".join(pieces))
    message = raw.answer()
    assert getattr(message, "burst_index", None) == 0
    for number in range(1, 21):
        raw.send(_burst(number))
    while not isinstance(message := raw.answer(), Decision):
        pass
    with Client(victim.url, policy={"name": "never"}, clock=VirtualClock()) as client:
        frame = np.concatenate([_burst(number).rows for number in range(21)])
        assert client.emit(frame).decision.p_person == message.p_person
    raw.abort()


def test_fragments_without_end(victim: Victim) -> None:
    raw = _opened(victim)
    raw.socket.sendall(Raw.frame(2, b"\x01", fin=False))
    with suppress(OSError):
        for _ in range(50):
            raw.socket.sendall(Raw.frame(0, b"x" * 1000, fin=False))
    assert raw.answer() in (1009, -1)
    raw.close()


def test_bursts_repeated_and_out_of_order(victim: Victim) -> None:
    for replayed in (_burst(0), _burst(2), _burst(0, frame_id=1)):
        raw = _opened(victim)
        raw.send(_burst(0))
        raw.send(replayed)
        error = raw.answer()
        assert isinstance(error, Error)
        assert error.code == "out_of_order"
        assert raw.answer() == 1008
        raw.close()


def test_the_same_token_twice_at_a_time(victim: Victim) -> None:
    """The replay rule: each use is a stream of its own with the same answers."""
    raw = _opened(victim, Hello(VARIANT, {"name": "never"}, 0, checkpoint_every=4))
    for number in range(4):
        raw.send(_burst(number))
    token = getattr(raw.answer(), "token", "")
    chances = set()
    twins = [Raw(victim.port) for _ in range(2)]
    for twin in twins:
        twin.send(Resume(token))
        welcome = twin.answer()
        assert isinstance(welcome, Welcome)
        assert welcome.position is not None
        assert (welcome.position.frame_id, welcome.position.next_burst) == (0, 4)
    for connection in (*twins, raw):
        for number in range(4, 21):
            connection.send(_burst(number))
        while not isinstance(message := connection.answer(), Decision):
            pass
        chances.add((message.p_person, message.processed))
        connection.abort()
    assert len(chances) == 1
