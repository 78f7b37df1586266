from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from model.training.likeness import SIZE, likeness, picture_features, write_likeness
from model.training.photos import PhotosError, read_photos
from tests.model.training.folders import write_index


def mean_colours(frames: Tensor) -> Tensor:
    assert frames.shape[1:] == (3, *SIZE)
    return frames.float().mean((2, 3))


def test_what_looks_like_the_source_is_told_from_what_does_not() -> None:
    rng = np.random.default_rng(0)
    chosen = np.arange(600) < 60
    middle = np.where(chosen, 1.0, -1.0)
    middle[300:330] = 1.0  # of another source, and like the first all the same
    features = torch.from_numpy((middle[:, None] + rng.normal(0, 0.4, (600, 4))).astype(np.float16))
    found = likeness(features, chosen)
    assert found.shape == (600,)
    assert found[chosen].mean() > 0.7
    assert found[300:330].mean() > 0.7
    assert found[400:].mean() < 0.2


def test_nobody_is_judged_by_a_head_that_has_seen_him() -> None:
    # A feature of its own for each picture: only who has seen it could tell whose it is.
    features = torch.eye(80).half()
    chosen = np.random.default_rng(0).permutation(80) < 40
    found = likeness(features, chosen)
    assert abs(found[chosen].mean() - found[~chosen].mean()) < 0.2


@pytest.mark.parametrize("count", [0, 1, 7, 8])
def test_a_source_of_hardly_any_or_nearly_all_pictures_is_refused(count: int) -> None:
    with pytest.raises(PhotosError, match=f"{count} of 8 pictures are of the source; it takes two, and two others"):
        likeness(torch.zeros(8, 3).half(), np.arange(8) < count)


def test_two_pictures_of_a_source_are_never_in_one_fold() -> None:
    features = torch.from_numpy(np.array([[1.0], [1.0], [-1.0], [-1.0], [-1.0]], np.float16))
    for seed in range(2):
        found = likeness(features, np.arange(5) < 2, seed)
        assert found[:2].min() > found[2:].max()


def test_features_are_kept(photo_folder: Path, tmp_path: Path) -> None:
    photos = read_photos(photo_folder, "train")
    told: list[tuple[int, int]] = []
    first = picture_features(photos, mean_colours, tmp_path, lambda *at: told.append(at))
    assert told == [(6, 6)]
    again = picture_features(photos, mean_colours, tmp_path, lambda *at: told.append(at))
    assert torch.equal(first, again)
    assert told == [(6, 6)]
    turned = replace(photos, photos=photos.photos[::-1])  # other pictures, or in another order, are looked at anew
    assert torch.equal(picture_features(turned, mean_colours, tmp_path, lambda *_: None), first.flip(0))


def test_likeness_is_a_column_of_the_index(tmp_path: Path) -> None:
    write_index(tmp_path, "a.jpg,train,1,street,[]", "b.jpg,train,0,street,[]", "c.jpg,val,0,street,[]")
    for value in (0.25, 0.5):  # the second time in place of the first
        assert write_likeness(tmp_path, {tmp_path / "a.jpg": value, tmp_path / "b.jpg": 1.0}) == 2
        photos = read_photos(tmp_path, "train").photos
        assert [photo.likeness for photo in photos] == [value, 1.0]
        assert read_photos(tmp_path, "val").photos[0].likeness is None
    assert (tmp_path / "index.csv").read_text().splitlines()[0] == "file,split,label,source,person_boxes,likeness"


def test_a_folder_without_an_index_is_named(tmp_path: Path) -> None:
    with pytest.raises(PhotosError, match=r"index\.csv: no such file"):
        write_likeness(tmp_path, {})
