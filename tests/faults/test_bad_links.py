"""A link that cuts, resets, half-closes, stalls, delays and fragments: decisions are those of a straight connection."""

from typing import Any

import msgspec
import pytest

from clients.python.client import Client
from sensor_sim.clock import VirtualClock
from sensor_sim.wire import Decision
from tests.faults.offline import random_frames
from tests.faults.proxy import Fault, FaultyProxy
from tests.service_process import QUICK

NEVER = {"name": "never"}

WITHIN_A_FRAME = {
    "cut in mid-message": [Fault("cut", 25_000)],
    "reset": [Fault("reset", 25_000)],
    "half-closed": [Fault("half_close", 25_000)],
    "stalled": [Fault("stall", 25_000), Fault()],
}
"""Where a connection never lives for a whole frame, tokens within it are what gets the stream on."""
BETWEEN_FRAMES = {
    "cut before welcome": [Fault("cut", 300), Fault("reset", 320), Fault("cut", 60_000)],
    "cut after the first token": [Fault("cut", 1000), Fault("cut", 60_000)],
    "reset": [Fault("reset", 60_000)],
    "half-closed": [Fault("half_close", 60_000)],
    "delayed": [Fault("cut", 100_000, delay_s=0.001)],
    "37 bytes at a time": [Fault("cut", 50_000, piece_bytes=37)],
}


def _untimed(decision: Decision | None) -> Decision:
    """A decision without the time that it took, nor what depends on the connection."""
    assert decision is not None
    return msgspec.structs.replace(decision, compute_us=0)


@pytest.mark.parametrize("faults", WITHIN_A_FRAME.values(), ids=WITHIN_A_FRAME)
def test_links_that_never_last_a_frame(service_url: str, faults: list[Fault], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clients.python.client.CHECKPOINT_EVERY", 4)
    _stream_through(service_url, faults, monkeypatch)


@pytest.mark.parametrize("faults", BETWEEN_FRAMES.values(), ids=BETWEEN_FRAMES)
def test_links_without_tokens_in_the_frame(
    service_url: str, faults: list[Fault], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clients.python.client.CHECKPOINT_EVERY", 0)
    _stream_through(service_url, faults, monkeypatch)


def _stream_through(service_url: str, faults: list[Fault], monkeypatch: pytest.MonkeyPatch) -> None:
    """Streams the same frames straight and through the faults."""
    monkeypatch.setattr("sensor_sim.uplink.PING_S", 0.3)
    monkeypatch.setattr("sensor_sim.uplink.PONG_S", 0.3)
    proxy = FaultyProxy(int(service_url.rpartition(":")[2]), faults)
    options: dict[str, Any] = {"policy": NEVER, "clock": VirtualClock(), "backoff": QUICK}
    try:
        with (
            Client(service_url, **options) as straight,
            Client(f"http://127.0.0.1:{proxy.port}", **options) as faulty,
        ):
            frames = random_frames(3, straight.geometry.frame_shape)
            expected = [_untimed(report.decision) for report in straight.stream(frames)]
            assert [_untimed(report.decision) for report in faulty.stream(frames)] == expected
            assert faulty.resumed >= 1
            assert faulty.end() == straight.end()
    finally:
        proxy.close()
