"""Metrics of the service, for `GET /metrics` (listed in docs/running.md).

Decisions are counted when they are made. Received bursts are read from the sessions a few times a second and at the end
of a stream, so no burst costs a count of its own.
"""

import os
from collections.abc import Iterable, Mapping
from typing import Final, Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from sensor_sim.wire import Decision
from server.audit_counts import Outcome
from server.audits import Watch

FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"
"""Environment variable with the folder of several workers' counts; must be set before this module is imported."""

LATENCY_S: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
STEP_S: Final = (5e-6, 1e-5, 1.5e-5, 2e-5, 3e-5, 5e-5, 7.5e-5, 1e-4, 1.5e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 1e-2)


class Counted(Protocol):
    """The session of a stream, as the counts need it.

    Attributes:
        bursts, shed: numbers of bursts received and of frames shed.
        received_bytes: bytes of these bursts' samples.
    """

    @property
    def bursts(self) -> int: ...
    @property
    def shed(self) -> int: ...
    @property
    def received_bytes(self) -> int: ...


class Metrics:
    """Counts of one process."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self._lines_seen = 0
        self.streams = Gauge(
            "rascanet_streams", "Open streams", ["phase"], registry=registry, multiprocess_mode="livesum"
        )
        self.credits = Gauge(
            "rascanet_credits",
            "Bursts that the open streams may still send",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self.tasks = Gauge("rascanet_tasks", "Tasks of the event loop", registry=registry, multiprocess_mode="livesum")
        self.busy = Gauge(
            "rascanet_busy_ratio", "Share of the time in which it works", registry=registry, multiprocess_mode="livemax"
        )
        self.loop_delay = Histogram(
            "rascanet_loop_delay_seconds", "Delay of the event loop's ticks", buckets=LATENCY_S, registry=registry
        )
        self._connections = Gauge(
            "rascanet_connections", "Open connections", ["state"], registry=registry, multiprocess_mode="livesum"
        )
        self._cut = Counter(
            "rascanet_connections_cut", "Connections ended by the service", ["reason"], registry=registry
        )
        self._lines_dropped = Counter(
            "rascanet_log_lines_dropped", "Lines of the log that were dropped", registry=registry
        )
        self._ended = Counter("rascanet_streams_ended", "Streams by why they ended", ["reason"], registry=registry)
        self._refused = Counter("rascanet_streams_refused", "Upgrades refused", ["reason"], registry=registry)
        self._bursts = Counter("rascanet_bursts", "Bursts of decided frames", ["outcome"], registry=registry)
        self._received = Counter("rascanet_bursts_received", "Bursts that came", registry=registry)
        self._received_bytes = Counter("rascanet_received_bytes", "Bytes of the rows that came", registry=registry)
        self._decisions = Counter("rascanet_decisions", "Frames decided", ["kind"], registry=registry)
        self._shed = Counter("rascanet_frames_shed", "Frames shed", registry=registry)
        self._latency = Histogram(
            "rascanet_decision_latency_seconds",
            "From when the message with a frame's deciding burst is taken until its decision is made",
            buckets=LATENCY_S,
            registry=registry,
        )
        self._step = Histogram(
            "rascanet_step_seconds",
            "The network's time for a burst, mean of a decided frame",
            buckets=STEP_S,
            registry=registry,
        )
        self._audits = Counter("rascanet_audits", "Audits of decisions", ["variant", "outcome"], registry=registry)
        self._evidence, self._risk_upper, self._alarm = (
            Gauge(name, text, ["variant"], registry=registry, multiprocess_mode="livemostrecent")
            for name, text in (
                ("rascanet_certificate_evidence", "Evidence against the certificate, log10; of all workers"),
                ("rascanet_certified_risk_upper_ratio", "Upper bound of the risk of early exits; of all workers"),
                ("rascanet_certificate_alarm", "1 once the certificate is refuted"),
            )
        )
        self._counted: dict[Counted, tuple[int, int, int]] = {}

    def watch(self, watches: Iterable[Watch]) -> None:
        """Sets the gauges of the certificates that are watched."""
        for watch in watches:
            self._evidence.labels(watch.variant).set(watch.log10_evidence)
            self._risk_upper.labels(watch.variant).set(watch.risk_upper)
            self._alarm.labels(watch.variant).set(watch.alarmed)

    def audited(self, variant: str, outcome: Outcome) -> None:
        """Counts an audit that is over."""
        self._audits.labels(variant, outcome).inc()

    def connected(self, numbers: Mapping[str, int]) -> None:
        """Sets the gauge of open connections; `numbers`: of the connections in each state, empty states included."""
        for state, number in numbers.items():
            self._connections.labels(state).set(number)

    def cut(self, reason: str) -> None:
        """Counts a connection that the service ended; `reason`: the state whose time was up, a limit, or a code."""
        self._cut.labels(reason).inc()

    def dropped(self, lines: int) -> None:
        """Sets the number of log lines dropped so far."""
        self._lines_dropped.inc(lines - self._lines_seen)
        self._lines_seen = lines

    def refused(self, code: str) -> None:
        self._refused.labels(code).inc()

    def follow(self, sessions: Iterable[Counted], phases: Mapping[str, int], credits_left: int) -> None:
        """Counts the bursts that open streams received since the last call.

        Args:
            sessions: sessions of the open streams.
            phases: number of streams in each phase, empty phases included.
            credits_left: number of bursts that the streams may still send, together.
        """
        for session in sessions:
            self._count(session)
        for phase, number in phases.items():
            self.streams.labels(phase).set(number)
        self.credits.set(credits_left)

    def ended(self, reason: str, session: Counted) -> None:
        self._ended.labels(reason).inc()
        self._count(session)
        del self._counted[session]

    def _count(self, session: Counted) -> None:
        """Counts a session's bursts since the last call."""
        now = session.bursts, session.received_bytes, session.shed
        before = self._counted.get(session, (0, 0, 0))
        self._counted[session] = now
        for counter, new, old in zip((self._received, self._received_bytes, self._shed), now, before, strict=True):
            if new != old:
                counter.inc(new - old)

    def decided(self, decision: Decision, seconds: float) -> None:
        self._decisions.labels("exit" if decision.exited else "end_of_frame").inc()
        for outcome in ("processed", "skipped", "unread"):
            counted_as = "audited" if outcome == "unread" and decision.audit else outcome
            self._bursts.labels(counted_as).inc(getattr(decision, outcome))
        self._latency.observe(seconds)
        self._step.observe(decision.compute_us / 1e6 / max(1, decision.processed))

    def text(self) -> bytes:
        """The metrics in Prometheus' text format; of all workers together where there are several."""
        folder = os.environ.get(FOLDER)
        if folder is None:
            return generate_latest(self.registry)
        registry = CollectorRegistry()
        MultiProcessCollector(registry, folder)
        return generate_latest(registry)
