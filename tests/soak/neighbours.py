"""Hostile neighbours: what they do to the latency of well-behaved streams beside them, quiet and hostile in turns.

    make soak               three rounds at its end; fails over twice the quiet p99, or if the service keeps anything

The attacks once held the service up, or kept what they were given: upgrades that are refused, slow or broken, uploads
that trickle, answers that nobody reads, pictures that are bombs, floods of tiny frames, requests in one read, chunks of
one byte, trailers without end. They come from addresses of their own, as fast as one process can.

Attackers, streams and service share the cores of one machine, where a process waits some milliseconds for its turn
whoever is attacked. So in quiet turns the neighbours besiege another service like it: the machine is as busy, and the
ratio says what they do to the service that they are at.
"""

import argparse
import asyncio
import os
import statistics
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import numpy as np
import psutil
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from sensor_sim.wire import SUBPROTOCOL, Decision, Hello, Progress, Rows, Welcome, decode, encode
from server.process.cores import usable_cores
from tests.service_process import service_process

VARIANT, BURST_SHAPE, BURSTS = "105x120", (5, 120, 3), 21
STREAMS = 6
BURST_S = 0.02
"""Between two bursts of a stream: two or three frames a second."""
HOSTILE = "127.0.0.2"
SETTLE_S = 30.0
RATIO = 2.0

HOST = b"Host: 127.0.0.1\r\n"
GET = b"GET /openapi.json HTTP/1.1\r\n" + HOST + b"\r\n"
POST = b"POST /v1/classify HTTP/1.1\r\nContent-Type: image/png\r\n" + HOST
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
UPGRADE = (
    b"GET /v1/stream HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: rascanet.v1\r\n" + HOST
)


def _png(width_px: int, height_px: int) -> bytes:
    """A grey picture of zeros: few bytes, many pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer, row = zlib.compressobj(9), bytes(width_px + 1)
    data = b"".join([*(packer.compress(row) for _ in range(height_px)), packer.flush()])
    head = struct.pack(">IIBBBBB", width_px, height_px, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


BOMB = _png(7000, 7000)


def _frame(opcode: int, data: bytes = b"", *, fin: bool = True) -> bytes:
    """One small websocket frame of a client, masked with zeros."""
    return bytes([fin << 7 | opcode, 0x80 | len(data)]) + bytes(4) + data


@dataclass(frozen=True)
class Attack:
    """What one hostile client does with one connection.

    Attributes:
        name: for people.
        pieces: what it sends, one after the other.
        pause_s: between them.
        times: how often the last piece is sent.
        reads: whether it waits for an answer.
    """

    name: str
    pieces: tuple[bytes, ...]
    pause_s: float = 0.0
    times: int = 1
    reads: bool = True


ATTACKS = (
    Attack("upgrades refused", (UPGRADE.replace(b"rascanet.v1", b"other") + b"\r\n",)),
    Attack("upgrades with a long cookie", (UPGRADE + b"Cookie: a=" + b"x" * 60_000 + b"\r\n\r\n",)),
    Attack("upgrades half done", (UPGRADE,), reads=False),
    Attack("upgrades that are none", (POST + b"Upgrade: h2c\r\nConnection: Upgrade\r\nContent-Length: 3\r\n\r\nabc",)),
    Attack("slow uploads", (POST + b"Content-Length: 100000\r\n\r\n", b"x"), 0.02, 50, reads=False),
    Attack("answers that nobody reads", (GET * 200,), 0.2, reads=False),
    Attack("bombs", (POST + b"Content-Length: %d\r\n\r\n" % len(BOMB) + BOMB,)),
    Attack("tiny frames", (UPGRADE + b"\r\n", _frame(9) * 2000), 0.01, 20, reads=False),
    Attack("fragments of nothing", (UPGRADE + b"\r\n", _frame(2, fin=False), _frame(0, fin=False) * 2000), 0.01, 20),
    Attack("requests in one read", (b"GET /healthz/live HTTP/1.1\r\n" + HOST + b"\r\n",), times=500),
    Attack("chunks of one byte", (CHUNKED, b"1\r\nx\r\n" * 5000), 0.01, 5, reads=False),
    Attack("trailers without end", (CHUNKED + b"1\r\nx\r\n0\r\n", b"A: " + b"a" * 9000 + b"\r\n"), 0.0, 50),
    Attack("another byte after an answer", (GET, b"\r\n"), 0.02, reads=False),
)


async def _carry_out(attack: Attack, port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(HOSTILE, 0))
    try:
        *first, last = attack.pieces
        for piece in (*first, *[last] * attack.times):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(attack.pause_s)
        if attack.reads:
            await reader.read(1000)
    finally:
        writer.transport.abort()


async def _besiege(port: int, seconds: float) -> None:
    """Every attack again and again; says how many of each there were."""
    until = time.monotonic() + seconds
    counts = dict.fromkeys((attack.name for attack in ATTACKS), 0)

    async def repeat(attack: Attack) -> None:
        while time.monotonic() < until:
            with suppress(OSError, TimeoutError):
                await asyncio.wait_for(_carry_out(attack, port), 5)
            counts[attack.name] += 1
            await asyncio.sleep(0.005)

    await asyncio.gather(*map(repeat, ATTACKS))
    print(", ".join(f"{count} {name}" for name, count in counts.items()), flush=True)


async def _stream(port: int, seconds: float, latencies_s: list[float]) -> None:
    """One well-behaved stream; notes for every burst how long its answer took."""
    until = time.monotonic() + seconds
    rows = np.random.default_rng(0).integers(0, 256, BURST_SHAPE, np.uint8)
    url, offered = f"ws://127.0.0.1:{port}/v1/stream", [Subprotocol(SUBPROTOCOL)]
    async with connect(url, subprotocols=offered, compression=None, proxy=None) as connection:
        await connection.send(encode(Hello(VARIANT, {"name": "never"}, 1)))
        assert isinstance(decode(await connection.recv()), Welcome)
        number = 0
        while time.monotonic() < until:
            sent = time.perf_counter()
            await connection.send(encode(Rows(number // BURSTS, number % BURSTS, 1, 0, rows)))
            awaited = Decision if number % BURSTS == BURSTS - 1 else Progress
            while not isinstance(decode(await connection.recv()), awaited):
                pass
            latencies_s.append(time.perf_counter() - sent)
            number += 1
            await asyncio.sleep(BURST_S)


def measure(port: int, seconds: float) -> list[float]:
    """Seconds that answers to bursts took, of all streams together, sorted."""
    latencies_s: list[float] = []

    async def everybody() -> None:
        await asyncio.gather(*(_stream(port, seconds, latencies_s) for _ in range(STREAMS)))

    asyncio.run(everybody())
    return sorted(latencies_s)


def besieged(port: int, seconds: float, measured: Callable[[], list[float]]) -> list[float]:
    """The same, with the neighbours at it in a process of their own."""
    command = [sys.executable, "-m", "tests.soak.neighbours", "--attack", str(port), "--seconds", str(seconds)]
    with subprocess.Popen(command) as hostile:
        found = measured()
        assert hostile.wait(60) == 0
    return found


def kept(process: psutil.Process, descriptors: int) -> str | None:
    """What the service has not given back of all that the neighbours held; None once it has."""
    until = time.monotonic() + SETTLE_S
    while True:
        connections = len(process.net_connections("tcp")) - 1  # beside the one that listens
        more = process.num_fds() - descriptors
        if not connections and more <= 0:
            return None
        if time.monotonic() > until:
            return f"{connections} connections and {more} descriptors were kept"
        time.sleep(0.1)


def main() -> None:
    """Measures and prints; or attacks."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--attack", type=int)
    arguments.add_argument("--seconds", type=float, default=10.0)
    arguments.add_argument("--rounds", type=int, default=3)
    options = arguments.parse_args()
    if options.attack:
        os.nice(19)  # they stand for other machines: the cores are the service's
        asyncio.run(_besiege(options.attack, options.seconds))
        return
    limits = ["--busy-limit", "1", "--handshake-s", "3", "--send-s", "3", "--request-s", "10"]
    with service_process(*limits) as (url, service), service_process(*limits) as (other, _):
        port, other_port = (int(each.rpartition(":")[2]) for each in (url, other))
        raise SystemExit(_rounds(port, other_port, psutil.Process(service.pid), options))


def _rounds(port: int, other_port: int, process: psutil.Process, options: argparse.Namespace) -> str | None:
    """Quiet and hostile in turns; what is wrong with what was found."""
    besieged(port, 4.0, lambda: measure(port, 4.0))  # what is made once, decoders of pictures for one, is made
    kept(process, 0)
    descriptors = process.num_fds() + usable_cores()  # a decoder more may be started
    ratios, resident_mb = [], []
    for _ in range(options.rounds):
        p99_ms = []
        for hostile in (False, True):
            measured = partial(measure, port, options.seconds)
            found = besieged(port if hostile else other_port, options.seconds, measured)
            p50_ms, last_ms = (found[int(share * len(found))] * 1e3 for share in (0.5, 0.99))
            print(f"hostile: {hostile}, {len(found)} bursts, p50 {p50_ms:.2f} ms, p99 {last_ms:.2f} ms", flush=True)
            p99_ms.append(last_ms)
        ratios.append(p99_ms[1] / p99_ms[0])
        if wrong := kept(process, descriptors):
            return wrong
        resident_mb.append(round(process.memory_info().rss / 1e6, 1))
    ratio = statistics.median(ratios)
    print(f"p99 hostile / quiet: median {ratio:.2f} of {options.rounds} rounds; resident memory {resident_mb} MB")
    return f"the ratio is over {RATIO:g}" if ratio > RATIO else None


if __name__ == "__main__":
    main()
