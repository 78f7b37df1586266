import logging

import pytest

from server.connections.places import Place
from server.connections.registry import Registry
from server.connections.states import Life, State
from server.process.clock import STALL_S, ServiceClock
from server.process.metrics import Metrics
from server.settings import Settings


class _Connection:
    """Notes when it is looked at."""

    def __init__(self, registry: Registry, state: State = State.IDLE) -> None:
        self.life = Life(registry.settings, state, registry.clock())
        self.looks: list[float] = []
        self.aborted = False

    def look(self, now: float) -> None:
        self.looks.append(now)

    def abort(self) -> None:
        self.aborted = True


def _registry(now: list[float], **settings: int) -> tuple[Registry, Metrics]:
    metrics = Metrics()
    return Registry(Settings(**settings), metrics, ServiceClock(lambda: now[0])), metrics  # type: ignore[arg-type]


def test_places_are_given_back_once() -> None:
    registry, _ = _registry([0.0], max_connections_per_address=1)
    first, second = _Connection(registry), _Connection(registry)
    assert registry.enter(first, "192.0.2.1") is Place.ORDINARY
    assert registry.enter(second, "192.0.2.1") is Place.TOO_MANY_OF_CLIENT
    assert not registry.remove(second)
    assert registry.remove(first)
    assert not registry.remove(first)
    assert registry.enter(second, "192.0.2.1") is Place.ORDINARY
    assert len(registry) == 1


def test_a_sweep_looks_at_every_connection_by_a_clock_that_stands_still_with_the_service() -> None:
    now = [100.0]
    registry, metrics = _registry(now)
    connections = [_Connection(registry), _Connection(registry, State.STREAMING)]
    for connection in connections:
        registry.enter(connection, "192.0.2.1")
    for step_s in (0.25, 0.25, 100 * STALL_S, 0.25):
        registry.sweep()
        now[0] += step_s
    registry.sweep()
    for connection in connections:
        assert connection.looks == [100.0, 100.25, 100.5, 100.5, 100.75]
    text = metrics.text().decode()
    assert 'rascanet_connections{state="idle"} 1.0' in text
    assert 'rascanet_connections{state="streaming"} 1.0' in text
    assert 'rascanet_connections{state="closing"} 0.0' in text


def test_what_is_cut_is_counted_and_logged_but_for_what_is_routine(caplog: pytest.LogCaptureFixture) -> None:
    registry, metrics = _registry([0.0])
    connection = _Connection(registry)
    registry.enter(connection, "192.0.2.1")
    with caplog.at_level(logging.INFO):
        for reason in (State.IDLE, State.UNREAD, "head_too_large"):
            registry.cut(connection, reason)
    assert [record.facts for record in caplog.records] == [  # type: ignore[attr-defined]
        {"reason": "unread", "address": "192.0.2.1"},
        {"reason": "head_too_large", "address": "192.0.2.1"},
    ]
    assert 'rascanet_connections_cut_total{reason="idle"} 1.0' in metrics.text().decode()
