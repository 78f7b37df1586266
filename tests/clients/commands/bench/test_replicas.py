"""Held against queueing theory, and against what must be so whatever the numbers are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.commands.bench.replicas import Costs, fitted, paced, serve, with_way


def test_waits_are_those_of_theory() -> None:
    """One loop, no cost of a look, messages by chance: M/D/1, by Pollaczek and Khinchine."""
    rng, seconds = np.random.default_rng(0), 20.0
    for busy in (0.3, 0.6, 0.8):
        costs = Costs(0.0, 1000.0, 0.0, 0.0, 0.0)
        arrivals = np.cumsum(rng.exponential(1000.0 / busy, int(seconds * 1e3 * busy)))
        served = serve([arrivals], costs, seconds, 1)
        expected_us = 1000.0 * (1 + busy / (2 * (1 - busy)))
        assert served.latencies_us.mean() == pytest.approx(expected_us, rel=0.1)
        assert served.busy[0] == pytest.approx(busy, rel=0.05)


@given(
    streams=st.integers(1, 20), replicas=st.integers(1, 3), cores=st.integers(1, 2), wake_us=st.floats(0, 50),
    message_us=st.floats(1, 100),
)  # fmt: skip
def test_every_message_is_answered_once_in_no_less_than_its_work(
    streams: int, replicas: int, cores: int, wake_us: float, message_us: float
) -> None:
    costs = Costs(wake_us, message_us, 0.0, 0.0, 0.0)
    arrivals = [paced(streams, 2.0, 5, 0.5) for _ in range(replicas)]
    served = serve(arrivals, costs, 1.0, cores)
    assert len(served.latencies_us) == sum(map(len, arrivals))
    assert served.latencies_us.min() >= wake_us + message_us - 1e-6
    work_us = served.looks * wake_us + len(served.latencies_us) * message_us
    assert served.busy.sum() * 1e6 == pytest.approx(work_us)
    assert served.looks <= len(served.latencies_us)


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


@pytest.mark.parametrize(("wake_us", "message_us"), [(40.0, 25.0), (10.0, 60.0)])
def test_costs_are_found_again(wake_us: float, message_us: float) -> None:
    costs = Costs(wake_us, message_us, 500.0, 0.0, 0.0)

    def measured(streams: int) -> tuple[int, float]:
        times = paced(streams, 3.0, 21, 0.4)
        return streams, (serve([times], costs, 0.4, 1).busy[0] - 500e-6) * 0.4e6 / len(times)

    found = fitted(measured(16), measured(150), 500.0, 3.0, 21, 0.4)
    assert found == pytest.approx((wake_us, message_us), rel=0.15)


def test_the_way_has_its_quantiles() -> None:
    costs = Costs(0.0, 0.0, 0.0, 100.0, 900.0)
    latencies_us = with_way(np.zeros(100_000), costs, np.random.default_rng(0))
    assert np.percentile(latencies_us, (50, 99)) == pytest.approx((100.0, 900.0), rel=0.05)
