"""Streams with churn, cuts, kills and drains for minutes; every decision is compared with the one computed offline.

    make soak MINUTES=30

One service lives through all of it behind a proxy that cuts connections: its memory and descriptors are watched.
Another is killed or drained every few seconds and started again.
"""

import argparse
import asyncio
import random
import signal
import threading
import time
from typing import Any

import numpy as np
import psutil

from clients.commands.demo import free_port
from clients.python.client import AsyncClient
from model.checkpoint import load_checkpoint, shipped_weights
from model.exit_policy import parse_policy
from model.runtime import load_runtime
from model.scan import scan_frame
from sensor_sim.clock import VirtualClock
from sensor_sim.readout import ReadoutTiming
from sensor_sim.uplink import StreamError
from tests.clients.test_reconnect import QUICK, _Cutter, _service

POLICIES: tuple[dict[str, Any], ...] = (
    {"name": "never"},
    {"name": "published"},
    {"name": "published", "exit_threshold": 0.3, "skip_threshold": 0.1},
)


class Soak:
    """What runs, and what it found."""

    def __init__(self, seconds: float, seed: int) -> None:
        self.rng = random.Random(seed)
        self.until = time.monotonic() + seconds
        self.runtime = load_runtime(load_checkpoint(shipped_weights("105x120")))
        self.frames = np.random.default_rng(seed).integers(0, 256, (8, *self.runtime.config.frame_shape), np.uint8)
        self.expected = {
            (number, frame): scan_frame(self.runtime, self.frames[frame], parse_policy(policy))
            for number, policy in enumerate(POLICIES)
            for frame in range(len(self.frames))
        }
        self.decisions = self.wrong = self.streams = self.resumed = self.restarts = 0

    async def client(self, urls: list[str]) -> None:
        """Stream after stream, until the time is up."""
        while time.monotonic() < self.until:
            try:
                await self.stream(self.rng.choice(urls))
            except StreamError as error:
                if error.code != "no_connection":
                    raise
                await asyncio.sleep(0.1)  # a first connection is not tried again; the service is being replaced

    async def stream(self, url: str) -> None:
        """One stream of a few frames."""
        number = self.rng.randrange(len(POLICIES))
        timing = ReadoutTiming(line_time_us=self.rng.choice((50.0, 300.0, 1000.0)))
        clock = VirtualClock() if self.rng.random() < 0.2 else None
        async with AsyncClient(url, policy=POLICIES[number], timing=timing, clock=clock, backoff=QUICK) as client:
            for _ in range(self.rng.randint(1, 20)):
                frame = self.rng.randrange(len(self.frames))
                decision = (await client.emit(self.frames[frame])).decision
                scan = self.expected[number, frame]
                same = (decision.processed, decision.skipped, decision.exited) == (
                    scan.processed, scan.skipped, scan.exited,
                ) and abs(decision.p_person - scan.p_person) < 1e-6  # fmt: skip
                self.decisions += 1
                self.wrong += not same
            self.resumed += client.resumed
            if self.rng.random() < 0.7:
                await client.end()  # the others just leave
        self.streams += 1


def main() -> None:
    """Runs it and prints what was found; fails on a wrong decision or a leak."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--minutes", type=float, default=30.0)
    arguments.add_argument("--clients", type=int, default=12)
    options = arguments.parse_args()
    steady_port, fickle_port = free_port(), free_port()
    services = {"steady": _service(steady_port), "fickle": _service(fickle_port)}
    process = psutil.Process(services["steady"].pid)
    cutter = _Cutter(steady_port, 400_000)
    soak = Soak(60 * options.minutes, 0)
    over = threading.Event()

    def watch() -> None:
        ticks = 0
        while not over.wait(5):
            ticks += 1
            services["fickle"].send_signal(soak.rng.choice((signal.SIGKILL, signal.SIGTERM)))
            services["fickle"].wait(30)
            services["fickle"] = _service(fickle_port)
            soak.restarts += 1
            if ticks % 6 == 1:
                print(
                    f"{soak.decisions} decisions, {process.memory_info().rss / 1e6:.1f} MB, "
                    f"{process.num_fds()} descriptors",
                    flush=True,
                )

    watching = threading.Thread(target=watch)
    try:
        fds = process.num_fds()
        watching.start()
        urls = [f"http://127.0.0.1:{port}" for port in (steady_port, cutter.port, fickle_port)]

        async def everybody() -> None:
            await asyncio.gather(*(soak.client(urls) for _ in range(options.clients)))

        asyncio.run(everybody())
        over.set()
        watching.join(60)
        time.sleep(11)  # closing handshakes that nobody answers
        leaked = process.num_fds() - fds
        print(
            f"{options.minutes:g} minutes: {soak.streams} streams, {soak.decisions} decisions, {soak.wrong} wrong, "
            f"{soak.resumed} connections made again, {soak.restarts} restarts; "
            f"{leaked} descriptors more than at first, "
            f"{process.memory_info().rss / 1e6:.1f} MB"
        )
        if soak.wrong or leaked > 1:
            raise SystemExit(1)
    finally:
        over.set()
        for service in services.values():
            service.kill()


if __name__ == "__main__":
    main()
