from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torch import Tensor
from typer.testing import CliRunner

from clients.commands.main import app
from model.training import backbones
from model.training.photos import read_photos
from tests.model.training.folders import write_index


class MeanColours:
    def __call__(self, frames: Tensor) -> Tensor:
        return frames.float().mean((2, 3))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Sixteen pictures to learn from: those of coco bright, those of the garden dark, but one."""
    monkeypatch.setattr(backbones, "EfficientNetLite", MeanColours)
    lines = []
    for number in range(16):
        source = ("coco", "garden")[number % 2]
        bright = source == "coco" or number == 15
        shade = np.random.default_rng(number).integers(*((150, 250) if bright else (0, 100)), (20, 20, 3), np.uint8)
        Image.fromarray(shade).save(tmp_path / f"{number}.png")
        lines.append(f"{number}.png,train,{number // 2 % 2},{source},[]")
    return write_index(tmp_path, *lines)


def _likeness(folder: Path, *words: str) -> tuple[int, str]:
    command = ["data", "likeness", str(folder), "--store", str(folder / "kept"), "--threads", "1", *words]
    result = CliRunner().invoke(app, command)
    return result.exit_code, " ".join(result.output.split())


def test_the_index_tells_what_is_like_the_source(folder: Path) -> None:
    status, told = _likeness(folder)
    assert status == 0, told
    assert "coco: 8 pictures, likeness" in told
    assert "likeness of 16 pictures in" in told
    found = {photo.path.stem: photo.likeness for photo in read_photos(folder, "train").photos}
    assert all(value is not None for value in found.values())
    ours = np.mean([found[str(number)] or 0 for number in range(0, 16, 2)])
    others = np.mean([found[str(number)] or 0 for number in range(1, 14, 2)])
    assert ours > others + 0.3
    assert (found["15"] or 0) > others + 0.3


def test_a_source_that_there_is_not_is_named_with_those_there_are(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, told = _likeness(folder, "--source", "voc")
    assert status == 2
    assert "the sources are coco, garden" in told + " ".join(capsys.readouterr().err.split())
