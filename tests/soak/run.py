"""Mixed traffic with churn, faults, kills and drains for minutes; every decision is compared with the one made offline.

    make soak MINUTES=30

One service lives through all of it, reached directly and through a proxy that cuts, resets, half-closes and delays: its
memory, descriptors, tasks, sessions and latency are watched. Another is killed or drained every few seconds and started
again. Pictures over HTTP, broken messages, unfinished upgrades and clients that vanish run beside the streams.
"""

import argparse
import asyncio
import io
import json
import random
import re
import signal
import statistics
import subprocess
import threading
import time
import urllib.request
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import psutil
from PIL import Image
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from clients.commands.ports import free_port
from clients.python.client import AsyncClient
from model.checkpoint import load_checkpoint, shipped_weights
from model.exit_policy import parse_policy
from model.runtime import load_runtime
from model.scan import FrameScan, scan_frame
from sensor_sim.clock import VirtualClock
from sensor_sim.readout import ReadoutTiming
from sensor_sim.uplink import StreamError
from sensor_sim.wire import SUBPROTOCOL, Hello, encode
from tests.faults.proxy import Fault, FaultyProxy
from tests.service_process import QUICK, resumable_service

VARIANTS = ("105x120", "210x240")
POLICIES: tuple[dict[str, Any], ...] = (
    {"name": "never"},
    {"name": "published"},
    {"name": "published", "exit_threshold": 0.3, "skip_threshold": 0.1},
)
FAULTS = (
    Fault("cut", 400_000),
    Fault("reset", 150_000),
    Fault("half_close", 90_000),
    Fault("cut", delay_s=0.002),
    Fault("cut", 30_000, piece_bytes=97),
)
REPLACED_S, LOOK_S = 10.0, 30.0
GROWTH = 1.05
"""Of resident memory from the second quarter of the time to the last, at most."""


@dataclass
class Watched:
    """What the lasting service was seen to be at one moment."""

    rss_mb: float
    descriptors: int
    tasks: float
    streams: float
    decisions: float
    failures: float
    latency: dict[float, float] = field(repr=False)  # bucket's upper bound: decisions at most so late


class Soak:
    """What runs, and what it found."""

    def __init__(self, seconds: float, seed: int) -> None:
        self.rng = random.Random(seed)
        self.until = time.monotonic() + seconds
        rng = np.random.default_rng(seed)
        self.frames: dict[str, Any] = {}
        self.expected: dict[tuple[str, int, int], FrameScan] = {}
        for variant in VARIANTS:
            if not shipped_weights(variant).is_file():
                continue
            runtime = load_runtime(load_checkpoint(shipped_weights(variant)))
            self.frames[variant] = rng.integers(0, 256, (8, *runtime.config.frame_shape), np.uint8)
            for number, policy in enumerate(POLICIES):
                for frame, pixels in enumerate(self.frames[variant]):
                    self.expected[variant, number, frame] = scan_frame(runtime, pixels, parse_policy(policy))
        self.decisions = self.pictures = self.wrong = self.streams = self.resumed = self.restarts = self.attacks = 0
        self.given_up = 0

    def judge(self, variant: str, number: int, frame: int, found: dict[str, Any]) -> None:
        """Compares a decision with the one made offline."""
        scan = self.expected[variant, number, frame]
        same = all(found[name] == getattr(scan, name) for name in ("processed", "skipped", "exited", "person"))
        self.wrong += not (same and abs(found["p_person"] - scan.p_person) < 1e-6)

    async def everybody(self, clients: int, steady: int, faulty: int, fickle: int) -> None:
        """All that goes on, until the time is up; ports of the services and of the proxy."""
        await asyncio.gather(
            *(self.client([steady, faulty, fickle], fickle) for _ in range(clients)),
            self.photographer(f"http://127.0.0.1:{steady}"),
            self.vandal(steady),
        )

    async def client(self, ports: list[int], fickle: int) -> None:
        """Stream after stream, until the time is up."""
        while time.monotonic() < self.until:
            port = self.rng.choice(ports)
            try:
                await self.stream(f"http://127.0.0.1:{port}")
            except StreamError as error:
                if port != fickle and not error.retry:
                    raise
                self.given_up += 1  # the service is being replaced, and a busy machine takes its time over it
                await asyncio.sleep(0.1)

    async def stream(self, url: str) -> None:
        """One stream of a few frames."""
        variant = self.rng.choice(list(self.frames))
        number = self.rng.randrange(len(POLICIES))
        timing = ReadoutTiming(line_time_us=self.rng.choice((50.0, 300.0, 1000.0)))
        clock = VirtualClock() if self.rng.random() < 0.2 else None
        async with AsyncClient(
            url, variant, policy=POLICIES[number], timing=timing, clock=clock, backoff=QUICK
        ) as client:
            for _ in range(self.rng.randint(1, 20)):
                frame = self.rng.randrange(len(self.frames[variant]))
                decision = (await client.emit(self.frames[variant][frame])).decision
                self.judge(
                    variant, number, frame, {name: getattr(decision, name) for name in decision.__struct_fields__}
                )
                self.decisions += 1
            self.resumed += client.resumed
            if self.rng.random() < 0.7:
                await client.end()  # the others just leave
        self.streams += 1

    async def photographer(self, url: str) -> None:
        """Pictures over HTTP, one after the other."""
        while time.monotonic() < self.until:
            variant = self.rng.choice(list(self.frames))
            frame = self.rng.randrange(len(self.frames[variant]))
            await asyncio.sleep(0.2)
            self.judge(variant, 0, frame, await asyncio.to_thread(_classify, url, variant, self.frames[variant][frame]))
            self.pictures += 1

    async def vandal(self, port: int) -> None:
        """Broken messages, unfinished upgrades, streams left in mid-frame without a word."""
        while time.monotonic() < self.until:
            await asyncio.sleep(0.5)
            self.attacks += 1
            with suppress(OSError, Exception):
                match self.attacks % 4:
                    case 0:
                        _, writer = await asyncio.open_connection("127.0.0.1", port)
                        writer.write(b"GET /v1/stream HTTP/1.1\r\nUpgrade: websock")
                        await writer.drain()
                        await asyncio.sleep(0.1)
                        writer.transport.abort()
                    case 1:
                        async with self.connected(port) as connection:
                            await connection.send(self.rng.randbytes(self.rng.randrange(2000)))
                            await connection.recv()
                    case 2:
                        async with self.connected(port) as connection:
                            await connection.send(encode(Hello("105x120")))
                            await connection.recv()
                            connection.transport.abort()
                    case _:
                        async with self.connected(port) as connection:
                            for _ in range(200):
                                await connection.ping()

    @staticmethod
    def connected(port: int) -> connect:
        """A bare websocket."""
        url = f"ws://127.0.0.1:{port}/v1/stream"
        return connect(url, subprotocols=[Subprotocol(SUBPROTOCOL)], compression=None, proxy=None)


def _classify(url: str, variant: str, frame: Any) -> dict[str, Any]:
    picture = io.BytesIO()
    Image.fromarray(frame).save(picture, "PNG")
    request = urllib.request.Request(
        f"{url}/v1/classify?variant={variant}&policy=never", picture.getvalue(), {"Content-Type": "image/png"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        entry: dict[str, Any] = json.load(answer)["results"][0]
    return entry


def _look(process: psutil.Process, url: str) -> Watched:
    """Asks the system and the service itself."""
    with urllib.request.urlopen(f"{url}/metrics", timeout=60) as answer:
        text = answer.read().decode()
    values = {name: float(value) for name, value in re.findall(r"^(rascanet\S+) (\S+)$", text, re.MULTILINE)}
    failures = values.get('rascanet_streams_ended_total{reason="internal"}', 0.0)
    bucket = 'rascanet_decision_latency_seconds_bucket{le="'
    return Watched(
        process.memory_info().rss / 1e6,
        process.num_fds(),
        values["rascanet_tasks"],
        sum(value for name, value in values.items() if name.startswith("rascanet_streams{")),
        sum(value for name, value in values.items() if name.startswith("rascanet_decisions_total")),
        failures,
        {float(name.split('"')[1]): value for name, value in values.items() if name.startswith(bucket)},
    )


def _p99_ms(before: Watched, after: Watched) -> float:
    """Upper bound of the bucket that holds the p99 of the decisions between two looks."""
    total = after.decisions - before.decisions
    for bound, count in sorted(after.latency.items()):
        if count - before.latency[bound] >= 0.99 * total:
            return bound * 1e3
    return float("inf")


def main() -> None:
    """Runs it and prints what was found; fails on a wrong decision or a leak."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--minutes", type=float, default=30.0)
    arguments.add_argument("--clients", type=int, default=12)
    arguments.add_argument("--seed", type=int, default=0)
    options = arguments.parse_args()
    with ExitStack() as stack:
        steady_port, fickle_port = free_port(), free_port()
        services: dict[str, subprocess.Popen[bytes]] = {}
        stack.callback(_kill, services)
        for name, port in (("steady", steady_port), ("fickle", fickle_port)):
            services[name] = resumable_service(port)
        steady = f"http://127.0.0.1:{steady_port}"
        process = psutil.Process(services["steady"].pid)
        proxy = FaultyProxy(steady_port, FAULTS)
        stack.callback(proxy.close)
        soak = Soak(60 * options.minutes, options.seed)
        over = threading.Event()
        looks = [_look(process, steady)]

        def disturb() -> None:
            while not over.wait(REPLACED_S):
                services["fickle"].send_signal(soak.rng.choice((signal.SIGKILL, signal.SIGTERM)))
                services["fickle"].wait(30)
                services["fickle"] = resumable_service(fickle_port)
                soak.restarts += 1

        def watch() -> None:
            while not over.wait(LOOK_S):
                looks.append(_look(process, steady))
                print(f"{soak.decisions} decisions, p99 <= {_p99_ms(*looks[-2:]):g} ms, {looks[-1]}", flush=True)

        threads = [threading.Thread(target=task) for task in (disturb, watch)]
        for thread in threads:
            thread.start()
            stack.callback(thread.join, 60)
        stack.callback(over.set)
        asyncio.run(soak.everybody(options.clients, steady_port, proxy.port, fickle_port))
        over.set()
        for thread in threads:
            thread.join(60)
        proxy.close()
        time.sleep(22)  # closing handshakes that nobody answers
        raise SystemExit(_report(soak, looks, _look(process, steady), options.minutes))


def _kill(services: dict[str, "subprocess.Popen[bytes]"]) -> None:
    for service in services.values():
        service.kill()


def _report(soak: Soak, looks: list[Watched], last: Watched, minutes: float) -> str | None:
    """Prints the figures; what is wrong with them."""
    first, quarter = looks[0], len(looks) // 4
    print(
        f"{minutes:g} minutes: {soak.streams} streams, {soak.decisions} decisions and {soak.pictures} pictures, "
        f"{soak.wrong} wrong; {soak.resumed} connections made again, {soak.restarts} kills and drains, "
        f"{soak.given_up} streams given up meanwhile, {soak.attacks} attacks"
    )
    if quarter >= 2:
        early = statistics.median(look.rss_mb for look in looks[quarter : 2 * quarter])
        late = statistics.median(look.rss_mb for look in looks[-quarter:])
        print(f"resident memory {early:.1f} MB in the second quarter, {late:.1f} MB in the last")
        middle = looks[len(looks) // 2]
        before, after = _p99_ms(looks[1], middle), _p99_ms(middle, last)
        print(f"p99 of decisions <= {before:g} ms before, <= {after:g} ms after half-time")
    print(f"before: {first}\nafter:  {last}")
    wrong = [
        (soak.wrong > 0, "wrong decisions"),
        (last.failures > 0, "streams that the server failed"),
        (last.streams > 0, "leaked sessions"),
        (last.tasks > first.tasks, "leaked tasks"),
        (last.descriptors > first.descriptors + 1, "leaked descriptors"),
        (quarter >= 2 and late > GROWTH * early, "growing memory"),
    ]
    return "; ".join(words for is_so, words in wrong if is_so) or None


if __name__ == "__main__":
    main()
