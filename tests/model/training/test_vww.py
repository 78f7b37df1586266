"""Labels and splits worked out by hand, for both years and every form of annotations."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from clients.commands.main import app
from model.training.dataset import DataSet
from model.training.photos import PhotosError
from model.training.vww import read_vww, vww_label
from tests.golden import ORACLE

SIZE = (100, 80)  # 8,000 px: a person has to exceed 40
PERSON, DOG = 1, 18


def _annotation(image_id: int, category: int, area: float, *, crowd: int = 0) -> dict[str, Any]:
    box = [10, 20, 30, 40]
    return {"image_id": image_id, "category_id": category, "area": area, "bbox": box, "iscrowd": crowd}


TRAIN = {
    9: ([], 0),
    25: ([_annotation(25, PERSON, 40.0)], 0),  # exactly 0.5 %
    30: ([_annotation(30, PERSON, 40.1)], 1),
    42: ([_annotation(42, DOG, 4000.0)], 0),  # in minival
    73: ([_annotation(73, PERSON, 30.0), _annotation(73, PERSON, 30.0)], 0),  # never summed
}
VAL = {
    139: ([_annotation(139, PERSON, 900.0, crowd=1)], 1),
    285: ([_annotation(285, DOG, 500.0), _annotation(285, PERSON, 41.0)], 1),  # in minival
}
MINIVAL = (42, 285)
LABELS = {key: label for key, (_, label) in (TRAIN | VAL).items()}


def _name(year: str, part: str, image_id: int) -> str:
    return f"COCO_{part}2014_{image_id:012}.jpg" if year == "2014" else f"{image_id:012}.jpg"


def _save(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(len(path.name)).integers(0, 256, (80, 100, 3), np.uint8)).save(path)


def _write(path: Path, names: dict[int, str], annotations: list[dict[str, Any]], categories: dict[int, str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "info": {},
        "licenses": [],
        "categories": [{"id": key, "name": name} for key, name in categories.items()],
        "images": [{"id": key, "file_name": name, "width": 100, "height": 80} for key, name in names.items()],
        "annotations": [{"id": number} | each for number, each in enumerate(annotations, 1)],
    }
    path.write_text(json.dumps(content))


def _coco(folder: Path, year: str) -> Path:
    for part, pictures in (("train", TRAIN), ("val", VAL)):
        names = {key: _name(year, part, key) for key in pictures}
        for name in names.values():
            _save(folder / f"{part}{year}" / name)
        annotations = [each for found, _ in pictures.values() for each in found]
        _write(
            folder / "annotations" / f"instances_{part}{year}.json", names, annotations, {PERSON: "person", DOG: "dog"}
        )
    (folder / "mscoco_minival_ids.txt").write_text("".join(f"{each}\n" for each in MINIVAL))
    return folder


def _split(folder: Path, *, negatives_annotated: bool) -> Path:
    """The form that the public scripts write: split, categories 0 and 1; once with an annotation for negatives."""
    for part, chosen in (("train", set(LABELS) - set(MINIVAL)), ("val", set(MINIVAL))):
        names = {key: _name("2014", "train" if key in TRAIN else "val", key) for key in sorted(chosen)}
        for name in names.values():
            _save(folder / "all2014" / name)
        annotations = [_annotation(key, LABELS[key], 50.0 * LABELS[key]) for key in names]
        if not negatives_annotated:
            annotations = [each for each in annotations if each["category_id"] == 1]
        _write(folder / "annotations" / f"instances_{part}.json", names, annotations, {0: "not-person", 1: "person"})
    return folder


def _by_hand(rows: Any) -> dict[int, tuple[str, int]]:
    return {int(row.path.stem.split("_")[-1]): (row.split, row.label) for row in rows}


EXPECTED = {key: ("val" if key in MINIVAL else "train", label) for key, label in LABELS.items()}


@pytest.mark.parametrize("year", ["2014", "2017"])
def test_cocos_own_annotations(tmp_path: Path, year: str) -> None:
    rows = read_vww(_coco(tmp_path, year)).rows
    assert _by_hand(rows) == EXPECTED
    assert all(row.path.is_file() for row in rows)
    [box] = next(row.boxes or () for row in rows if row.label)
    assert box == pytest.approx(USUAL)


@pytest.mark.parametrize("negatives_annotated", [True, False])
def test_annotations_that_are_split_already(tmp_path: Path, negatives_annotated: bool) -> None:
    assert _by_hand(read_vww(_split(tmp_path, negatives_annotated=negatives_annotated)).rows) == EXPECTED


def test_the_boundary_belongs_to_no_person() -> None:
    for area, label in ((40.0, 0), (40.0001, 1)):
        assert vww_label([area, 1.0], *SIZE) == label
    assert vww_label([], *SIZE) == 0


def test_what_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(PhotosError, match=r"neither instances_train2014\.json nor"):
        read_vww(tmp_path)
    coco = _coco(tmp_path, "2017")
    with pytest.raises(PhotosError, match=r"instances_train2014\.json: no such file"):
        read_vww(coco, "2014")
    _coco(tmp_path, "2014")
    with pytest.raises(PhotosError, match="name one with --year"):
        read_vww(coco)
    (coco / "mscoco_minival_ids.txt").write_text("one\n")
    with pytest.raises(PhotosError, match=r"line 1: 'one' is no id; expected the public list of minival ids"):
        read_vww(coco, "2017")
    (coco / "annotations" / "instances_val2017.json").write_text("[]")
    with pytest.raises(PhotosError):
        read_vww(coco, "2017", ORACLE)


def _with(folder: Path, *, image: dict[str, Any] | None = None, annotations: list[Any] | None = None) -> DataSet:
    """COCO of two pictures: 1.jpg as told, and 2.jpg with a person."""
    images = [{"id": 1, "file_name": "1.jpg", "width": 100, "height": 80} | (image or {})]
    images.append({"id": 2, "file_name": "2.jpg", "width": 100, "height": 80})
    told = [_annotation(2, PERSON, 900.0), *([_annotation(1, PERSON, 900.0)] if annotations is None else annotations)]
    for part in ("train", "val"):
        content: dict[str, Any] = {"categories": [{"id": PERSON, "name": " Person"}, {"id": DOG, "name": "dog"}]}
        content |= {"images": images, "annotations": told} if part == "train" else {"images": [], "annotations": []}
        path = folder / "annotations" / f"instances_{part}2017.json"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"\xef\xbb\xbf" + json.dumps(content, indent=1).replace("\n", "\r\n").encode())
    for name in ("1.JPG", "2.jpg"):
        _save(folder / "train2017" / name)
    (folder / "mscoco_minival_ids.txt").write_bytes(b"\xef\xbb\xbf2\r\n")
    return read_vww(folder)


def _one(data: DataSet) -> Any:
    """What became of 1.jpg: label and boxes, or why it was left out; 2.jpg is always there, in minival."""
    rows = {row.path.name: row for row in data.rows}
    assert (rows["2.jpg"].label, rows["2.jpg"].split) == (1, "val")
    if "1.JPG" in rows:
        assert rows["1.JPG"].split == "train"
        return rows["1.JPG"].label, rows["1.JPG"].boxes
    [reason] = {remark.reason for remark in data.remarks if remark.file.endswith("1.JPG")}
    return reason


USUAL = (0.1, 0.25, 0.3, 0.5)


@pytest.mark.parametrize(
    ("changed", "expected", "repaired"),
    [
        ({}, (1, (USUAL,)), ""),
        ({"bbox": []}, (1, None), "its box is not four numbers; it is taken as a picture whose boxes are not known"),
        ({"bbox": None}, (1, None), "its box is not four numbers"),
        ({"bbox": [10, 20, None, 40]}, (1, None), "its box is not four numbers"),
        ({"bbox": [10, 20, 0, 40]}, (1, None), "no area within the picture"),
        ({"bbox": [40, 60, -30, -40]}, (1, (USUAL,)), "its box has swapped corners"),
        ({"bbox": [10, 20, 900, 40]}, (1, ((0.1, 0.25, 0.9, 0.5),)), "its box is cut to the picture"),
        ({"bbox": [], "area": 20.0}, "train2017.json: a person: its box is not four numbers", ""),
        ({"area": None}, "train2017.json: the area of a person is missing", ""),
        ({"area": -3}, "train2017.json: the area of a person is missing", ""),
        ({"area": "large"}, "train2017.json: annotations[1] can't be read", ""),
        ({"category_id": None}, "train2017.json: annotations[1] can't be read", ""),
        ({"category_id": 99}, "train2017.json: annotations[1] is of an unknown category", ""),
        ({"category_id": DOG, "bbox": [], "area": None}, (0, ()), ""),
    ],
)
def test_one_damaged_annotation(
    tmp_path: Path, changed: dict[str, Any], expected: tuple[int, Any] | str, repaired: str
) -> None:
    data = _with(tmp_path, annotations=[_annotation(1, PERSON, 900.0) | changed])
    found = _one(data)
    if isinstance(expected, str):
        assert str(found).endswith(expected.removeprefix("train2017.json"))
    else:
        label, boxes = expected
        assert found == (label, boxes and tuple(pytest.approx(box) for box in boxes))
    assert any(repaired in remark.reason for remark in data.remarks if remark.what == "repaired") or not repaired


def test_a_picture_with_two_people_of_whom_one_is_unclear(tmp_path: Path) -> None:
    annotations = [_annotation(1, PERSON, 900.0), _annotation(1, PERSON, 10.0) | {"bbox": [], "area": None}]
    assert _one(_with(tmp_path, annotations=annotations)) == (1, None)


@pytest.mark.parametrize("size", [{"width": 0}, {"height": None}, {"width": 0, "height": 0}])
def test_a_size_of_nothing_is_the_pictures_own(tmp_path: Path, size: dict[str, Any]) -> None:
    data = _with(tmp_path, image=size)
    assert _one(data) == (1, (pytest.approx(USUAL),))
    assert "its own, 100 x 80 px, is taken" in str(data.remarks[0])


@pytest.mark.parametrize(
    "entry", [7, None, {}, {"image_id": 99, "category_id": 1}, {"image_id": "1", "category_id": 1}]
)
def test_an_entry_of_no_picture_is_named(tmp_path: Path, entry: Any) -> None:
    data = _with(tmp_path, annotations=[_annotation(1, PERSON, 900.0), entry])
    assert _one(data) == (1, (pytest.approx(USUAL),))
    [remark] = data.remarks
    assert remark.file.endswith("instances_train2017.json, annotations[2]")


@pytest.mark.parametrize("image", [{"id": 2}, {"file_name": None}, {"file_name": ""}, {"id": None}])
def test_a_picture_that_is_not_named_is_left_out(tmp_path: Path, image: dict[str, Any]) -> None:
    data = _with(tmp_path, image=image)
    assert "1.JPG" not in {row.path.name for row in data.rows}
    assert data.remarks


def test_ids_without_pictures_are_told(tmp_path: Path) -> None:
    _with(tmp_path)
    (tmp_path / "mscoco_minival_ids.txt").write_text("2\n577\n")
    [remark] = read_vww(tmp_path).remarks
    assert "no annotations of 1 of its ids, 577 for one" in remark.reason


def test_annotations_that_are_cut_off_are_refused(tmp_path: Path) -> None:
    _with(tmp_path)
    path = tmp_path / "annotations" / "instances_train2017.json"
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(
        PhotosError, match=r"instances_train2017\.json: not the annotations of COCO instances \(Input data"
    ):
        read_vww(tmp_path)
    path.write_bytes(b"[" * 100_000)
    with pytest.raises(PhotosError, match=r"instances_train2017\.json: not the annotations"):
        read_vww(tmp_path)


@pytest.mark.skipif(not ORACLE.is_dir(), reason="the golden weights are not here")
@pytest.mark.parametrize("variant", ["105x120", "210x240"])
def test_imported_checkpoints_are_evaluated(tmp_path: Path, variant: str) -> None:
    coco, weights = _coco(tmp_path / "coco", "2017"), tmp_path / "weights.safetensors"
    published = ORACLE / f"random_weights_{variant}.pth"
    made = CliRunner().invoke(app, ["import-checkpoint", str(published), "--out", str(weights)])
    assert made.exit_code == 0, made.output
    command = ["evaluate", "--data", "vww", "--coco", str(coco), "--weights", str(weights), "--policy", "published"]
    result = CliRunner().invoke(app, command, env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    for word in (f"{variant} on val, whole frames", "policy published", "processed", "coco"):
        assert word in result.output
