from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from clients.commands.evidence.model_card import LOG_HEADER, MARKS
from clients.commands.main import app
from model.checkpoint import load_checkpoint, save_checkpoint, shipped_weights
from model.config import VARIANTS
from tests.model.training.folders import INDEX_HEADER
from tests.networks import random_checkpoint

SECTIONS = [f"card {split} {variant}" for split in ("val", "test") for variant in VARIANTS]
PAGE = "".join(f"<!-- {section} -->\n<!-- end {section.split()[-1]} -->\n" for section in SECTIONS)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    lines = [INDEX_HEADER]
    for number in range(36):
        split, label = ("val", "calibration", "test")[number % 3], number // 3 % 2
        Image.fromarray(rng.integers(0, 256, (60, 64, 3), np.uint8)).save(tmp_path / f"{number}.png")
        boxes = f'"[[0.2, 0.2, {0.1 + 0.02 * number:.2f}, 0.3]]"' if label else "[]"
        lines.append(f"{number}.png,{split},{label},{('coco', 'voc')[number // 6 % 2]},{boxes}")
    (tmp_path / "index.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "card.md").write_text(PAGE)
    return tmp_path


def test_the_card_is_filled_and_the_held_out_split_is_judged_once(folder: Path) -> None:
    card, log = folder / "card.md", folder / "log.csv"
    arguments = ["model-card", "--photos", str(folder), "--card", str(card), "--log", str(log)]
    result = CliRunner().invoke(app, arguments, env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    text = card.read_text()
    for words in (
        "105x120 on val, whole frames",
        "210x240 on val, early exits",
        "88.5%, 0.949",
        "Expected calibration error",
    ):
        assert words in text
    assert not log.exists()

    assert CliRunner().invoke(app, [*arguments, "--held-out"]).exit_code == 0
    lines = log.read_text().splitlines()
    assert len(lines) == 1 + 2 * 3
    assert "105x120 on test" in card.read_text()
    again = CliRunner().invoke(app, [*arguments, "--held-out"])
    assert again.exit_code != 0
    assert "once is enough" in again.output
    assert log.read_text().splitlines() == lines


def test_only_new_weights_are_judged(folder: Path) -> None:
    card, log = folder / "card.md", folder / "log.csv"
    digest = load_checkpoint(shipped_weights("210x240")).digest
    log.write_text(f"{LOG_HEADER}\n2026-01-01,210x240,{digest},all,12,0.5,0.4,0.6,0.5\n")
    arguments = ["model-card", "--photos", str(folder), "--card", str(card), "--log", str(log), "--held-out"]
    result = CliRunner().invoke(app, arguments, env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    assert "105x120 on test" in card.read_text()
    assert "210x240 on test" not in card.read_text()
    assert log.read_text().count("210x240") == 1
    assert log.read_text().count("105x120") == 3


def test_figures_of_other_weights_are_printed_alone(folder: Path) -> None:
    card, weights = folder / "card.md", folder / "other.safetensors"
    save_checkpoint(random_checkpoint(VARIANTS["105x120"], 1), weights)
    arguments = ["model-card", "--photos", str(folder), "--weights", str(weights)]
    result = CliRunner().invoke(app, arguments, env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    assert "105x120 on val, whole frames" in result.output
    assert "210x240" not in result.output
    for option in (["--held-out"], ["--card", str(card)]):
        refused = CliRunner().invoke(app, [*arguments, *option])
        assert refused.exit_code == 2
        assert "not both" in refused.output
    assert card.read_text() == PAGE


def test_no_card_is_written_unasked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card = folder / "MODEL_CARD.md"
    card.write_text(PAGE)
    monkeypatch.chdir(folder)
    result = CliRunner().invoke(app, ["model-card", "--photos", str(folder)])
    assert result.exit_code == 0, result.output
    assert card.read_text() == PAGE
    unkept = CliRunner().invoke(app, ["model-card", "--photos", str(folder), "--held-out"])
    assert unkept.exit_code == 2
    assert "needs --card" in unkept.output


def test_the_marks_cover_both_variants_and_splits() -> None:
    assert len(MARKS) == 8
    text = (Path(__file__).parents[4] / "docs" / "figures" / "model-card.md").read_text()
    assert all(f"<!-- {section} -->" in text for section in SECTIONS)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_card_names_the_weights_that_are_shipped(variant: str) -> None:
    assert load_checkpoint(shipped_weights(variant)).digest in (Path(__file__).parents[4] / "MODEL_CARD.md").read_text()
