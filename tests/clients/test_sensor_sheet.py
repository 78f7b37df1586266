from pathlib import Path

import numpy as np
from PIL import Image
from typer.testing import CliRunner

from clients.commands.main import app
from tests.model.training.folders import INDEX_HEADER

SHEETS = ("presets", "shutters", "profiles")


def test_every_preset_and_profile_is_drawn_and_the_accuracy_measured(tmp_path: Path) -> None:
    photos, page = tmp_path / "photos", tmp_path / "page.md"
    photos.mkdir()
    lines = [INDEX_HEADER]
    for number in range(4):
        pixels = np.random.default_rng(number).integers(0, 256, (32, 30, 3), np.uint8)
        Image.fromarray(pixels).save(photos / f"{number}.png")
        lines.append(f"{number}.png,val,{number % 2},street,[]")
    (photos / "index.csv").write_text("\n".join(lines) + "\n")
    page.write_text("<!-- sheet accuracy -->\nold\n<!-- end accuracy -->\n")
    arguments = ["sensor-sheet", "--out", str(tmp_path / "out"), "--photos", str(photos), "--page", str(page)]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    for name in (*SHEETS, "accuracy"):
        with Image.open(tmp_path / "out" / f"{name}.png") as picture:
            assert min(picture.size) > 200
            assert np.ptp(np.asarray(picture.convert("L"))) > 100
    text = page.read_text()
    assert "\nold\n" not in text
    assert all(f"| {preset} |" in text for preset in ("ideal", "daylight", "indoor", "dusk", "night"))


def test_a_folder_without_an_index_is_named(tmp_path: Path) -> None:
    arguments = ["sensor-sheet", "--out", str(tmp_path), "--photos", str(tmp_path)]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code != 0
    assert "index.csv" in done.output
