import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.runtime import load_runtime
from model.training.scaling import Scaling, apply_scaling, choose_exit_threshold, fit_scaling
from tests.networks import SMALL, person_curve, random_checkpoint


@pytest.mark.parametrize("truth", [Scaling(1.0, 0.0), Scaling(0.5, -1.0), Scaling(2.0, 0.7)])
def test_fit_finds_the_scaling_that_made_the_labels(truth: Scaling) -> None:
    rng = np.random.default_rng(0)
    margins = rng.normal(-truth.offset / truth.slope, 2, 40_000)  # centred, so that both classes are as frequent
    labels = (rng.random(margins.size) < 1 / (1 + np.exp(-truth.slope * margins - truth.offset))).astype(np.int64)
    found = fit_scaling(margins, labels)
    assert found.slope == pytest.approx(truth.slope, abs=0.05)
    assert found.offset == pytest.approx(truth.offset, abs=0.1)


def test_classes_weigh_the_same() -> None:
    margins = np.array([-1.0, 1.0, -1.0, 1.0])
    labels = np.array([0, 0, 1, 1])
    rare = fit_scaling(
        np.concatenate([margins, np.tile(margins[:2], 50)]), np.concatenate([labels, np.zeros(100, int)])
    )
    assert abs(rare.offset) < 1e-3


def test_separable_data_stays_finite() -> None:
    found = fit_scaling(np.array([-2.0, -1.0, 1.0, 2.0]), np.array([0, 0, 1, 1]))
    assert np.isfinite([found.slope, found.offset]).all()
    assert found.slope > 1


@given(slope=st.floats(0.1, 3), offset=st.floats(-3, 3))
def test_applied_scaling_scales_every_bursts_margin(slope: float, offset: float) -> None:
    checkpoint = random_checkpoint(SMALL, 1)
    frame = np.random.default_rng(2).integers(0, 256, SMALL.frame_shape, np.uint8)
    before, after = (
        person_curve(load_runtime(each), frame)
        for each in (checkpoint, apply_scaling(checkpoint, Scaling(slope, offset)))
    )
    margins = np.log(before / (1 - before))
    assert after == pytest.approx(1 / (1 + np.exp(-slope * margins - offset)), abs=1e-5)


CURVES = np.array([[0.9, 0.3], [0.6, 0.7], [0.55, 0.2]])


@pytest.mark.parametrize(("allowed", "threshold"), [(0.0, 0.901), (0.34, 0.551), (1.0, 0.5)])
def test_lowest_threshold_within_the_allowance(allowed: float, threshold: float) -> None:
    assert choose_exit_threshold(CURVES, allowed) == pytest.approx(threshold)


@given(seed=st.integers(0, 99), allowed=st.floats(0, 0.2))
def test_chosen_threshold_keeps_its_promise(seed: int, allowed: float) -> None:
    curves = np.random.default_rng(seed).random((200, 5))
    threshold = choose_exit_threshold(curves, allowed)
    mistaken = (curves[:, :-1].max(1) >= threshold) & (curves[:, -1] < 0.5)
    assert mistaken.mean() <= allowed + 1e-12 or threshold == 1.0
