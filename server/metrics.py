"""What is counted, for `GET /metrics` (listed in docs/reliability.md).

Streams are counted when they end and decisions when they are made: nothing is counted burst by burst.
"""

import os
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from sensor_sim.wire import Decision
from server.session import StreamSession

FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"
"""Environment variable: where several workers keep their counts; set before this module is imported."""

LATENCY_S: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)


class Metrics:
    """One process's counts."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.streams = Gauge("rascanet_streams", "Open streams", registry=registry, multiprocess_mode="livesum")
        self.loop_delay = Gauge(
            "rascanet_loop_delay_seconds", "Delay of the event loop", registry=registry, multiprocess_mode="livemax"
        )
        self.busy = Gauge(
            "rascanet_busy_ratio", "Share of the time in which it works", registry=registry, multiprocess_mode="livemax"
        )
        self._ended = Counter("rascanet_streams_ended", "Streams by why they ended", ["reason"], registry=registry)
        self._refused = Counter("rascanet_streams_refused", "Upgrades refused", ["reason"], registry=registry)
        self._bursts = Counter("rascanet_bursts", "Bursts of decided frames", ["outcome"], registry=registry)
        self._received = Counter("rascanet_bursts_received", "Bursts that came, of ended streams", registry=registry)
        self._decisions = Counter("rascanet_decisions", "Frames decided", ["kind"], registry=registry)
        self._shed = Counter("rascanet_frames_shed", "Frames shed, of ended streams", registry=registry)
        self._latency = Histogram(
            "rascanet_decision_latency_seconds",
            "From the arrival of the message with a frame's deciding burst until its decision was sent",
            buckets=LATENCY_S,
            registry=registry,
        )

    def refused(self, code: str) -> None:
        self._refused.labels(code).inc()

    def ended(self, reason: str, session: StreamSession) -> None:
        self._ended.labels(reason).inc()
        self._received.inc(session.bursts)
        self._shed.inc(session.shed)

    def decided(self, decision: Decision, seconds: float) -> None:
        self._decisions.labels("exit" if decision.exited else "end_of_frame").inc()
        for outcome in ("processed", "skipped", "unread"):
            self._bursts.labels(outcome).inc(getattr(decision, outcome))
        self._latency.observe(seconds)

    def text(self) -> bytes:
        """In Prometheus' text format; of all workers together where there are several."""
        folder = os.environ.get(FOLDER)
        if folder is None:
            return generate_latest(self.registry)
        for path in Path(folder).glob("gauge_live*_*.db"):
            pid = int(path.stem.rpartition("_")[2])
            if not Path(f"/proc/{pid}").exists():
                mark_process_dead(pid, folder)
        registry = CollectorRegistry()
        MultiProcessCollector(registry, folder)
        return generate_latest(registry)
