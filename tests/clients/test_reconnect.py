"""The client goes on by itself after its connection or its service is lost; decisions are those made offline."""

import asyncio
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec
import numpy as np
import pytest

from clients.commands.demo import free_port
from clients.python.client import AsyncClient, Client
from model.checkpoint import load_checkpoint, shipped_weights
from model.exit_policy import NeverExitPolicy
from model.runtime import StepRuntime, load_runtime
from model.scan import scan_frame
from sensor_sim.burst import Frame
from sensor_sim.clock import VirtualClock
from sensor_sim.readout import ReadoutTiming
from sensor_sim.uplink import Backoff
from sensor_sim.wire import Decision

NEVER = {"name": "never"}
QUICK = Backoff(attempts=200, first_s=0.02, most_s=0.1)
KEY = "k" * 32
FRAMES = 12


def _frames(count: int, shape: tuple[int, ...]) -> list[Frame]:
    return list(np.random.default_rng(3).integers(0, 256, (count, *shape), np.uint8))


def _service(port: int, *options: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "server", "--port", str(port), "--resume-key", KEY, *options]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz/live", timeout=5).close()
        except OSError:
            assert process.poll() is None
            time.sleep(0.02)
        else:
            return process
    pytest.fail("the service did not start")


async def _stream(url: str, frames: list[Frame], streams: int) -> tuple[list[list[float]], int]:
    """P(person) of every frame in every stream, and how often they connected again."""
    timing = ReadoutTiming(line_time_us=600)  # 63 ms a frame

    async def one() -> tuple[list[float], int]:
        async with AsyncClient(url, policy=NEVER, timing=timing, backoff=QUICK) as client:
            return [report.decision.p_person async for report in client.stream(frames)], client.resumed

    found = await asyncio.gather(*(one() for _ in range(streams)))
    return [decisions for decisions, _ in found], sum(resumed for _, resumed in found)


@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGTERM], ids=["kill", "drain"])
def test_decisions_survive_the_service(stop: signal.Signals) -> None:
    runtime: StepRuntime = load_runtime(load_checkpoint(shipped_weights("105x120")))
    frames = _frames(FRAMES, runtime.config.frame_shape)
    expected = [scan_frame(runtime, frame, NeverExitPolicy()).p_person for frame in frames]
    port = free_port()
    services = [_service(port)]

    def replace() -> None:
        time.sleep(0.25)  # well within the streams' 0.75 s
        services[-1].send_signal(stop)
        assert services[-1].wait(30) == (0 if stop is signal.SIGTERM else -stop)
        services.append(_service(port))

    replacing = threading.Thread(target=replace)
    try:
        replacing.start()
        found, resumed = asyncio.run(_stream(f"http://127.0.0.1:{port}", frames, streams=4))
        replacing.join(60)
    finally:
        for service in services:
            service.kill()
            service.wait(10)
    assert resumed >= 4
    for decisions in found:
        assert decisions == pytest.approx(expected, abs=1e-6)


def _untimed(decision: Decision | None) -> Decision:
    """A decision without the time that it took."""
    assert decision is not None
    return msgspec.structs.replace(decision, compute_us=0)


class _Cutter:
    """A proxy that cuts every connection after some bytes towards the service, in the middle of a message."""

    def __init__(self, port: int, after_bytes: int) -> None:
        self._to, self._after = port, after_bytes
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self._to))
            threading.Thread(target=self._pass, args=(near, far, self._after), daemon=True).start()
            threading.Thread(target=self._pass, args=(far, near, 1 << 40), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket, left: int) -> None:
        try:
            while left > 0 and (data := source.recv(min(4096, left))):
                sink.sendall(data)
                left -= len(data)
        except OSError:
            pass
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def close(self) -> None:
        self._listener.close()


@pytest.mark.parametrize("checkpoints", [True, False])
def test_a_connection_that_is_cut_again_and_again(
    service_url: str, checkpoints: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clients.python.client.CHECKPOINT_EVERY", 4 if checkpoints else 0)
    after = 25_000 if checkpoints else 60_000  # less than a frame of 37,800 bytes, or more than one
    cutter = _Cutter(int(service_url.rpartition(":")[2]), after)
    try:
        options: dict[str, Any] = {"policy": NEVER, "clock": VirtualClock(), "backoff": QUICK}
        with (
            Client(service_url, **options) as straight,
            Client(f"http://127.0.0.1:{cutter.port}", **options) as cut,
        ):
            frames = _frames(5, straight.geometry.frame_shape)
            expected = [_untimed(report.decision) for report in straight.stream(frames)]
            assert [_untimed(report.decision) for report in cut.stream(frames)] == expected
            assert cut.resumed >= 3
            assert cut.end() == straight.end()
    finally:
        cutter.close()


def test_small_credit_window_is_kept(start: Callable[..., str], service_url: str) -> None:
    url = start(credit_bursts=3)
    frames = _frames(3, (105, 120, 3))
    with (
        Client(url, policy=NEVER, timing=ReadoutTiming(line_time_us=1)) as narrow,
        Client(service_url, policy=NEVER, timing=ReadoutTiming(line_time_us=1)) as wide,
    ):
        assert [_untimed(report.decision) for report in narrow.stream(frames)] == [
            _untimed(report.decision) for report in wide.stream(frames)
        ]
