import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.exit_policy import (
    POLICIES,
    START,
    CalibratedPolicy,
    ConfidencePolicy,
    FixedRowPolicy,
    MemorylessPolicy,
    NeverExitPolicy,
    PatiencePolicy,
    PerBurstPolicy,
    Policy,
    PolicyError,
    PublishedPolicy,
    Seen,
    SequentialPolicy,
    TwoSidedPolicy,
    Verdict,
    default_policy,
    defaults_of,
    describe_policy,
    parameters_of,
    parse_policy,
)
from tests.server.certificates import promised_policy


def verdict(policy: Policy, p_person: float) -> Verdict:
    """Of a policy without memory, in the middle of a frame."""
    return policy.verdict(Seen(0.5, p_person, 0.5), START)[0]


def exits_at(policy: Policy, chances: list[float], confidences: list[float] | None = None) -> int | None:
    """The burst after which a frame with these P(person) is left; None if it is read to its end."""
    state = START
    for burst, p_person in enumerate(chances):
        seen = Seen((burst + 1) / len(chances), p_person, confidences[burst] if confidences else 0.5)
        said, state = policy.verdict(seen, state)
        if said is Verdict.EXIT:
            return burst
    return None


thresholds = st.tuples(st.floats(0, 1), st.floats(0, 1)).map(sorted).filter(lambda pair: pair[0] < pair[1])


@settings(max_examples=30)
@given(thresholds)
def test_both_thresholds_belong_to_what_they_trigger(pair: list[float]) -> None:
    skip, leave = pair
    policy = PublishedPolicy(exit_threshold=leave, skip_threshold=skip)
    assert verdict(policy, leave) is Verdict.EXIT
    assert verdict(policy, skip) is Verdict.SKIP_NEXT
    below, above = math.nextafter(leave, 0), math.nextafter(skip, 1)
    assert verdict(policy, below) is (Verdict.SKIP_NEXT if below <= skip else Verdict.CONTINUE)
    assert verdict(policy, above) is (Verdict.EXIT if above >= leave else Verdict.CONTINUE)
    assert policy.acts


@settings(max_examples=30)
@given(thresholds, st.lists(st.floats(0, 1), min_size=2))
def test_a_surer_network_is_never_read_longer(pair: list[float], chances: list[float]) -> None:
    policy = PublishedPolicy(exit_threshold=pair[1], skip_threshold=pair[0])
    order = [Verdict.SKIP_NEXT, Verdict.CONTINUE, Verdict.EXIT]
    ranks = [order.index(verdict(policy, chance)) for chance in sorted(chances)]
    assert ranks == sorted(ranks)


def test_the_published_thresholds() -> None:
    policy = PublishedPolicy()
    verdicts = {p: verdict(policy, p) for p in (0.0, 0.005, 0.0051, 0.5, 0.9899, 0.99, 1.0)}
    assert [p for p, verdict in verdicts.items() if verdict is Verdict.SKIP_NEXT] == [0.0, 0.005]
    assert [p for p, verdict in verdicts.items() if verdict is Verdict.EXIT] == [0.99, 1.0]


@pytest.mark.parametrize(
    ("leave", "skip"),
    [(1.01, 0.1), (0.9, -0.01), (0.5, 0.5), (0.4, 0.5), (math.nan, 0.1), (0.9, math.nan), (math.inf, 0.1)],
)
def test_thresholds_out_of_order_are_refused(leave: float, skip: float) -> None:
    with pytest.raises(PolicyError, match=r"_threshold' must be in 0\.\.1|skip_threshold must be below exit_threshold"):
        PublishedPolicy(exit_threshold=leave, skip_threshold=skip)


@settings(max_examples=20)
@given(st.floats(0, 1))
def test_never_always_goes_on(chance: float) -> None:
    assert verdict(NeverExitPolicy(), chance) is Verdict.CONTINUE
    assert not NeverExitPolicy().acts


@pytest.mark.parametrize("policy", [*(kind() for kind in POLICIES.values()), PublishedPolicy(0.7, 0.2)])
def test_the_json_form_gives_the_policy_back(policy: Policy) -> None:
    assert parse_policy(json.loads(json.dumps(describe_policy(policy)))) == policy


def test_parameters_not_given_have_their_defaults() -> None:
    assert parse_policy({"name": "published", "exit_threshold": 0.8}) == PublishedPolicy(exit_threshold=0.8)
    assert {name: parse_policy({"name": name}) for name in POLICIES} == {
        name: kind() for name, kind in POLICIES.items()
    }


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({}, "needs a 'name', one of published, never, two_sided"),
        ({"exit_threshold": 0.9}, "needs a 'name', one of published, never, two_sided"),
        ({"name": "sometimes"}, "'sometimes' is not one of"),
        ({"name": 3}, "is not one of"),
        ({"name": "never", "exit_threshold": 0.9}, "'never' has no parameter 'exit_threshold'"),
        ({"name": "published", "patience": 3}, "'published' has no parameter 'patience'"),
        ({"name": "published", "exit_threshold": "0.9"}, "'exit_threshold' must be a number"),
        ({"name": "published", "skip_threshold": True}, "'skip_threshold' must be a number"),
        ({"name": "published", "exit_threshold": 2}, "'exit_threshold' must be in 0..1, not 2"),
    ],
)
def test_policies_that_cannot_be_had(wanted: dict[str, Any], message: str) -> None:
    with pytest.raises(PolicyError, match=message):
        parse_policy(wanted)


@pytest.mark.parametrize(
    ("wanted", "rule"),
    [
        (
            {"name": "two_sided", "exit_above": 0.1, "exit_below": 0.2},
            "exit_below must be below exit_above, not 0.2 and 0.1",
        ),
        ({"name": "per_burst", "empty_last": 0.4}, "'empty_last' must be in 0.5..2, not 0.4"),
        ({"name": "patience", "bursts": 0}, "'bursts' must be in 1..65535 and whole, not 0"),
        ({"name": "patience", "bursts": 2.5}, "'bursts' must be in 1..65535 and whole, not 2.5"),
        ({"name": "patience", "bursts": math.inf}, "'bursts' must be in"),
        ({"name": "patience", "from_share": 2}, "'from_share' must be in 0..1"),
        ({"name": "confidence", "threshold": -1}, "'threshold' must be in 0..1"),
        ({"name": "sequential", "evidence": 0}, "'evidence' must be above 0 and up to 1000, not 0"),
        ({"name": "sequential", "decay": math.nan}, "'decay' must be in 0..1"),
        ({"name": "fixed_row", "share": 1.5}, "'share' must be in 0..1"),
        ({"name": "calibrated"}, "no certificate for these weights"),
    ],
)
def test_parameters_out_of_range_say_what_is_wanted(wanted: dict[str, Any], rule: str) -> None:
    with pytest.raises(PolicyError, match=rule):
        parse_policy(wanted)


BY_HAND: list[tuple[Policy, list[float], int | None]] = [
    (PublishedPolicy(0.9, 0.1), [0.5, 0.89, 0.1, 0.9], 3),
    (NeverExitPolicy(), [1.0, 0.0, 1.0], None),
    (ConfidencePolicy(0.5), [0.5, 0.5], 0),  # the confidence is 0.5 throughout
    (ConfidencePolicy(0.51), [0.5, 0.5], None),
    (TwoSidedPolicy(0.9, 0.1), [0.5, 0.89, 0.9, 0.5], 2),
    (TwoSidedPolicy(0.9, 0.1), [0.5, 0.11, 0.1, 0.5], 2),
    (TwoSidedPolicy(0.9, 0.1), [0.5, 0.2, 0.8], None),
    (PerBurstPolicy(1.0, 0.6, 1.0, 0.6), [0.89, 0.2, 0.7, 0.39], 1),  # wanted: 0.9, 0.8, 0.7, 0.6
    (PerBurstPolicy(1.0, 0.6, 1.0, 0.6), [0.89, 0.21, 0.7, 0.5], 2),
    (PerBurstPolicy(0.8, 0.6, 1.0, 1.0), [0.1, 0.01, 0.64, 0.6], 3),  # an empty frame is never left early
    (PerBurstPolicy(1.4, 0.6, 1.0, 1.0), [1.0, 0.99, 0.79, 0.5], None),  # wanted: 1.2, 1.0, 0.8, 0.6
    (PerBurstPolicy(1.4, 0.6, 1.0, 1.0), [1.0, 1.0, 0.5, 0.5], 1),
    (PatiencePolicy(3, 0.0), [0.6, 0.4, 0.4, 0.6, 0.7, 0.8, 0.9], 5),
    (PatiencePolicy(2, 0.75), [0.6, 0.6, 0.6, 0.6], 2),
    (SequentialPolicy(math.log(9) * 1.5, 1.0), [0.9, 0.9, 0.9], 1),
    (SequentialPolicy(math.log(9) * 1.6, 0.5), [0.9, 0.9, 0.9], 2),  # 1, 1.5, 1.75 times log 9
    (SequentialPolicy(math.log(9) * 0.99, 1.0), [0.1], 0),
    (SequentialPolicy(math.log(9) * 1.5, 1.0), [0.9, 0.1, 0.9, 0.1], None),
    (FixedRowPolicy(0.5), [0.5] * 8, 3),
    (
        promised_policy(0.9, 0.9, 0.95, 0.95, certificate="digest"),
        [0.5, 0.05],
        1,
    ),
]


@pytest.mark.parametrize(("policy", "chances", "burst"), BY_HAND)
def test_exits_worked_out_by_hand(policy: Policy, chances: list[float], burst: int | None) -> None:
    assert exits_at(policy, chances) == burst


def test_every_policy_has_been_worked_out_by_hand() -> None:
    assert {type(policy) for policy, _, _ in BY_HAND} == {*POLICIES.values(), CalibratedPolicy}


def test_confidence_exits_by_confidence_alone() -> None:
    assert exits_at(ConfidencePolicy(0.9), [0.5] * 3, [0.1, 0.9, 0.9]) == 1
    assert exits_at(ConfidencePolicy(0.9), [1.0] * 3, [0.1, 0.2, 0.89]) is None


@settings(max_examples=30)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=20), st.sampled_from(list(POLICIES)))
def test_what_a_policy_remembers_can_travel_as_json(chances: list[float], name: str) -> None:
    policy = POLICIES[name]()
    plain, travelled = START, START
    for place, p_person in enumerate(chances):
        seen = Seen((place + 1) / len(chances), p_person, 0.5)
        said, plain = policy.verdict(seen, plain)
        again, after = policy.verdict(seen, travelled)
        travelled = tuple(json.loads(json.dumps(after)))
        assert said is again
        assert policy.skips or said is not Verdict.SKIP_NEXT
        assert policy.acts or said is Verdict.CONTINUE


def test_a_certified_policy_takes_its_parameters_from_the_certificate_alone() -> None:
    certified = promised_policy(0.9, 1.0, 0.95, 0.95, certificate="digest")
    assert parse_policy({"name": "calibrated"}, certified) is certified
    assert parse_policy(describe_policy(certified), certified) is certified
    for forged in ({"person_last": 0.6}, {"person_last": True}, {"certificate": "other"}, {"patience": 1}):
        with pytest.raises(PolicyError, match=r"comes from the certificate|has no parameter 'patience'"):
            parse_policy({"name": "calibrated", **forged}, certified)


@settings(max_examples=100)
@given(
    st.sampled_from([(name, key) for name, kind in POLICIES.items() for key in parameters_of(kind)]),
    st.one_of(
        st.integers(),
        st.integers(2**64, 2**200),
        st.floats(),
        st.booleans(),
        st.none(),
        st.text(),
        st.lists(st.integers()),
        st.dictionaries(st.text(), st.integers()),
    ),
)
def test_a_parameter_is_a_number_in_its_range_or_refused(which: tuple[str, str], value: object) -> None:
    name, key = which
    parameter = parameters_of(POLICIES[name])[key]
    number = isinstance(value, int | float) and not isinstance(value, bool)
    fits = number and parameter.low <= value <= parameter.high  # type: ignore[operator]
    refused = ""
    try:
        json.dumps(describe_policy(parse_policy({"name": name, key: value})), allow_nan=False)
    except PolicyError as error:
        refused = str(error)
    if not fits:
        assert key in refused
        assert len(refused) < 200
    elif refused:  # for a reason beside the range
        assert parameter.whole or parameter.above_low or POLICIES[name].ordered


@pytest.mark.parametrize("kind", [*POLICIES.values(), CalibratedPolicy], ids=lambda kind: kind.name)
def test_a_policy_says_all_there_is_to_say_of_it_beside_its_rule(kind: type[Policy]) -> None:
    parameters = parameters_of(kind)
    placeholders = re.findall(r"\{(\w+)(?::%)?\}", kind.sentence)
    assert set(placeholders) == set(parameters)
    assert kind.label
    assert all(parameter.label for parameter in parameters.values())
    assert len({parameter.label for parameter in parameters.values()}) == len(parameters)
    assert kind is CalibratedPolicy or set(defaults_of(kind)) == set(parameters)
    assert any(True for _ in kind.settings()) == (kind.acts and kind is not CalibratedPolicy)


@settings(max_examples=60)
@given(
    st.sampled_from([kind for kind in POLICIES.values() if issubclass(kind, MemorylessPolicy)]),
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=20),
    st.data(),
)
def test_a_rule_without_memory_says_the_same_of_many_bursts_at_a_time(
    kind: type[MemorylessPolicy], seen: list[tuple[float, float]], data: st.DataObject
) -> None:
    policy = data.draw(st.sampled_from([kind(), *kind.settings()]))
    p_person, confidence = np.array(seen).T
    share = (np.arange(len(seen)) + 1) / len(seen)
    together = np.asarray(policy.leaves(Seen(share, p_person, confidence)))
    alone = [
        policy.verdict(Seen(*each), START)[0] is Verdict.EXIT for each in zip(share, p_person, confidence, strict=True)
    ]
    assert together.tolist() == alone


def test_where_no_policy_is_named() -> None:
    certified = promised_policy(0.9, 0.9, 0.95, 0.95, certificate="digest")
    assert default_policy(certified) is parse_policy(None, certified) is certified
    assert default_policy(None) == parse_policy(None) == PublishedPolicy()


def test_no_source_has_its_own_threshold_for_a_person() -> None:
    root = Path(__file__).parents[2]
    sources = [path for folder in ("model", "server", "clients") for path in (root / folder).rglob("*.py")]
    literal = re.compile(r"(?:p_person|final|early|chance)\S*\)? *(?:>=|<=|<|>) *0\.5\b")
    assert not [path for path in sources if literal.search(path.read_text())]
    assert len(sources) > 100
