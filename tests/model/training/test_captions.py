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
../5.jpg,1,Elsewhere.
5.jpg,"[1, 19]",Labels of another form.
"""
CAPTIONS = """ImageID,Caption
5.jpg,Two WOMEN's hats.
6.jpg,A park without anybody
7.jpg,A street and nothing else.
8.jpg,Some people, they say.
9.jpg,A couple of giraffes.
"""
SCORES = {0: 0.9, 1: 0.05, 2: 0.6, 3: 0.9, 5: 0.12, 6: 0.05, 7: 0.3, 8: 0.1, 9: 0.4}
"""A detector's scores, by the number of the picture."""
TRUE = {0: "1", 1: "", 2: "0", 5: "1", 6: "0", 7: "", 8: "", 9: ""}


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
    for number in (0, 1, 2, 3, 5, 6, 7, 8, 9):
        picture(number).save(exercise / "data" / f"{number}.jpg", quality=95)
    (exercise / "data" / "4.jpg").write_bytes(b"no picture")
    (exercise / "train.csv").write_text(LINES)
    (exercise / "test.csv").write_text(CAPTIONS)
    picture(3).resize((40, 40)).save(photos / "seen.png")
    picture(10).save(photos / "own.png")
    return exercise, write_index(photos, "seen.png,val,1,street,[]", "own.png,train,0,street,[]")


def _captions(exercise: Path, photos: Path, *words: str) -> tuple[int, str]:
    command = ["data", "captions", exercise, "--photos", photos, "--models", "models", "--out", photos.parent / "all"]
    result = CliRunner().invoke(app, [*map(str, command), "--threads", "1", *words])
    return result.exit_code, " ".join(result.output.split())


def test_the_detector_decides_what_words_leave_open(
    folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    exercise, photos = folders
    status, told = _captions(exercise, photos)
    assert status == 0, told
    assert "train: 2 with a person, 3 without" in told
    assert "unlabelled: 0 with a person, 0 without, 4 not labelled" in told
    told += " ".join(capsys.readouterr().err.split())
    assert "3.jpg: left out: it resembles a picture of val, calibration, test" in told
    assert "4.jpg: not a picture" in told
    assert "line 8: left out: its ImageID is not the name of a file: '../5.jpg'" in told
    assert "line 9: left out: its Labels are '[1, 19]'; expected numbers, as in '1 19'" in told
    with (photos.parent / "all" / "index.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["file"] for row in rows[:2]] == ["../photos/seen.png", "../photos/own.png"]
    assert {int(Path(row["file"]).stem): row["label"] for row in rows[2:]} == TRUE
    assert {row["source"] for row in rows[2:]} == {"coco-more"}
    train = read_photos(photos.parent / "all", "train")
    assert {photo.boxes for photo in train.photos if photo.label == 0} == {()}
    assert {photo.boxes for photo in train.photos if photo.label == 1} == {None}


def test_a_second_run_asks_the_detector_for_nothing_new(folders: tuple[Path, Path]) -> None:
    exercise, photos = folders
    assert _captions(exercise, photos)[0] == 0
    index, store = (photos.parent / "all" / name for name in ("index.csv", "scores.csv"))
    written, lines = index.read_bytes(), store.read_text().splitlines(keepends=True)
    store.write_text("".join(lines[:-2]) + lines[-2][:-2])  # as an interruption leaves it
    missing = [int(line.split(".")[0]) for line in lines[-2:]]
    Detector.seen.clear()
    assert _captions(exercise, photos)[0] == 2  # the index is there
    assert Detector.seen == []
    assert _captions(exercise, photos, "--overwrite")[0] == 0
    assert Detector.seen == missing
    assert (index.read_bytes(), store.read_text()) == (written, "".join(lines))


def _scores(photos: Path, content: bytes) -> None:
    (photos.parent / "all").mkdir()
    (photos.parent / "all" / "scores.csv").write_bytes(content)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda exercise, _: (exercise / "train.csv").write_text("name\n"), "train.csv: no column ImageID, Labels"),
        (lambda exercise, _: (exercise / "train.csv").write_text(""), "its columns are none"),
        (lambda exercise, _: (exercise / "test.csv").write_text(f'{CAPTIONS}9.jpg,"{"a" * 200_000}'), "does not end"),
        (lambda exercise, _: [(exercise / f"{name}.csv").unlink() for name in ("train", "test")], "neither train.csv"),
        (lambda _, photos: (photos / "index.csv").unlink(), "index.csv: no such file"),
        (lambda _, photos: write_index(photos, "own.png,train,0,street,[]"), "no picture in val, calibration, test"),
        (lambda _, photos: (photos / "seen.png").write_bytes(b"no picture"), "mend it, or take it out of the index"),
        (lambda _, photos: _scores(photos, b"file,split,label\n"), "its first line is 'file,split,label'"),
        (lambda _, photos: _scores(photos, b"\xff\xfe\n"), "delete it, or name another folder"),
        (
            lambda exercise, photos: _scores(photos, f"scores of {exercise.resolve()}\n0.jpg,x\n".encode()),
            "could not convert string to float: 'x'",
        ),
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
    assert not (folders[1].parent / "all" / "index.csv").exists()
