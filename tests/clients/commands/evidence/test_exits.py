"""`calibrate` and `exits` on a folder of generated pictures."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from clients.commands.main import app
from model.certificate import WEAKEST, Certificate, certificate_beside
from model.checkpoint import load_checkpoint, save_checkpoint, shipped_weights
from model.config import VARIANTS
from tests.model.training.folders import INDEX_HEADER
from tests.networks import random_checkpoint

MARKS = "<!-- exits 105x120-val -->\n<!-- end 105x120-val -->\n"


def _run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments)], env={"COLUMNS": "200"})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exits")
    rng = np.random.default_rng(0)
    lines = [INDEX_HEADER]
    for number in range(90):
        split, label = ("val", "calibration", "calibration")[number % 3], number // 3 % 2
        pixels = rng.integers(0, 256, (6, 6, 3), np.uint8)
        Image.fromarray(pixels).resize((60, 60)).save(folder / f"{number}.png")
        lines.append(f"{number}.png,{split},{label},{('coco', 'voc')[number // 6 % 2]},")
    (folder / "index.csv").write_text("\n".join(lines) + "\n")
    save_checkpoint(random_checkpoint(VARIANTS["105x120"], 3), folder / "weights.safetensors")
    return folder


def test_a_certificate_and_then_every_policy(folder: Path) -> None:
    weights, page, plot = folder / "weights.safetensors", folder / "page.md", folder / "plot.svg"
    result = _run("calibrate", "--photos", folder, "--weights", weights, "--risk", 0.1)
    assert result.exit_code == 0, result.output
    certificate = Certificate.load(certificate_beside(weights), load_checkpoint(weights).digest)
    assert (certificate.pictures, certificate.risk, certificate.loss) == (60, 0.1, "disagreement")

    again = _run("calibrate", "--photos", folder, "--weights", weights, "--risk", 0.2)
    assert again.exit_code == 2
    assert "--overwrite replaces it" in again.output
    assert Certificate.load(certificate_beside(weights), load_checkpoint(weights).digest) == certificate

    page.write_text(MARKS)
    result = _run("exits", "--photos", folder, "--weights", weights, "--page", page, "--plot", plot)
    assert result.exit_code == 0, result.output
    first_cells = ["certified, risk 0.1", "1 % disagreement", "-", "-"]
    head, _, *lines = result.output.splitlines()[1:]
    assert head.startswith("chosen for")
    assert [line[: len(first)] for line, first in zip(lines[:4], first_cells, strict=True)] == first_cells
    assert "patience" not in result.output
    assert max(map(len, lines[:4])) < 120
    everything = _run("exits", "--photos", folder, "--weights", weights, "--all")
    assert "patience" in everything.output
    assert "0.5%" in everything.output
    assert "<svg" in plot.read_text()
    text = page.read_text()
    for name in ("never", "published", "two_sided", "patience", "sequential", "certified, risk 0.1"):
        assert name in text
    for row in (line.split("|") for line in text.splitlines() if line.startswith("| 0.0%")):
        assert float(row[-2].split("/")[0]) <= 1


def test_a_promise_of_disagreement_needs_no_labels_and_one_of_accuracy_does(folder: Path, tmp_path: Path) -> None:
    weights = tmp_path / "weights.safetensors"
    save_checkpoint(random_checkpoint(VARIANTS["105x120"], 3), weights)
    header, *lines = (folder / "index.csv").read_text().splitlines()
    unlabelled = [f"{folder}/{name},{split},,{rest}" for name, split, _, rest in (each.split(",", 3) for each in lines)]
    (tmp_path / "index.csv").write_text("\n".join([header, *unlabelled]) + "\n")
    calibrate = ("calibrate", "--photos", tmp_path, "--weights", weights, "--risk", 0.1)
    accuracy = tmp_path / "accuracy.json"
    refused = _run(*calibrate, "--loss", "accuracy")
    assert refused.exit_code == 2
    assert "no labelled picture in the split 'val'" in refused.output
    result = _run(*calibrate)
    assert result.exit_code == 0, result.output
    assert "Exits change at most 10% of the decisions; the chance that this promise is wrong is 5%." in result.output
    with_labels = tmp_path / "labelled.json"
    assert _run("calibrate", "--photos", folder, *calibrate[3:], "--out", with_labels).exit_code == 0
    digest = load_checkpoint(weights).digest
    found, other = (Certificate.load(path, digest) for path in (certificate_beside(weights), with_labels))
    result = _run("calibrate", "--photos", folder, *calibrate[3:], "--loss", "accuracy", "--out", accuracy)
    assert Certificate.load(accuracy, digest).policy.promise in result.output
    assert "Exits turn at most 10% of the decisions from right to wrong; the chance" in result.output
    assert found.policy == replace(other.policy, certificate=found.policy.certificate)
    assert found.spans == other.spans


def test_settings_are_chosen_on_val_and_judged_elsewhere(folder: Path) -> None:
    result = _run(
        "exits",
        "--photos",
        folder,
        "--weights",
        folder / "weights.safetensors",
        "--split",
        "calibration",
        "--source",
        "voc",
    )
    assert result.exit_code == 0, result.output
    assert "28 pictures of `calibration voc`. Settings were chosen on `val`" in result.output


def test_mistakes_are_told_in_a_line(folder: Path) -> None:
    weights = folder / "weights.safetensors"
    for arguments, words in (
        (("exits", "--source", "moon"), "no picture of the source 'moon'"),
        (("calibrate", "--overwrite", "--risk", 0.01), "needs 299 calibration pictures or more, there are 60"),
        (("calibrate", "--overwrite", "--loss", "patience"), "not one of"),
    ):
        result = _run(*arguments, "--photos", folder, "--weights", weights)
        assert result.exit_code == 2, result.output
        assert words in result.output


def test_photographs_that_are_not_there_are_told_before_a_certificate_that_is(folder: Path, tmp_path: Path) -> None:
    made = tmp_path / "certificate.json"
    made.touch()
    gone = tmp_path / "gone"
    result = _run("calibrate", "--photos", gone, "--weights", folder / "weights.safetensors", "--out", made)
    assert result.exit_code == 2
    assert str(gone) in result.output
    assert "exists" not in result.output


@pytest.mark.parametrize("options", [(), ("--overwrite",)])
def test_the_certificate_of_the_shipped_weights_stays(folder: Path, options: tuple[str, ...]) -> None:
    path = certificate_beside(shipped_weights("105x120"))
    before = path.read_bytes()
    result = _run("calibrate", "--photos", folder, "--risk", 0.08, *options)
    assert result.exit_code == 2
    assert "copy the weights to a folder of your own, and name the copy with --weights" in result.output
    assert "--overwrite" not in result.output
    assert path.read_bytes() == before


def test_a_foreign_certificate_is_refused(folder: Path, tmp_path: Path) -> None:
    weights = tmp_path / "weights.safetensors"
    save_checkpoint(random_checkpoint(VARIANTS["105x120"], 4), weights)
    made = tmp_path / "certificate.json"
    assert _run("calibrate", "--photos", folder, "--weights", weights, "--risk", 0.1, "--out", made).exit_code == 0
    other = folder / "weights.safetensors"
    content = json.loads(made.read_text())
    kept = certificate_beside(other)
    before = kept.read_text() if kept.exists() else None
    kept.write_text(json.dumps(content))
    try:
        result = _run("exits", "--photos", folder, "--weights", other)
        assert result.exit_code == 2
        assert "certificate" in result.output
    finally:
        kept.unlink() if before is None else kept.write_text(before)


@pytest.mark.parametrize("option", ["--risk", "--delta"])
def test_the_weakest_promise_is_the_one_that_the_options_allow(folder: Path, option: str) -> None:
    refused = _run("calibrate", "--photos", folder, option, WEAKEST + 0.01)
    assert refused.exit_code == 2
    assert f"less than or equal to {WEAKEST:g}" in refused.output
