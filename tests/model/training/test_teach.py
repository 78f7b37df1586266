from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from model.training.augment import Composition
from model.training.batches import load_views
from model.training.photos import read_photos
from model.training.teach import FOLDS, TeachError, cross_fitted, features_of, hints_of, teach
from model.training.views import ViewPlan, Views

PLAN = ViewPlan(composition=Composition(min_area=0.6, empty_crop_share=0.0))


def mean_colours(pictures: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """A backbone that tells bright pictures, which are those with a person, from dark ones."""
    assert pictures.shape[1:] == (3, 224, 224)
    colours: npt.NDArray[np.float32] = pictures.mean((2, 3))
    return colours


@pytest.mark.parametrize("batch", [1, 4, 64])
def test_features_do_not_depend_on_the_batch(batch: int) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (5, 224, 224, 3), np.uint8)
    features = features_of(pictures, mean_colours, batch)
    assert features.shape == (5, 3)
    assert features[0] == pytest.approx((pictures[0].mean((0, 1)) - 127) / 128, abs=1e-3)
    assert np.array_equal(features, features_of(pictures, mean_colours))


def test_a_view_is_answered_by_a_head_that_has_not_seen_its_picture() -> None:
    # Labels by chance, each picture with a feature of its own: only who has seen a picture could know its label.
    rng = np.random.default_rng(0)
    pictures = np.repeat(np.arange(40), 20)
    labels = rng.integers(0, 2, 40).astype(np.int8)[pictures]
    features = np.eye(40, dtype=np.float16)[pictures]
    p_person, heads = cross_fitted(features, labels, pictures, 1, lambda *_: None)
    assert len(heads) == FOLDS
    right = (p_person > 0.5) == (labels == 1)
    assert right.mean() < 0.75
    assert ((heads[0].p_person(features) > 0.5) == (labels == 1)).mean() > 0.75  # the head has learned what it saw


def test_hints_are_what_features_mostly_vary_by() -> None:
    rng = np.random.default_rng(0)
    causes = rng.standard_normal((5000, 2))
    features = (causes @ rng.standard_normal((2, 30)) + 0.1 * rng.standard_normal((5000, 30))).astype(np.float16)
    hints = hints_of(features, 3).astype(np.float64)
    assert np.mean(hints**2) == pytest.approx(1, abs=1e-2)
    told = np.linalg.lstsq(hints[:, :2], causes, rcond=None)
    assert told[1].sum() / (causes**2).sum() < 0.01  # two directions tell both causes
    assert hints[:, 2].std() < hints[:, 1].std() < hints[:, 0].std()


def test_a_teacher_that_sees_brightness_learns_that_bright_means_person(photo_folder: Path, tmp_path: Path) -> None:
    views, val = load_views(photo_folder, PLAN), read_photos(photo_folder, "val")
    other = Views(replace(PLAN, seed=2), views.photos, views.pictures)
    told: list[tuple[str, int, int]] = []

    def run(views: Views = views) -> npt.NDArray[np.float32]:
        taught = teach(views, val, mean_colours, tmp_path, lambda *at: told.append(at), count=64, seed=1)
        assert taught.val["all"].auroc == 1
        assert taught.views.auroc > 0.9
        assert np.array_equal(taught.answers.labels, views.render(np.arange(64), (15, 16))[1])
        return taught.answers.p_person

    first = run()
    assert told[-1] == ("heads", FOLDS, FOLDS)
    assert np.array_equal(run(), first)  # from the features that lie in the folder
    with pytest.raises(TeachError, match="work on other views"):
        run(other)
