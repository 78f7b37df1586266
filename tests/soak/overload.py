"""Twice the admission limit offered: what the refused half does to the latency of the admitted one.

make overload      two measurements in turns, three rounds, printed as a table
"""

import asyncio
import statistics
import subprocess
import sys
import time

from clients.commands.bench.load import Load
from clients.commands.bench.processes import Generator, running
from clients.commands.demo import free_port
from sensor_sim.wire import SUBPROTOCOL

VARIANT = "105x120"
STREAMS = 100
FRAME_RATE = 3.0
SECONDS = 8.0
ROUNDS = 3
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


async def _knock(port: int, a_second: float) -> None:
    """Upgrade attempts, evenly, until ended; counts what is answered."""
    await asyncio.sleep(3)  # until the admitted streams are open
    refused = other = 0
    began = time.monotonic()
    deadline = began + SECONDS
    while time.monotonic() < deadline:
        due = began + (refused + other) / a_second
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        if (await _attempt(port)).endswith(b"503"):
            refused += 1
        else:
            other += 1
    print(f"{refused} attempts answered 503, {other} otherwise", file=sys.stderr, flush=True)


def main() -> None:
    """Measures and prints."""
    port = free_port()
    arguments = ["-m", "server", "--port", str(port), "--max-streams", str(STREAMS)]
    print(f"{STREAMS} streams of {VARIANT} at {FRAME_RATE:g} frames/s; excess: {STREAMS} upgrade attempts a second")
    ratios = []
    with running(arguments, port) as service, Generator() as generator:
        for _ in range(ROUNDS):
            p99 = {}
            for excess in (False, True):
                load = Load(
                    port=port, pid=service.pid, echo=False, variant=VARIANT, streams=STREAMS, bursts_per_message=1,
                    frame_rate=FRAME_RATE, warmup_s=4.0, seconds=SECONDS,
                )  # fmt: skip
                knocking = None
                if excess:
                    command = [sys.executable, "-m", "tests.soak.overload", str(port)]
                    knocking = subprocess.Popen(command)
                found = generator.measure(load)
                if knocking:
                    knocking.wait(60)
                p99[excess] = found.latencies_us[2]
                print(
                    f"{'with' if excess else 'without'} excess: p50 {found.latencies_us[0] / 1e3:.2f} ms, "
                    f"p99 {found.latencies_us[2] / 1e3:.2f} ms, busy {found.server_cpu_s / found.seconds:.0%}, "
                    f"kept up: {found.kept_up}",
                    flush=True,
                )
                time.sleep(1)
            ratios.append(p99[True] / p99[False])
    print(f"p99 with excess / without: median {statistics.median(ratios):.2f} of {ROUNDS} rounds")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        asyncio.run(_knock(int(sys.argv[1]), STREAMS))
    else:
        main()
