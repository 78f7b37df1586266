import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from typer.testing import CliRunner

from clients.commands.main import app
from model.training import people
from model.training.photos import read_photos
from tests.model.training.folders import write_index

LINES = """ImageID,Labels,Caption
0.jpg,1 19,"A man on a ""horse""."
1.jpg,1,A man far away.
2.jpg,8 3,A clock
on a tower.
3.jpg,8 1,Seen before.
4.jpg,1,This file is damaged.
"""
CAPTIONS = """ImageID,Caption
5.jpg,Two WOMEN's hats.
6.jpg,A park without anybody
7.jpg,A street and nothing else.
8.jpg,Some people, they say.
"""
SCORES = {0: 0.9, 1: 0.05, 2: 0.6, 3: 0.9, 5: 0.12, 6: 0.05, 7: 0.3, 8: 0.1}
"""A detector's scores, by the number of the picture."""
TRUE = {0: "1", 1: "", 2: "0", 5: "1", 6: "0", 7: "", 8: ""}


def picture(number: int) -> Image.Image:
    """A scene of which the lower edge tells the number."""
    shades = np.random.default_rng(number).integers(0, 256, (6, 6, 3), np.uint8)
    image = Image.fromarray(shades).resize((60, 60), Image.Resampling.NEAREST)
    image.paste((20 * number,) * 3, (0, 50, 60, 60))
    return image


class Detector:
    seen: list[int]

    def __init__(self, path: Path) -> None:
        assert path.name == "centernet.json"

    def __call__(self, frames: Tensor) -> Tensor:
        numbers = [round(int(frame[0, -3, 128]) / 20) for frame in frames]
        Detector.seen += numbers
        return torch.tensor([SCORES[number] for number in numbers])


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    Detector.seen = []
    monkeypatch.setattr(people, "PersonScore", Detector)
    exercise, photos = tmp_path / "exercise", tmp_path / "photos"
    (exercise / "data").mkdir(parents=True)
    photos.mkdir()
    for number in (0, 1, 2, 3, 5, 6, 7, 8):
        picture(number).save(exercise / "data" / f"{number}.jpg", quality=95)
    (exercise / "data" / "4.jpg").write_bytes(b"no picture")
    (exercise / "train.csv").write_text(LINES)
    (exercise / "test.csv").write_text(CAPTIONS)
    picture(3).resize((40, 40)).save(photos / "seen.png")
    picture(9).save(photos / "own.png")
    return exercise, write_index(photos, "seen.png,val,1,street,[]", "own.png,train,0,street,[]")


def _captions(exercise: Path, photos: Path, *words: str) -> tuple[int, str]:
    command = ["data", "captions", exercise, "--photos", photos, "--models", "models", "--store", photos / "kept"]
    result = CliRunner().invoke(app, [*map(str, command), "--threads", "1", *words])
    return result.exit_code, " ".join(result.output.split())


def test_the_detector_decides_what_words_leave_open(folders: tuple[Path, Path]) -> None:
    exercise, photos = folders
    status, told = _captions(exercise, photos)
    assert status == 0, told
    assert "coco-more: 2 with a person, 2 without, 3 not labelled" in told
    assert "1 picture left out: it resembles a picture of val, calibration, test" in told
    assert "1 picture left out: it can't be read" in told
    with (photos / "index.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["file"] for row in rows[:2]] == ["seen.png", "own.png"]
    found = {int(Path(row["file"]).stem): row["label"] for row in rows[2:]}
    assert found == TRUE
    assert {row["source"] for row in rows[2:]} == {"coco-more"}
    train = read_photos(photos, "train")
    assert [photo.boxes for photo in train.photos if photo.label == 0] == [(), (), ()]
    assert [photo.boxes for photo in train.photos if photo.label == 1] == [None, None]


def test_a_second_run_asks_the_detector_for_nothing_new(folders: tuple[Path, Path]) -> None:
    exercise, photos = folders
    assert _captions(exercise, photos, "--source", "more")[0] == 0
    index = (photos / "index.csv").read_bytes()
    store = photos / "kept" / "more.csv"
    lines = store.read_text().splitlines(keepends=True)
    store.write_text("".join(lines[:-2]) + lines[-2][:-2])  # as an interruption leaves it
    missing = [int(line.split(".")[0]) for line in lines[-2:]]
    Detector.seen.clear()
    assert _captions(exercise, photos, "--source", "more")[0] == 0
    assert Detector.seen == missing
    assert (photos / "index.csv").read_bytes() == index
    assert store.read_text() == "".join(lines)


def _foreign_scores(file: Path) -> None:
    file.parent.mkdir()
    file.write_text("file,split,label\n")


def test_pictures_of_the_same_source_stay(folders: tuple[Path, Path]) -> None:
    exercise, photos = folders
    assert _captions(exercise, photos, "--source", "street")[0] == 0
    assert {"seen.png", "own.png"} < {line.split(",")[0] for line in (photos / "index.csv").read_text().splitlines()}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda exercise, _: (exercise / "train.csv").write_text("name\n"), "its columns are name; expected ImageID"),
        (lambda exercise, _: [(exercise / f"{name}.csv").unlink() for name in ("train", "test")], "neither train.csv"),
        (lambda _, photos: (photos / "index.csv").unlink(), "index.csv: no such file"),
        (lambda _, photos: write_index(photos, "own.png,train,0,street,[]"), "no picture in val, calibration, test"),
        (lambda _, photos: _foreign_scores(photos / "kept" / "coco-more.csv"), "coco-more.csv: not a file of scores"),
    ],
)
def test_what_cannot_be_used_is_said(
    folders: tuple[Path, Path],
    change: Callable[[Path, Path], object],
    told: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    change(*folders)
    status, said = _captions(*folders)
    assert status == 2
    assert told in said + " ".join(capsys.readouterr().err.split())
