import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.exit_policy import (
    START,
    ConfidencePolicy,
    FixedRowPolicy,
    NeverExitPolicy,
    PatiencePolicy,
    PerBurstPolicy,
    Policy,
    PublishedPolicy,
    Seen,
    SequentialPolicy,
    TwoSidedPolicy,
    Verdict,
)
from model.integer.firmware import PolicyOnDeviceError, integer_policy, weights_header
from tests.networks import SMALL, random_integer_network

chances = st.floats(0, 1)
lines = st.floats(0.5, 2)
policies: st.SearchStrategy[Policy] = st.one_of(
    st.just(NeverExitPolicy()),
    st.tuples(chances, chances)
    .map(sorted)
    .filter(lambda pair: pair[0] < pair[1])
    .flatmap(lambda pair: st.sampled_from([PublishedPolicy(pair[1], pair[0]), TwoSidedPolicy(pair[1], pair[0])])),
    st.builds(PerBurstPolicy, lines, lines, lines, lines),
    st.builds(FixedRowPolicy),
)


@given(policy=policies, bursts=st.integers(2, 42), data=st.data())
@settings(max_examples=60)
def test_the_integer_policy_says_what_the_policy_says(policy: Policy, bursts: int, data: st.DataObject) -> None:
    found = integer_policy(policy, bursts)
    burst = data.draw(st.integers(0, bursts - 2))
    edges = [
        int(edge) + away
        for edge in (found.exit_from[burst], found.exit_to[burst], found.skip_to)
        for away in (-1, 0, 1)
    ]
    drawn = data.draw(st.lists(st.integers(1, 2**15 - 1), max_size=20))
    for value in {edge for edge in edges if 1 <= edge < 2**15} | set(drawn):
        verdict, _ = policy.verdict(Seen((burst + 1) / bursts, value / 2**15, 0.5), START)
        exits = value >= found.exit_from[burst] or value <= found.exit_to[burst]
        ours = Verdict.EXIT if exits else Verdict.SKIP_NEXT if value <= found.skip_to else Verdict.CONTINUE
        assert ours is verdict, value


@pytest.mark.parametrize("policy", [PatiencePolicy(), SequentialPolicy(), ConfidencePolicy()])
def test_policies_that_need_more_than_p_person_are_refused_by_name(policy: Policy) -> None:
    with pytest.raises(PolicyOnDeviceError, match=f"'{policy.name}' is more than thresholds"):
        integer_policy(policy, 6)


def test_the_header_holds_every_number_and_no_other() -> None:
    network = random_integer_network(SMALL, 1)
    header = weights_header(network, {"never": integer_policy(NeverExitPolicy(), SMALL.bursts_per_frame)})
    assert network.digest in header
    for name, layer in network.layers.items():
        for part, array in layer._asdict().items():
            _, _, text = header.partition(f" rascanet_30x32_{name}_{part}[{array.size}] = {{")
            assert np.array_equal(
                [int(word) for word in text.partition("}")[0].split(",") if word.strip()], array.ravel()
            )
