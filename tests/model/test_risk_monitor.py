"""Laws of the evidence; `make monitor-laws` tries them at full size."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.risk_monitor import expected_audits, log_evidence, risk_upper_bound
from tests.model.monitor_laws import (
    ALPHA,
    RISK,
    alarms,
    bound_errors,
    first_alarms,
    most_alarms,
    replica_alarms,
    with_foresight,
)

RUNS, AUDITS = 1000, 2000
risks = st.floats(0.001, 0.6)


@given(audits=st.integers(0, 5000), share=st.floats(0, 1), risk=risks)
def test_evidence_is_what_bets_one_after_the_other_come_to(audits: int, share: float, risk: float) -> None:
    lost = round(share * audits)
    fair = risk * math.exp(log_evidence(audits + 1, lost + 1, risk) - log_evidence(audits, lost, risk)) + (
        1 - risk
    ) * math.exp(log_evidence(audits + 1, lost, risk) - log_evidence(audits, lost, risk))
    assert fair == pytest.approx(1, abs=1e-6), "at the promised risk no bet gains or loses on average"


@given(audits=st.integers(1, 3000), share=st.floats(0, 1), risk=risks)
def test_a_lost_audit_adds_evidence_and_another_takes_some(audits: int, share: float, risk: float) -> None:
    lost = round(share * (audits - 1))
    now = log_evidence(audits, lost, risk)
    assert log_evidence(audits + 1, lost + 1, risk) > now > log_evidence(audits + 1, lost, risk)


def test_there_is_no_evidence_before_the_first_audit() -> None:
    assert log_evidence(0, 0, RISK) == pytest.approx(0)
    assert risk_upper_bound(0, 0, ALPHA) == 1


@given(audits=st.integers(1, 2000), lost=st.integers(0, 50))
def test_the_bound_is_above_the_share_and_falls_with_agreement(audits: int, lost: int) -> None:
    lost = min(lost, audits)
    bound = risk_upper_bound(audits, lost, ALPHA)
    assert lost / audits <= bound <= 1
    assert risk_upper_bound(audits + 100, lost, ALPHA) <= bound + 1e-6
    if bound < 1:
        assert log_evidence(audits, lost, bound + 1e-3, (0.5,)) >= log_evidence(audits, lost, bound, (0.5,))


def test_false_alarms_at_exactly_the_promised_risk_are_at_most_alpha() -> None:
    assert alarms(RUNS, AUDITS, RISK) <= most_alarms(RUNS)


def test_the_bound_is_wrong_in_at_most_alpha_of_the_runs() -> None:
    assert bound_errors(RUNS, AUDITS, RISK) <= most_alarms(RUNS)


def test_a_stake_that_looks_ahead_is_found_out() -> None:
    assert with_foresight(RUNS, AUDITS) > most_alarms(RUNS)


def test_the_mean_of_replicas_is_evidence_and_their_product_is_not_where_they_see_the_same() -> None:
    mean, product = replica_alarms(RUNS, 300, RISK)
    assert mean <= most_alarms(RUNS) < product
    mean, _ = replica_alarms(100, 600, 2 * RISK)
    assert mean > 90, "what all of them see, their mean tells"


@pytest.mark.parametrize("true_risk", [0.1, 0.2])
def test_alarms_come_about_when_theory_says(true_risk: float) -> None:
    theory = expected_audits(true_risk, RISK, ALPHA)
    assert np.median(first_alarms(RUNS, 2000, true_risk)) == pytest.approx(theory, rel=0.2)


def test_theory_in_figures() -> None:
    assert expected_audits(0.1, 0.05, 0.01) == pytest.approx(223, abs=1)
    assert expected_audits(0.2, 0.05, 0.01) == pytest.approx(33, abs=1)
