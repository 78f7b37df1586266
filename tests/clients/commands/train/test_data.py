import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from clients.commands.main import app
from model.training.dataset import INDEX, REMARKS, UNKNOWN
from model.training.photos import read_photos


def _run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments)], env={"COLUMNS": "200"})


def _save(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((80, 100, 3), np.uint8)).save(path, "PNG")


SWAPPED = """<annotation><filename>a.jpg</filename><size><width>100</width><height>80</height><depth>3</depth></size>
<object><name>person</name><bndbox><xmin>60</xmin><ymin>70</ymin><xmax>10</xmax><ymax>10</ymax></bndbox></object>
</annotation>"""


def _voc(folder: Path) -> None:
    _save(folder / "JPEGImages" / "a.PNG")
    _save(folder / "JPEGImages" / "b.JPG")
    annotations = folder / "Annotations"
    annotations.mkdir()
    (annotations / "a.xml").write_text(SWAPPED)
    (annotations / "b.xml").write_text(SWAPPED.replace("a.jpg", "b.jpg").replace("person", "dog"))
    (annotations / "c.xml").write_text("torn")


def test_an_index_of_pascal_voc_and_its_summary(tmp_path: Path) -> None:
    _voc(tmp_path)
    result = _run("data", "voc", tmp_path, "--val-share", 1)
    assert result.exit_code == 0, result.output
    assert "a.xml: repaired: object 1, a person: its box has swapped corners" in result.output
    assert "c.xml: left out: not an annotation of Pascal VOC" in result.output
    assert "val: 1 with a person, 1 without" in result.output
    assert "The splits of 2 pictures were drawn by their names" in result.output
    assert "2 pictures in" in result.output
    assert "1 left out, 1 repaired" in result.output
    labels = {photo.path.name: photo.label for photo in read_photos(tmp_path, "val").photos}
    assert labels == {"a.PNG": 1, "b.JPG": 0}


def test_an_index_is_replaced_only_if_asked(tmp_path: Path) -> None:
    _save(tmp_path / "person" / "a.png")
    (tmp_path / INDEX).write_text("mine")
    result = _run("data", "folder", tmp_path)
    assert result.exit_code == 2
    assert "index.csv: exists; --overwrite replaces it" in result.output
    assert (tmp_path / INDEX).read_text() == "mine"
    assert _run("data", "folder", tmp_path, "--out", tmp_path / "other").exit_code == 0
    assert _run("data", "folder", tmp_path, "--overwrite").exit_code == 0
    assert (tmp_path / INDEX).read_text() != "mine"


def test_unsorted_pictures_are_refused_with_the_way_to_sort_them(tmp_path: Path) -> None:
    for name in "abcd":
        _save(tmp_path / f"{name}.png")
    result = _run("data", "folder", tmp_path)
    assert result.exit_code == 2
    for folder in ("person/", "no_person/", "unknown/", "calibration/"):
        assert folder in result.output
    (tmp_path / "calibration" / "unknown").mkdir(parents=True)
    (tmp_path / "a.png").rename(tmp_path / "calibration" / "unknown" / "a.png")
    result = _run("data", "folder", tmp_path)
    assert result.exit_code == 0, result.output
    assert "calibration: 0 with a person, 0 without, 1 not labelled" in result.output
    (photo,) = read_photos(tmp_path, "calibration", labelled=None).photos
    assert (photo.path.name, photo.label, photo.boxes) == ("a.png", UNKNOWN, None)


def test_nothing_usable_is_exit_status_1(tmp_path: Path) -> None:
    _voc(tmp_path)
    for name in ("a.xml", "b.xml"):
        (tmp_path / "Annotations" / name).unlink()
    folder = tmp_path / "pictures"
    (folder / "person").mkdir(parents=True)
    for arguments in (("voc", tmp_path), ("folder", folder)):
        result = _run("data", *arguments)
        assert result.exit_code == 1, result.output
        assert "nothing usable" in result.output
    (folder / "person" / "a.png").write_text("no picture")
    result = _run("data", "folder", folder)
    assert result.exit_code == 1
    assert "a.png: left out: not a picture" in result.output
    assert not (folder / INDEX).exists()


def test_a_split_that_lacks_a_class_says_so(tmp_path: Path) -> None:
    for name in ("person/a.png", "no_person/b.png", "val/person/c.png"):
        _save(tmp_path / name)
    result = _run("data", "folder", tmp_path, "--val-share", 0, "--calibration-share", 0)
    assert result.exit_code == 0
    assert "val has no picture without a person" in result.output
    assert "train has no" not in result.output


def test_names_that_are_not_utf_8_and_many_remarks(tmp_path: Path) -> None:
    _save(tmp_path / "person" / "caf\udce9\x1b[2J.png")
    for number in range(30):
        (tmp_path / "person" / f"{number}.png").write_text("no picture")
    result = _run("data", "folder", tmp_path, "--val-share", 1)
    assert result.exit_code == 0, result.output
    assert f"and 10 more, all of them in {tmp_path / REMARKS}" in result.output
    assert len((tmp_path / REMARKS).read_text().splitlines()) == 31
    assert read_photos(tmp_path, "val").photos[0].path.name == "caf\udce9\x1b[2J.png"
    (tmp_path / "person" / os.fsdecode(b"torn-\xff\x1b[2J.png")).write_text("no picture")
    result = _run("data", "folder", tmp_path, "--overwrite")
    assert "\x1b" not in result.output


def test_visual_wake_words_with_one_person_without_a_box(tmp_path: Path) -> None:
    images = [{"id": number, "file_name": f"{number}.jpg", "width": 100, "height": 80} for number in (1, 2)]
    annotation = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [], "area": 3000, "iscrowd": 0, "segmentation": []}
    for part in ("train", "val"):
        path = tmp_path / "annotations" / f"instances_{part}.json"
        path.parent.mkdir(exist_ok=True)
        categories = [{"id": 1, "name": "person"}]
        chosen = images[:1] if part == "train" else images[1:]
        content = {"images": chosen, "annotations": [annotation] if part == "train" else [], "categories": categories}
        path.write_text(json.dumps(content))
    _save(tmp_path / "train2017" / "1.jpg")
    result = _run("data", "vww", "--coco", tmp_path)
    assert result.exit_code == 0, result.output
    assert "1.jpg: repaired: a person: its box is not four numbers" in result.output
    assert "2.jpg: left out: no such file" in result.output
    assert "1 picture in" in result.output
    [photo] = read_photos(tmp_path, "train").photos
    assert (photo.label, photo.boxes) == (1, None)
    assert _run("data", "vww").exit_code == 2
    assert _run("data", "vww", "--coco", tmp_path, "--year", 1999).exit_code == 2


@pytest.mark.parametrize("kind", ["voc", "folder"])
def test_a_folder_that_is_not_there(tmp_path: Path, kind: str) -> None:
    result = _run("data", kind, tmp_path / "nowhere")
    assert result.exit_code == 2
    assert result.output.startswith("rascanet: ")
    assert not (tmp_path / "nowhere").exists()
