import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.training import picture_store
from model.training.photos import PhotosError, load_frames, read_photos
from model.training.picture_store import Pictures, stored_frames

SIZE = (20, 24)


@given(st.lists(st.integers(0, 4), max_size=4))
def test_pictures_of_several_splits_are_numbered_through(counts: list[int]) -> None:
    parts = [np.full((count, 1, 1, 3), number, np.uint8) for number, count in enumerate(counts)]
    pictures = Pictures(parts)
    expected = [number for number, count in enumerate(counts) for _ in range(count)]
    assert [int(pictures[place][0, 0, 0]) for place in range(len(pictures))] == expected
    for outside in (len(pictures), -1):
        with pytest.raises(IndexError, match=f"there are {len(expected)} pictures"):
            pictures[outside]


def test_stored_pictures_are_those_that_are_loaded(photo_folder: Path, tmp_path: Path) -> None:
    photos = read_photos(photo_folder, "train")
    told: list[tuple[int, int]] = []
    frames = stored_frames(photos, SIZE, tmp_path, lambda *at: told.append(at))
    assert isinstance(frames, np.memmap)
    np.testing.assert_array_equal(frames, load_frames(photos, *SIZE))
    assert told == [(6, 6)]
    stored_frames(photos, SIZE, tmp_path, lambda *at: told.append(at))
    assert told == [(6, 6)]  # the second time they lie there


def test_interrupted_storing_goes_on(photo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture_store, "PART", 2)
    photos = read_photos(photo_folder, "train")

    def interrupt(done: int, _: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stored_frames(photos, SIZE, tmp_path, interrupt)
    told: list[int] = []
    frames = stored_frames(photos, SIZE, tmp_path, lambda done, _: told.append(done))
    assert told == [6]
    np.testing.assert_array_equal(frames, load_frames(photos, *SIZE))


def test_pictures_that_are_others_are_not_taken(photo_folder: Path, tmp_path: Path) -> None:
    photos = read_photos(photo_folder, "train")
    stored_frames(photos, SIZE, tmp_path)
    turned = replace(photos, photos=photos.photos[::-1])
    with pytest.raises(PhotosError, match=r"train_20x24\.npy holds other pictures; name another folder"):
        stored_frames(turned, SIZE, tmp_path)


def test_an_index_that_tells_more_of_the_same_pictures_is_no_other(photo_folder: Path, tmp_path: Path) -> None:
    photos = read_photos(photo_folder, "train")
    stored_frames(photos, SIZE, tmp_path)
    noted = json.loads((tmp_path / "train_20x24.json").read_text())
    assert noted["done"] == noted["count"] == 6
    stored_frames(replace(photos, index_digest="with a column more"), SIZE, tmp_path)
