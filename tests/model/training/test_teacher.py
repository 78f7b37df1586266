from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from model.training.augment import Composition
from model.training.batches import load_views
from model.training.teacher import FOLDS, SIZE, TeachError, cross_fitted, features_of, hints_of, teach
from model.training.views import ViewPlan

PLAN = ViewPlan(composition=Composition(min_area=0.6, empty_crop_share=0.0))


def mean_colours(frames: Tensor) -> Tensor:
    """A backbone that tells bright pictures, which are those with a person, from dark ones."""
    assert frames.shape[1:] == (3, *SIZE)
    assert frames.dtype == torch.uint8
    return frames.float().mean((2, 3))


@pytest.mark.parametrize("batch", [1, 4, 64])
def test_features_do_not_depend_on_the_batch(batch: int) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (5, *SIZE, 3), np.uint8)
    features = features_of(pictures, mean_colours, batch)
    assert features.numpy() == pytest.approx(pictures.mean((1, 2)), rel=1e-3)
    assert torch.equal(features, features_of(pictures, mean_colours))


def test_a_view_is_answered_by_a_head_that_has_not_seen_its_picture() -> None:
    # Labels by chance, each picture with a feature of its own: only who has seen a picture could know its label.
    rng = np.random.default_rng(0)
    pictures = np.repeat(np.arange(40), 20)
    labels = rng.integers(0, 2, 40).astype(np.int8)[pictures]
    features = torch.from_numpy(np.eye(40, dtype=np.float16)[pictures])
    p_person, heads = cross_fitted(features, torch.from_numpy(labels), torch.from_numpy(pictures), 1, lambda *_: None)
    assert len(heads) == FOLDS
    assert ((p_person.numpy() > 0.5) == (labels == 1)).mean() < 0.75
    known = heads[0].p_person(features).numpy()
    assert ((known > 0.5) == (labels == 1)).mean() > 0.75  # the head has learned what it saw


def test_hints_are_what_features_mostly_vary_by() -> None:
    rng = np.random.default_rng(0)
    causes = rng.standard_normal((5000, 2))
    features = (causes @ rng.standard_normal((2, 30)) + 0.1 * rng.standard_normal((5000, 30))).astype(np.float16)
    hints = hints_of(torch.from_numpy(features), 3).double().numpy()
    assert np.mean(hints**2) == pytest.approx(1, abs=1e-2)
    told = np.linalg.lstsq(hints[:, :2], causes, rcond=None)
    assert told[1].sum() / (causes**2).sum() < 0.01  # two directions tell both causes
    assert hints[:, 2].std() < hints[:, 1].std() < hints[:, 0].std()


def test_a_teacher_that_sees_brightness_learns_that_bright_means_person(photo_folder: Path, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []

    def run(plan: ViewPlan = PLAN, teacher: str = "colours", count: int = 64) -> npt.NDArray[np.float32]:
        taught = teach(
            photo_folder,
            plan,
            mean_colours,
            tmp_path,
            lambda *at: told.append(at),
            teacher=teacher,
            count=count,
            seed=1,
        )
        assert taught.val["all"].auroc == 1
        assert taught.views.auroc > 0.9
        assert np.array_equal(
            taught.answers.labels, load_views(photo_folder, plan).render(np.arange(64), (15, 16)).labels
        )
        return taught.answers.p_person

    first = run()
    assert told[-1] == ("heads", FOLDS, FOLDS)
    assert np.array_equal(run(), first)  # from the features that lie in the folder
    with pytest.raises(TeachError, match="work on other views"):
        run(replace(PLAN, seed=2))
    with pytest.raises(TeachError, match="by another teacher"):
        run(teacher="sharper eyes")
    with pytest.raises(TeachError, match="another number of them"):
        run(count=80)
