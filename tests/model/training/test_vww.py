"""Labels and splits worked out by hand, for both years and every form of annotations."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from clients.commands.main import app
from model.training.photos import PhotosError, read_photos
from model.training.vww import vww_label, vww_rows

ORACLE = Path(__file__).parents[4] / "shared" / "oracle"
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
    rows = list(vww_rows(_coco(tmp_path, year)))
    assert _by_hand(rows) == EXPECTED
    assert all(row.path.is_file() for row in rows)
    assert next(row.boxes for row in rows if row.label) == ((0.1, 0.25, 0.3, 0.5),)


@pytest.mark.parametrize("negatives_annotated", [True, False])
def test_annotations_that_are_split_already(tmp_path: Path, negatives_annotated: bool) -> None:
    assert _by_hand(vww_rows(_split(tmp_path, negatives_annotated=negatives_annotated))) == EXPECTED


def test_the_boundary_belongs_to_no_person() -> None:
    for area, label in ((40.0, 0), (40.0001, 1)):
        assert vww_label([_annotation(1, PERSON, area)], {PERSON}, *SIZE) == label


def test_what_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(PhotosError, match=r"neither instances_train2014\.json nor"):
        list(vww_rows(tmp_path))
    coco = _coco(tmp_path, "2017")
    with pytest.raises(PhotosError, match=r"instances_train2014\.json: no such file"):
        list(vww_rows(coco, "2014"))
    _coco(tmp_path, "2014")
    with pytest.raises(PhotosError, match="name one with --year"):
        list(vww_rows(coco))
    (coco / "mscoco_minival_ids.txt").write_text("one\n")
    with pytest.raises(PhotosError, match="public list of minival ids"):
        list(vww_rows(coco, "2017"))
    (coco / "annotations" / "instances_val2017.json").write_text("[]")
    with pytest.raises(PhotosError):
        list(vww_rows(coco, "2017", ORACLE))


def test_the_command_lists_what_is_broken(tmp_path: Path) -> None:
    coco = _coco(tmp_path, "2017")
    (coco / "val2017" / _name("2017", "val", 139)).write_bytes(b"no picture")
    (coco / "train2017" / _name("2017", "train", 9)).unlink()
    result = CliRunner().invoke(app, ["data", "vww", "--coco", str(coco)], env={"COLUMNS": "300"})
    assert result.exit_code == 0, result.output
    assert "000000000139.jpg: not a readable picture" in result.output
    assert "000000000009.jpg: no such file" in result.output
    assert "5 pictures in" in result.output
    train, val = read_photos(coco, "train"), read_photos(coco, "val")
    assert {int(photo.path.stem): photo.label for photo in (*train.photos, *val.photos)} == {
        key: label for key, label in LABELS.items() if key not in (9, 139)
    }


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
