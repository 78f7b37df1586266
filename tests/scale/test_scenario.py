"""A short form of `make scale`, without Prometheus."""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from tests.scale.fleet import PROXIES, Fleet, missing
from tests.scale.scenario import CUT, GOES_ON, SHORT, Outcome, carry_out, faults
from tests.scale.streams import Account

FINE = Account(decisions=100, moves=23, lost=Counter({GOES_ON: 20, CUT: 3}))


@pytest.mark.parametrize("proxy", PROXIES)
def test_streams_outlive_everything_that_happens_to_a_fleet(proxy: str) -> None:
    if reason := missing(PROXIES[proxy][0]):
        pytest.skip(reason)
    with Fleet(proxy, "--stream-s", str(SHORT.stream_s), "--drain-s", "3") as fleet:
        outcome = carry_out(fleet, SHORT, print)
        print(outcome)
        assert faults(SHORT, outcome) == []
        assert outcome.account.decisions > 20 * SHORT.streams


def _outcome(ended: str = "drain", spread: tuple[int, ...] = (3, 3, 4), **account: Any) -> Outcome:
    return Outcome(replace(FINE, **account), list(spread), spread[0], Counter({"end": 10, ended: 20}), Counter())


def test_nothing_is_wrong_with_a_run_in_which_nothing_is() -> None:
    assert faults(SHORT, _outcome()) == []


@pytest.mark.parametrize(
    "outcome",
    [
        _outcome(wrong=1),
        _outcome(missing=1),
        _outcome(missing=-1),
        _outcome(lost=Counter({GOES_ON: 22, 1011: 1})),
        _outcome(lost=Counter({GOES_ON: 20, CUT: 27}), moves=47),
        _outcome(lost=Counter({GOES_ON: 9}), moves=9),
        _outcome(moves=24),
        _outcome(ended="bad_token"),
        _outcome(ended="no_pong"),
        _outcome(spread=(5, 5, 0)),
    ],
)
def test_each_fault_is_told(outcome: Outcome) -> None:
    assert len(faults(SHORT, outcome)) == 1
