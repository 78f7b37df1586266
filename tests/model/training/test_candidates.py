import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from model.exit_policy import NeverExitPolicy, PerBurstPolicy, TwoSidedPolicy
from model.training.candidates import families, per_burst_path, two_sided_path
from model.training.outcomes import figures_of, losses, replay
from tests.model.training.random_curves import random_curves


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 99), st.sampled_from([two_sided_path, per_burst_path]))
def test_candidates_become_bolder_step_by_step(seed: int, path: object) -> None:
    val = random_curves(seed, 60)
    order: list[TwoSidedPolicy] | list[PerBurstPolicy] = (
        per_burst_path(val, 20) if path is per_burst_path else two_sided_path(val, 20)
    )
    lost = [int(losses(replay(policy, val), val, "disagreement").sum()) for policy in order]
    read = [float(replay(policy, val).processed.mean()) for policy in order]
    assert (lost[0], read[0]) == (0, 1)
    assert lost == sorted(lost)
    assert read == sorted(read, reverse=True)
    assert 3 < len(set(order)) == len(order) <= 21


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 99))
def test_few_pictures_leave_no_gap_before_the_boldest_without_a_loss(seed: int) -> None:
    """Else one loss on the pictures that certify would throw thresholds back to those that read nearly all."""
    val = random_curves(seed, 15)
    order = [(replay(policy, val), policy) for policy in per_burst_path(val)]
    read = [float(found.processed.mean()) for found, _ in order if not losses(found, val, "disagreement").any()]
    assert all(before - after <= 0.15 for before, after in itertools.pairwise(read)), read


def test_no_pair_of_the_grid_reads_less_for_what_it_loses() -> None:
    val = random_curves(7, 80)
    path = two_sided_path(val, 100)
    lost = [int(losses(replay(policy, val), val, "disagreement").sum()) for policy in path]
    read = [float(replay(policy, val).processed.mean()) for policy in path]
    for person in np.linspace(0.5, 0.95, 10):
        for empty in np.linspace(0.5, 0.95, 10):
            if person <= 1 - empty:
                continue
            found = replay(TwoSidedPolicy(float(person), float(1 - empty)), val)
            count = int(losses(found, val, "disagreement").sum())
            best = min(each for each, loses in zip(read, lost, strict=True) if loses <= count)
            assert best <= found.processed.mean() + 1e-9


def test_every_family_holds_what_it_says() -> None:
    curves = random_curves(1, 80)
    for name, policies in families():
        for policy in policies:
            assert policy.name == name
            if not policy.skips:
                found = figures_of(replay(policy, curves), curves)
                assert 0 < found.ratios[0] <= 1
    never = figures_of(replay(NeverExitPolicy(), curves), curves)
    assert (never.disagreement, never.ratios) == (0, (1, 1, 1))
