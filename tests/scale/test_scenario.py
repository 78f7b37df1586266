"""A short form of `make scale`, without Prometheus."""

import pytest

from tests.scale.fleet import PROXIES, Fleet, missing
from tests.scale.scenario import SHORT, carry_out, faults


@pytest.mark.parametrize("proxy", PROXIES)
def test_streams_outlive_everything_that_happens_to_a_fleet(proxy: str) -> None:
    if reason := missing(PROXIES[proxy][0]):
        pytest.skip(reason)
    with Fleet(proxy, "--stream-s", str(SHORT.stream_s), "--drain-s", "3") as fleet:
        outcome = carry_out(fleet, SHORT, print)
        print(outcome)
        assert faults(SHORT, outcome) == []
        assert outcome.account.decisions > 20 * SHORT.streams
