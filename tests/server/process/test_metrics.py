from dataclasses import dataclass

import pytest

from sensor_sim.wire import Decision
from server.audit_counts import Outcome
from server.process.metrics import FOLDER, Metrics


@dataclass(eq=False)
class Session:
    bursts: int = 0
    shed: int = 0
    received_bytes: int = 0


def _value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def test_the_bursts_of_a_stream_are_counted_once_however_often_they_are_looked_at() -> None:
    metrics, session, other = Metrics(), Session(), Session(bursts=5)
    for bursts in (3, 3, 7):
        session.bursts, session.received_bytes, session.shed = bursts, 100 * bursts, bursts // 3
        metrics.follow([session, other], {"streaming": 2}, 9)
    session.bursts, session.received_bytes = 8, 800
    metrics.ended("end", session)
    metrics.follow([other], {"streaming": 1, "opening": 0}, 4)
    assert _value(metrics, "rascanet_bursts_received_total") == 13
    assert _value(metrics, "rascanet_received_bytes_total") == 800
    assert _value(metrics, "rascanet_frames_shed_total") == 2
    assert _value(metrics, "rascanet_streams_ended_total", reason="end") == 1
    assert _value(metrics, "rascanet_streams", phase="streaming") == 1
    assert _value(metrics, "rascanet_credits") == 4


@pytest.mark.parametrize(("audit", "rest"), [(False, "unread"), (True, "audited")])
def test_the_bursts_of_a_decision_are_counted_by_what_became_of_them(audit: bool, rest: str) -> None:
    metrics = Metrics()
    metrics.decided(Decision(0, 4, 0.9, True, True, 3, 2, 16, compute_us=30, audit=audit), 0.002)
    for outcome, bursts in {"processed": 3, "skipped": 2, rest: 16}.items():
        assert _value(metrics, "rascanet_bursts_total", outcome=outcome) == bursts
    assert _value(metrics, "rascanet_decisions_total", kind="exit") == 1
    assert _value(metrics, "rascanet_step_seconds_sum") == pytest.approx(10e-6), "the mean of a burst"
    assert _value(metrics, "rascanet_decision_latency_seconds_sum") == pytest.approx(0.002)


def test_states_lines_and_audits() -> None:
    metrics = Metrics()
    metrics.connected({"idle": 2, "closing": 0})
    metrics.connected({"idle": 1, "closing": 0})
    for dropped in (3, 3, 5):
        metrics.dropped(dropped)
    metrics.audited("105x120", Outcome.LOST)
    metrics.cut("idle")
    metrics.refused("server_full")
    assert _value(metrics, "rascanet_connections", state="idle") == 1
    assert _value(metrics, "rascanet_connections", state="closing") == 0
    assert _value(metrics, "rascanet_log_lines_dropped_total") == 5
    assert _value(metrics, "rascanet_audits_total", variant="105x120", outcome="lost") == 1
    assert _value(metrics, "rascanet_connections_cut_total", reason="idle") == 1
    assert _value(metrics, "rascanet_streams_refused_total", reason="server_full") == 1


def test_a_process_alone_tells_its_own_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(FOLDER, raising=False)
    metrics = Metrics()
    metrics.refused("draining")
    assert b'rascanet_streams_refused_total{reason="draining"} 1.0' in metrics.text()
