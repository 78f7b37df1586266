import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.exit_policy import (
    POLICIES,
    NeverExitPolicy,
    Policy,
    PolicyError,
    PublishedPolicy,
    Verdict,
    describe_policy,
    parse_policy,
)

thresholds = st.tuples(st.floats(0, 1), st.floats(0, 1)).map(sorted).filter(lambda pair: pair[0] < pair[1])


@settings(max_examples=30)
@given(thresholds)
def test_both_thresholds_belong_to_what_they_trigger(pair: list[float]) -> None:
    skip, leave = pair
    policy = PublishedPolicy(exit_threshold=leave, skip_threshold=skip)
    assert policy.verdict(leave) is Verdict.EXIT
    assert policy.verdict(skip) is Verdict.SKIP_NEXT
    below, above = math.nextafter(leave, 0), math.nextafter(skip, 1)
    assert policy.verdict(below) is (Verdict.SKIP_NEXT if below <= skip else Verdict.CONTINUE)
    assert policy.verdict(above) is (Verdict.EXIT if above >= leave else Verdict.CONTINUE)
    assert policy.acts


@settings(max_examples=30)
@given(thresholds, st.lists(st.floats(0, 1), min_size=2))
def test_a_surer_network_is_never_read_longer(pair: list[float], chances: list[float]) -> None:
    policy = PublishedPolicy(exit_threshold=pair[1], skip_threshold=pair[0])
    order = [Verdict.SKIP_NEXT, Verdict.CONTINUE, Verdict.EXIT]
    ranks = [order.index(policy.verdict(chance)) for chance in sorted(chances)]
    assert ranks == sorted(ranks)


def test_the_published_thresholds() -> None:
    policy = PublishedPolicy()
    verdicts = {p: policy.verdict(p) for p in (0.0, 0.005, 0.0051, 0.5, 0.9899, 0.99, 1.0)}
    assert [p for p, verdict in verdicts.items() if verdict is Verdict.SKIP_NEXT] == [0.0, 0.005]
    assert [p for p, verdict in verdicts.items() if verdict is Verdict.EXIT] == [0.99, 1.0]


@pytest.mark.parametrize(
    ("leave", "skip"),
    [(1.01, 0.1), (0.9, -0.01), (0.5, 0.5), (0.4, 0.5), (math.nan, 0.1), (0.9, math.nan), (math.inf, 0.1)],
)
def test_thresholds_out_of_order_are_refused(leave: float, skip: float) -> None:
    with pytest.raises(PolicyError, match="0 <= skip_threshold < exit_threshold <= 1"):
        PublishedPolicy(exit_threshold=leave, skip_threshold=skip)


@settings(max_examples=20)
@given(st.floats(0, 1))
def test_never_always_goes_on(chance: float) -> None:
    assert NeverExitPolicy().verdict(chance) is Verdict.CONTINUE
    assert not NeverExitPolicy().acts


@pytest.mark.parametrize("policy", [PublishedPolicy(), PublishedPolicy(0.7, 0.2), NeverExitPolicy()])
def test_the_json_form_gives_the_policy_back(policy: Policy) -> None:
    assert parse_policy(json.loads(json.dumps(describe_policy(policy)))) == policy


def test_parameters_not_given_have_their_defaults() -> None:
    assert parse_policy({"name": "published", "exit_threshold": 0.8}) == PublishedPolicy(exit_threshold=0.8)
    assert {name: parse_policy({"name": name}) for name in POLICIES} == {
        "published": PublishedPolicy(),
        "never": NeverExitPolicy(),
    }


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({}, "'None' is not one of published, never"),
        ({"name": "sometimes"}, "'sometimes' is not one of"),
        ({"name": 3}, "is not one of"),
        ({"name": "never", "exit_threshold": 0.9}, "'never' has no parameter 'exit_threshold'"),
        ({"name": "published", "patience": 3}, "'published' has no parameter 'patience'"),
        ({"name": "published", "exit_threshold": "0.9"}, "'exit_threshold' must be a number"),
        ({"name": "published", "skip_threshold": True}, "'skip_threshold' must be a number"),
        ({"name": "published", "exit_threshold": 2}, "thresholds must be"),
    ],
)
def test_policies_that_cannot_be_had(wanted: dict[str, Any], message: str) -> None:
    with pytest.raises(PolicyError, match=message):
        parse_policy(wanted)
