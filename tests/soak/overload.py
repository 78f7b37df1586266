"""Twice the admission limit offered: what the refused half does to the latency of the admitted one.

make overload      the limit measured (about 60 % busy), then two measurements in turns, three rounds; fails over 1.5
"""

import asyncio
import statistics
import subprocess
import sys
import time
from collections import Counter

from clients.commands.bench.load import Load
from clients.commands.bench.processes import Generator, pin, running
from clients.commands.ports import free_port
from sensor_sim.wire import SUBPROTOCOL

VARIANT = "105x120"
FRAME_RATE = 3.0
PROBED = 60
"""Streams with which the load of one is measured."""
BUSY = 0.6
MOST = 400
OPEN_S, WARMUP_S, SECONDS = 3.0, 4.0, 8.0
ROUNDS = 3
RATIO = 1.5
REQUEST = (
    "GET /v1/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\n"
    f"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: {SUBPROTOCOL}\r\n\r\n"
).encode()


async def _attempt(port: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(REQUEST)
    head = await reader.read(12)
    writer.close()
    return head


async def _knock(port: int, a_second: float, begin: float, end: float) -> None:
    """Upgrade attempts, evenly, between two moments of the monotonic clock; fails if one is not answered 503."""
    await asyncio.sleep(max(0.0, begin - time.monotonic()))
    answers: Counter[bytes] = Counter()
    began = time.monotonic()
    while (now := time.monotonic()) < end:
        await asyncio.sleep(max(0.0, began + answers.total() / a_second - now))
        answers[(await _attempt(port))[-3:]] += 1
    print(f"{answers.pop(b'503', 0)} attempts answered 503, {answers.total()} otherwise", flush=True)
    raise SystemExit(1 if answers else 0)


def _load(port: int, pid: int, streams: int) -> Load:
    return Load(
        port=port, pid=pid, echo=False, variant=VARIANT, streams=streams, bursts_per_message=1,
        frame_rate=FRAME_RATE, warmup_s=WARMUP_S, seconds=SECONDS,
    )  # fmt: skip


def _limit(generator: Generator) -> int:
    """So many streams keep the service about 60 % busy."""
    port = free_port()
    with running(["-m", "server", "--port", str(port), "--busy-limit", "1"], port) as service:
        found = generator.measure(_load(port, service.pid, PROBED))
    busy = found.server_cpu_s / found.seconds
    streams = max(1, min(MOST, round(PROBED * BUSY / busy)))
    print(f"{PROBED} streams of {VARIANT} at {FRAME_RATE:g} frames/s: {busy:.0%} busy; the limit is {streams} streams")
    return streams


def main() -> None:
    """Measures and prints."""
    with Generator() as generator:
        streams = _limit(generator)
        port = free_port()
        limits = ["--max-streams", str(streams), "--max-streams-per-address", str(streams)]
        with running(["-m", "server", "--port", str(port), *limits], port) as service:
            ratios = [_round(generator, port, service, streams) for _ in range(ROUNDS)]
            assert service.poll() is None, "the service died"
    ratio = statistics.median(ratios)
    print(f"p99 with {streams} attempts a second / without: median {ratio:.2f} of {ROUNDS} rounds")
    raise SystemExit(1 if ratio > RATIO else 0)


def _round(generator: Generator, port: int, service: "subprocess.Popen[bytes]", streams: int) -> float:
    """p99 of the admitted streams with the excess, over their p99 without."""
    p99 = {}
    for excess in (False, True):
        knocking = None
        if excess:
            now = time.monotonic()  # the admitted streams are open some seconds later, and end later than this
            between = [str(now + OPEN_S), str(now + WARMUP_S + SECONDS - 0.5)]
            command = [sys.executable, "-m", "tests.soak.overload", str(port), str(streams), *between]
            knocking = subprocess.Popen(command)
            pin(knocking.pid, 1)  # beside the generator: what it costs itself is not the service's
        found = generator.measure(_load(port, service.pid, streams))
        if knocking:
            assert knocking.wait(60) == 0, "an attempt was not answered 503"
        p50, _, p99[excess] = found.latencies_us
        print(
            f"{'with' if excess else 'without'} excess: p50 {p50 / 1e3:.2f} ms, p99 {p99[excess] / 1e3:.2f} ms, "
            f"busy {found.server_cpu_s / found.seconds:.0%}, kept up: {found.kept_up}, void: {found.void}",
            flush=True,
        )
        time.sleep(1)
    return p99[True] / p99[False]


if __name__ == "__main__":
    if len(sys.argv) > 1:
        asyncio.run(_knock(int(sys.argv[1]), *map(float, sys.argv[2:])))
    else:
        main()
