"""Held against queueing theory, and against what must be so whatever the numbers are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.commands.bench.replicas import Costs, Way, paced, serve


def test_waits_are_those_of_theory() -> None:
    """One loop, messages by chance, each with the same work: M/D/1, by Pollaczek and Khinchine."""
    rng, seconds = np.random.default_rng(0), 20.0
    for busy in (0.3, 0.6, 0.8):
        costs = Costs((1.0,), (1000.0,), 0.0)
        arrivals = np.cumsum(rng.exponential(1000.0 / busy, int(seconds * 1e3 * busy)))
        served = serve([arrivals], costs, seconds, 1)
        expected_us = 1000.0 * (1 + busy / (2 * (1 - busy)))
        assert served.latencies_us.mean() == pytest.approx(expected_us, rel=0.1)
        assert served.busy[0] == pytest.approx(busy, rel=0.05)


@given(
    streams=st.integers(1, 20), replicas=st.integers(1, 3), cores=st.integers(1, 2), message_us=st.floats(1, 100)
)  # fmt: skip
def test_every_message_is_answered_once_in_no_less_than_its_work(
    streams: int, replicas: int, cores: int, message_us: float
) -> None:
    costs = Costs((1.0,), (message_us,), 1000.0)
    arrivals = [paced(streams, 2.0, 5, 0.5) for _ in range(replicas)]
    served = serve(arrivals, costs, 1.0, cores)
    assert len(served.latencies_us) == sum(map(len, arrivals))
    assert served.latencies_us.min() >= message_us - 1e-6
    assert served.busy.sum() * 1e6 == pytest.approx(len(served.latencies_us) * message_us + replicas * 1000)


def test_a_message_costs_what_was_measured_at_its_rate_and_less_the_busier_its_core_is() -> None:
    costs = Costs((500.0, 1000.0, 6000.0), (80.0, 70.0, 40.0), 0.0)
    for rate, message_us in zip(costs.rates, costs.message_us, strict=True):
        assert costs.at(rate, rate) == pytest.approx(message_us)
    assert costs.at(1.0, 1.0) == 80.0
    assert costs.at(1e6, 1e6) == 40.0
    assert 40.0 < costs.at(1000.0, 3000.0) < costs.at(1000.0, 1000.0) < costs.at(500.0, 1000.0)


def test_streams_send_every_burst_of_every_frame() -> None:
    times = paced(streams=4, frame_rate=2.0, bursts=5, seconds=10.0)
    assert len(times) == pytest.approx(4 * 2 * 5 * 10, abs=4)
    assert (np.diff(times) >= 0).all()
    gaps = np.histogram(times, bins=100)[0]
    assert gaps.max() <= gaps.min() + 2, "evenly"


def test_bursts_after_an_exit_are_not_sent() -> None:
    rng = np.random.default_rng(0)
    needed = rng.integers(1, 6, 4 * 30)
    sent = paced(4, 2.0, 5, 10.0, needed)
    assert len(sent) / len(paced(4, 2.0, 5, 10.0)) == pytest.approx(needed.mean() / 5, rel=0.1)


def test_the_way_has_its_quantiles() -> None:
    latencies_us = Way(100.0, 900.0).draw(np.random.default_rng(0), 100_000)
    assert np.percentile(latencies_us, (50, 99)) == pytest.approx((100.0, 900.0), rel=0.05)
