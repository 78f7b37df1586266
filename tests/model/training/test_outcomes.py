from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.exit_policy import POLICIES, ExitPolicy, PerBurstPolicy, PublishedPolicy, TwoSidedPolicy
from model.runtime import load_runtime
from model.scan import scan_frame
from model.training.outcomes import Curves, losses, read_curves, replay, run
from model.training.photos import Photo, Photos
from tests.model.random_networks import random_frames
from tests.model.training.random_curves import random_curves
from tests.networks import SMALL, random_checkpoint

REPLAYED: list[ExitPolicy] = [
    *(kind() for kind in POLICIES.values() if not kind.skips),
    *(setting for kind in POLICIES.values() if not kind.skips for setting in list(kind.settings())[::5]),
    TwoSidedPolicy(0.52, 0.48),
    PerBurstPolicy(0.6, 0.5, 0.55, 0.5),
    PerBurstPolicy(0.5, 0.7, 2.0, 0.5),
]


@settings(max_examples=60)
@given(st.integers(0, 99), st.sampled_from(REPLAYED))
def test_replaying_on_curves_is_what_the_network_does(seed: int, policy: ExitPolicy) -> None:
    runtime = load_runtime(random_checkpoint(SMALL, seed))
    frames = random_frames(SMALL, 3, seed)
    photos = Photos("val", tuple(Photo(Path("x"), label, "street", None) for label in (0, 1, 1)), "")
    curves = read_curves(runtime, frames, photos)
    stored, scans = replay(policy, curves), [scan_frame(runtime, frame, policy) for frame in frames]
    assert stored.processed.tolist() == [scan.processed_ratio for scan in scans]
    assert stored.exited.tolist() == [scan.exited for scan in scans]
    assert stored.p_person == pytest.approx([scan.p_person for scan in scans], abs=1e-6)
    assert run(policy, runtime, frames, curves).processed.tolist() == stored.processed.tolist()


@settings(max_examples=30)
@given(st.integers(0, 99), st.floats(0.05, 0.95), st.floats(0.01, 0.5))
def test_policies_that_skip_are_run_as_a_stream_would(seed: int, skip: float, gap: float) -> None:
    runtime = load_runtime(random_checkpoint(SMALL, seed))
    frames = random_frames(SMALL, 4, seed)
    photos = Photos("val", tuple(Photo(Path("x"), label, "street", None) for label in (0, 1, 1, 0)), "")
    policy = PublishedPolicy(min(1.0, skip + gap), skip)
    outcome = run(policy, runtime, frames, read_curves(runtime, frames, photos))
    scans = [scan_frame(runtime, frame, policy) for frame in frames]
    assert outcome.processed.tolist() == [scan.processed_ratio for scan in scans]
    assert outcome.exited.tolist() == [scan.exited for scan in scans]
    assert outcome.p_person == pytest.approx([scan.p_person for scan in scans], abs=1e-6)


def test_a_policy_that_skips_cannot_be_replayed() -> None:
    with pytest.raises(ValueError, match="run through the network"):
        replay(PublishedPolicy(), random_curves(0, 3))


def test_harmless_disagreements_do_not_count_as_accuracy_lost() -> None:
    # The full frame is right, wrong; the early exit the other way round.
    curves = Curves(np.array([[0.99, 0.2], [0.01, 0.8]]), np.zeros((2, 2)), np.array([0, 0]))
    outcome = replay(TwoSidedPolicy(0.9, 0.1), curves)
    assert losses(outcome, curves, "disagreement").tolist() == [True, True]
    assert losses(outcome, curves, "accuracy").tolist() == [True, False]
