from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from clients.commands.main import app
from model.training.photos import PhotosError, read_photos
from model.training.voc import folder_rows, split_by_name, voc_rows


def _save(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((80, 100, 3), np.uint8)).save(path)


def _annotate(folder: Path, name: str, *objects: tuple[str, tuple[int, int, int, int]]) -> None:
    _save(folder / "JPEGImages" / f"{name}.jpg")
    found = "".join(
        f"<object><name>{kind}</name><bndbox><xmin>{x0}</xmin><ymin>{y0}</ymin><xmax>{x1}</xmax><ymax>{y1}</ymax></bndbox></object>"
        for kind, (x0, y0, x1, y1) in objects
    )
    path = folder / "Annotations" / f"{name}.xml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"<annotation><size><width>100</width><height>80</height></size>{found}</annotation>")


def test_voc_by_boxes_and_its_own_splits(tmp_path: Path) -> None:
    _annotate(tmp_path, "empty", ("dog", (1, 1, 100, 80)))
    _annotate(tmp_path, "just", ("person", (11, 21, 18, 26)))  # 8 x 6 px of 8,000: 0.6 %
    _annotate(tmp_path, "small", ("person", (11, 21, 17, 25)))
    main = tmp_path / "ImageSets" / "Main"
    main.mkdir(parents=True)
    (main / "val.txt").write_text("just\n")
    (main / "test.txt").write_text("small -1\n")
    rows = {row.path.stem: row for row in voc_rows(tmp_path, calibration_share=0.0, val_share=0.0)}
    assert {name: (row.split, row.label) for name, row in rows.items()} == {
        "empty": ("train", 0),
        "just": ("val", 1),
        "small": ("test", 0),
    }
    [box] = rows["just"].boxes or ()
    assert box == pytest.approx((0.1, 0.25, 0.08, 0.075))
    assert CliRunner().invoke(app, ["data", "voc", str(tmp_path), "--val-share", "0"]).exit_code == 0
    assert read_photos(tmp_path, "val").photos[0].label == 1


@pytest.mark.parametrize(
    "content", ["<annotation>", "<annotation/>", "<annotation><size><width>0</width></size></annotation>"]
)
def test_a_malformed_annotation_is_named(tmp_path: Path, content: str) -> None:
    _annotate(tmp_path, "good")
    (tmp_path / "Annotations" / "good.xml").write_text(content)
    with pytest.raises(PhotosError, match=r"good\.xml: not an annotation"):
        list(voc_rows(tmp_path))
    with pytest.raises(PhotosError, match=r"no Annotations"):
        list(voc_rows(tmp_path / "nowhere"))


def test_plain_folders(tmp_path: Path) -> None:
    for name in ("train/person/a.jpg", "val/no_person/deep/b.png", "person/c.jpg"):
        _save(tmp_path / name)
    (tmp_path / "person" / "notes.txt").write_text("no picture")
    rows = {row.path.name: row for row in folder_rows(tmp_path, val_share=1.0)}
    assert {name: (row.split, row.label) for name, row in rows.items()} == {
        "a.jpg": ("train", 1),
        "b.png": ("val", 0),
        "c.jpg": ("val", 1),
    }
    assert rows["a.jpg"].boxes is None
    assert rows["b.png"].boxes == ()
    with pytest.raises(PhotosError, match="no pictures in person/"):
        list(folder_rows(tmp_path / "nowhere"))


def test_a_split_by_name_keeps_its_shares() -> None:
    splits = [split_by_name(f"{number}.jpg", 0.2, 0.1) for number in range(4000)]
    assert splits.count("val") == pytest.approx(800, abs=110)
    assert splits.count("calibration") == pytest.approx(400, abs=80)
