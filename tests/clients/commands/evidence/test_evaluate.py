"""`evaluate` on a folder of generated pictures, and the commands that follow from new weights."""

import re
import shlex
import subprocess
from pathlib import Path

import numpy as np
import pytest
import typer.main
from PIL import Image
from typer.testing import CliRunner, Result

from clients.commands.main import app
from clients.commands.table import MISSING
from model.certificate import certificate_beside
from model.checkpoint import save_checkpoint
from model.config import VARIANTS
from model.training.degrade import DEGRADATIONS
from tests.model.training.folders import INDEX_HEADER
from tests.networks import random_checkpoint

ROOT = Path(__file__).parents[4]


def _run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments)], env={"COLUMNS": "250"})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evaluate")
    rng = np.random.default_rng(0)
    lines = [INDEX_HEADER]
    for number in range(8):
        Image.fromarray(rng.integers(0, 256, (120, 130, 3), np.uint8)).save(folder / f"{number}.png")
        lines.append(f"{number}.png,val,{number % 2},{('coco', 'voc')[number // 4]},")
    (folder / "index.csv").write_text("\n".join(lines) + "\n")
    for seed, name in enumerate(("first", "second")):
        save_checkpoint(random_checkpoint(VARIANTS["105x120"], seed), folder / f"{name}.safetensors")
    return folder


def test_worse_pictures_are_a_table_of_every_kind_source_and_network(folder: Path) -> None:
    page = folder / "page.md"
    page.write_text("<!-- degraded val -->\n<!-- end val -->\n")
    weights = [word for name in ("first", "second") for word in ("--weights", folder / f"{name}.safetensors")]
    result = _run("evaluate", "--photos", folder, *weights, "--degrade", "--page", page)
    assert result.exit_code == 0, result.output
    rows = [line.strip("| ").split(" | ") for line in page.read_text().splitlines() if line.startswith("| ")]
    head, rows = rows[0], rows[2:]  # between them the line of dashes
    assert [cell for cell in head if "AUROC" in cell] == ["AUROC of first", "AUROC of second"]
    assert [(row[0], row[1]) for row in rows] == [
        (each.name, source) for each in DEGRADATIONS for source in ("all", "coco", "voc")
    ]
    for row in rows[3:]:
        assert re.fullmatch(r"[+-]\d\.\d{3} \([+-]\d\.\d{3} to [+-]\d\.\d{3}\)", row[3])
    assert rows[0][3] == MISSING
    _, _, beside = result.output.partition("whole frames, AUROC")
    for source in ("all", "coco", "voc"):
        line = next(line for line in beside.splitlines() if line.startswith(source))
        assert re.fullmatch(rf"{source} +\d\.\d{{3}} +[+-]\d\.\d{{3}} \([+-]\d\.\d{{3}} to [+-]\d\.\d{{3}}\) *", line)


def test_it_says_which_part_of_the_index_is_judged(folder: Path, tmp_path: Path) -> None:
    lines = (folder / "index.csv").read_text().splitlines()
    for line in lines[1:]:
        name = line.partition(",")[0]
        (tmp_path / name).symlink_to(folder / name)
    others = [f"train-{number}.png,train,1,coco," for number in range(3)]
    (tmp_path / "index.csv").write_text("\n".join([*lines, *others, "torn.png,va"]))
    result = _run("evaluate", "--photos", tmp_path, "--weights", folder / "first.safetensors", "--policy", "never")
    assert result.exit_code == 0, result.output
    said = "val: 8 of the 11 pictures of the index (train 3, val 8); 1 lines can't be used"
    assert said in result.output


def test_what_is_judged_fits_a_narrow_screen_and_explains_its_thresholds(folder: Path, tmp_path: Path) -> None:
    """Pictures of one source, no terminal: each figure once, thresholds above 1 explained."""
    (tmp_path / "index.csv").write_text((folder / "index.csv").read_text().replace(",voc,", ",coco,"))
    for picture in folder.glob("*.png"):
        (tmp_path / picture.name).symlink_to(picture)
    policy = '{"name": "per_burst", "person_first": 1.2}'
    weights = ("--weights", folder / "first.safetensors")
    result = _run(
        "evaluate", "--photos", tmp_path, *weights, "--policy", policy, "--compare", "never", "--compare", "per_burst"
    )
    assert result.exit_code == 0, result.output
    assert max(len(line.rstrip()) for line in result.output.splitlines() if not line.startswith("  ")) < 120  # no notes
    assert len(re.findall(r"^ ?balanced accuracy ", result.output, flags=re.M)) == 3  # whole, policy, side by side
    assert result.output.count("no frame exits by it") == 2
    assert re.search(r"^ *policy +per_burst +never +per_burst 2", result.output, flags=re.M)
    assert "per_burst 2: person_first 1, person_last 0.7" in result.output


def test_a_page_without_the_table_is_refused(folder: Path) -> None:
    result = _run("evaluate", "--photos", folder, "--page", folder / "page.md")
    assert result.exit_code == 2


def test_what_follows_from_new_weights_covers_every_table_and_picture_of_them() -> None:
    """Each command of `make weights-docs` is one that there is, and each generated part of the pages is in one."""
    told = subprocess.run(
        ["make", "--dry-run", "--always-make", "weights-docs", "PHOTOS=photos", "HELD_OUT=1"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    commands = [
        shlex.split(part)[1:]
        for line in told.splitlines()
        for part in line.split("&&")
        if part.strip().startswith(".venv/bin/rascanet ")
    ]
    group = typer.main.get_command(app)
    for words in commands:
        command = group.get_command(None, words[0])  # type: ignore[attr-defined]  # a group of commands
        assert command is not None, words
        command.make_context(words[0], words[1:])  # options that there aren't raise
    lines = [" ".join(words) for words in commands]
    for weights in (ROOT / "model" / "weights").glob("*.safetensors"):
        assert certificate_beside(weights).is_file()
        assert any(
            line.startswith(f"calibrate --photos photos --weights model/weights/{weights.name}") for line in lines
        )
    for variant in VARIANTS:
        assert any(line.startswith(f"quantize model/weights/rascanet_{variant}.safetensors") for line in lines)
        for mark in (f"exits {variant}-val", f"exits {variant}-test-coco"):
            assert f"<!-- {mark} -->" in (ROOT / "docs" / "figures" / "early-exit.md").read_text()
            wanted = "--split test --source coco" if "test" in mark else f"--plot docs/early-exit/{variant}.svg"
            assert any(line.startswith("exits") and f"--variant {variant}" in line and wanted in line for line in lines)
    card = (ROOT / "docs" / "figures" / "model-card.md").read_text()
    for ending, marks in (
        (
            "model-card --photos photos --card docs/figures/model-card.md",
            [f"card val {variant}" for variant in VARIANTS],
        ),
        (
            "model-card --photos photos --card docs/figures/model-card.md --held-out",
            [f"card test {variant}" for variant in VARIANTS],
        ),
        ("--degrade --page docs/figures/model-card.md", ["degraded val"]),
    ):
        assert any(line.endswith(ending) for line in lines), ending
        assert all(f"<!-- {mark} -->" in card for mark in marks)
    assert "sensor-sheet --page docs/sensor.md --photos photos" in lines
    for picture in (ROOT / "docs" / "page").glob("*.png"):
        assert f"docs/page/{picture.name}" in told
