import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model.training.photos import Photo, PhotosError, load_frames, read_photos
from tests.model.training.folders import write_index


def test_a_split_in_the_order_of_the_index(tmp_path: Path) -> None:
    write_index(
        tmp_path,
        'b.jpg,train,1,street,"[[0.1, 0.2, 0.3, 0.4], [0, 0, 1, 1]]"',
        "c.jpg,val,1,street,",
        "a.jpg,train,0,garden,[]",
        "d.jpg,train,,garden,",
        "e.jpg,train,1,garden,",
    )
    photos = read_photos(tmp_path, "train")
    assert photos.photos == (
        Photo(tmp_path / "b.jpg", 1, "street", ((0.1, 0.2, 0.3, 0.4), (0.0, 0.0, 1.0, 1.0))),
        Photo(tmp_path / "a.jpg", 0, "garden", ()),
        Photo(tmp_path / "e.jpg", 1, "garden", None),  # people, but nobody knows where
    )
    assert photos.split == "train"
    assert photos.labels.tolist() == [1, 0, 1]
    assert photos.index_digest == hashlib.sha256((tmp_path / "index.csv").read_bytes()).hexdigest()


def test_a_folder_without_index_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PhotosError, match=r"index\.csv: no such file"):
        read_photos(tmp_path, "train")


@pytest.mark.parametrize(
    "line",
    [
        "a.jpg,train,2,street,",
        "a.jpg,train,yes,street,",
        "a.jpg,train,1,street,[[0.1",
        'a.jpg,train,1,street,"[[0.1, 0.2, 0.3]]"',
        'a.jpg,train,1,street,"[[0.1, 0.2, 0.3, ""x""]]"',
        "a.jpg,train,1,street,7",
        "a.jpg,train",
    ],
)
def test_a_malformed_line_is_named(tmp_path: Path, line: str) -> None:
    write_index(tmp_path, "z.jpg,train,0,street,", line)
    with pytest.raises(PhotosError, match=r"index\.csv, line 3: "):
        read_photos(tmp_path, "train")


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    write_index(tmp_path, "a.jpg,train,1,", header="file,split,label,person_boxes")
    with pytest.raises(PhotosError, match=r"line 2: KeyError\('source'\)"):
        read_photos(tmp_path, "train")


def test_a_split_without_labels_is_refused(tmp_path: Path) -> None:
    write_index(tmp_path, "a.jpg,unlabelled,,street,")
    for split in ("unlabelled", "train"):
        with pytest.raises(PhotosError, match=f"no labelled picture in the split '{split}'"):
            read_photos(tmp_path, split)


def test_frames_come_in_the_order_of_the_photos(tmp_path: Path) -> None:
    shades = [10, 200, 90]
    for number, shade in enumerate(shades):
        Image.new("RGB", (12 + number, 9), (shade, shade, shade)).save(tmp_path / f"{number}.png")
    write_index(tmp_path, *(f"{number}.png,test,0,made,[]" for number in range(3)))
    frames = load_frames(read_photos(tmp_path, "test"), 5, 7)
    assert frames.shape == (3, 5, 7, 3)
    assert frames.dtype == np.uint8
    assert [set(np.unique(frame)) for frame in frames] == [{shade} for shade in shades]


def test_a_picture_that_is_not_there_is_no_silence(tmp_path: Path) -> None:
    write_index(tmp_path, "absent.jpg,test,0,made,[]")
    with pytest.raises(PhotosError, match=r"absent\.jpg"):
        load_frames(read_photos(tmp_path, "test"), 5, 7)
