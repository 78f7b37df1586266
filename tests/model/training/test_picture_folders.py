from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model.training.photos import PhotosError
from model.training.picture_folders import read_folders


def _save(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((8, 10, 3), np.uint8)).save(path, "PNG")


def test_the_folder_is_the_label_and_the_split(tmp_path: Path) -> None:
    for name in ("train/person/a.jpg", "Val/No_Person/deep/b.PNG", "person/c.tiff", "person/.hidden/d.jpg"):
        _save(tmp_path / name)
    data = read_folders(tmp_path, val_share=1.0)
    assert {row.path.name: (row.split, row.label, row.boxes) for row in data.rows} == {
        "a.jpg": ("train", 1, None),
        "b.PNG": ("val", 0, ()),
        "c.tiff": ("val", 1, None),
    }
    assert data.drawn == 1
    assert not data.remarks
    assert {row.source for row in data.rows} == {tmp_path.name}


def test_everything_that_is_not_read_is_named(tmp_path: Path) -> None:
    for name in (
        "person/a.jpg", "people/b.jpg", "validation/person/c.jpg", "train/nonperson/d.jpg", "train/val/person/e.jpg",
        "train/f.jpg", "g.jpg", "elsewhere/h.jpg",
    ):  # fmt: skip
        _save(tmp_path / name)
    (tmp_path / "person" / "notes.txt").write_text("no picture")
    (tmp_path / "person" / "link").symlink_to(tmp_path / "elsewhere")
    data = read_folders(tmp_path)
    assert [row.path.name for row in data.rows] == ["a.jpg"]
    assert {Path(remark.file).relative_to(tmp_path).as_posix() for remark in data.remarks} == {
        "person/notes.txt", "people", "validation", "train/nonperson", "train/val", "train/f.jpg", "g.jpg", "elsewhere",
        "person/link",
    }  # fmt: skip


def test_a_folder_deeper_than_pythons_stack_and_a_loop(tmp_path: Path) -> None:
    _save(tmp_path / "person" / "a.png")
    (tmp_path / "person" / "loop").symlink_to(tmp_path / "person")
    deep = [tmp_path / "person" / ("d/" * depth) for depth in range(1, 1201)]
    for folder in deep:
        folder.mkdir()
    try:
        assert [row.path.name for row in read_folders(tmp_path).rows] == ["a.png"]
    finally:
        for folder in reversed(deep):  # pytest removes folders by recursion
            folder.rmdir()


def test_folders_without_labels(tmp_path: Path) -> None:
    with pytest.raises(PhotosError, match="no folders person/ and no_person/"):
        read_folders(tmp_path)
    with pytest.raises(PhotosError, match="no such folder"):
        read_folders(tmp_path / "nowhere")
