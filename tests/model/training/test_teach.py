from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from model.training.augment import label_of_crop
from model.training.photos import read_photos
from model.training.teach import draw_cuts, features_of, teach
from model.training.teacher import Answers


def mean_colours(pictures: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """A backbone that tells bright pictures, which are those with a person, from dark ones."""
    assert pictures.shape[1:] == (3, 224, 224)
    colours: npt.NDArray[np.float32] = pictures.mean((2, 3))
    return colours


def test_the_first_cut_is_the_whole_picture_and_labels_follow_the_cut(photo_folder: Path) -> None:
    photos = read_photos(photo_folder, "train")
    cuts = draw_cuts(photos, 3, seed=1)
    assert cuts.count == 3 * len(photos.photos)
    for index, photo in enumerate(cuts.photos):
        assert photo is photos.photos[index // 3]
        x, y, width, height = cuts.crops[index]
        if index % 3 == 0:
            assert (x, y, width, height) == (0, 0, 1, 1)
        assert cuts.labels[index] == label_of_crop(photo.boxes or (), (x, y, width, height))
    again = draw_cuts(photos, 3, seed=1)
    assert np.array_equal(cuts.crops, again.crops)
    assert not np.array_equal(cuts.crops, draw_cuts(photos, 3, seed=2).crops)


@pytest.mark.parametrize("batch", [1, 4, 64])
def test_features_do_not_depend_on_the_batch(photo_folder: Path, batch: int) -> None:
    cuts = draw_cuts(read_photos(photo_folder, "train"), 2, seed=1)
    seen: list[int] = []
    features = features_of(cuts, mean_colours, seen.append, batch)
    assert features.shape == (cuts.count, 3)
    assert seen[-1] == cuts.count
    assert features == pytest.approx(features_of(cuts, mean_colours), abs=1e-6)


def test_a_teacher_that_sees_brightness_learns_that_bright_means_person(photo_folder: Path, tmp_path: Path) -> None:
    train, val = read_photos(photo_folder, "train"), read_photos(photo_folder, "val")
    told: list[tuple[int, int]] = []
    out = tmp_path / "answers.npz"
    figures = teach(train, val, mean_colours, out, lambda *at: told.append(at), per_photo=40, seed=1)
    assert told[-1] == (40 * len(train.photos) + len(val.photos),) * 2
    assert figures["all"].auroc == 1
    answers = Answers.load(out)
    for photo in train.photos:
        whole = answers.p_person[photo.path.name][0]
        assert (whole > 0.5) == (photo.label == 1)
        assert len(answers.labels[photo.path.name]) == 40
