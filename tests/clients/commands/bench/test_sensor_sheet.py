from pathlib import Path

import numpy as np
from PIL import Image
from typer.testing import CliRunner

from clients.commands.bench.sensor_sheet import preset_table, profile_tables
from clients.commands.main import app
from sensor_sim.sensor import PRESETS
from tests.model.training.folders import INDEX_HEADER

SHEETS = ("presets.webp", "shutters.webp", "colours.webp", "profiles.webp")
LARGEST_BYTES = 150_000
"""Of a picture that whoever opens the page fetches."""
TABLES = ("presets", "profiles", "accuracy", "kinds", "masks")
MARKS = "".join(f"<!-- sheet {name} -->\nold\n<!-- end {name} -->\n" for name in TABLES)


def test_every_preset_and_profile_is_drawn_and_the_accuracy_measured(tmp_path: Path) -> None:
    photos, page = tmp_path / "photos", tmp_path / "page.md"
    photos.mkdir()
    lines = [INDEX_HEADER]
    for number in range(4):
        pixels = np.random.default_rng(number).integers(0, 256, (32, 30, 3), np.uint8)
        Image.fromarray(pixels).save(photos / f"{number}.png")
        boxes = '"[[0.4, 0.4, 0.2, 0.2]]"' if number % 2 else "[]"
        lines.append(f"{number}.png,val,{number % 2},street,{boxes}")
    (photos / "index.csv").write_text("\n".join(lines) + "\n")
    page.write_text(MARKS)
    arguments = ["sensor-sheet", "--out", str(tmp_path / "out"), "--photos", str(photos), "--page", str(page)]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    for name in (*SHEETS, "accuracy.png"):
        assert (tmp_path / "out" / name).stat().st_size < LARGEST_BYTES
        with Image.open(tmp_path / "out" / name) as picture:
            assert min(picture.size) > 200
            assert np.ptp(np.asarray(picture.convert("L"))) > 100
    text = page.read_text()
    assert "\nold\n" not in text
    # The light itself, and each of two networks in it: how often it is right, and what its exits lose.
    assert all(text.count(f"| {preset} |") == 5 for preset in PRESETS)


def test_the_page_has_the_figures_that_the_command_prints() -> None:
    page = (Path(__file__).parents[4] / "docs" / "sensor.md").read_text()
    for table in (preset_table(), *profile_tables()):
        assert table.markdown() in page
    for name in (*SHEETS, "accuracy.png"):
        assert f"](sensor/{name})" in page


def test_the_tables_have_the_published_figures() -> None:
    """Row times, bursts and frame rates as the sources have them; registers as their drivers clamp them."""
    timing, registers = ({row[0].strip("`"): row[1:] for row in table.rows} for table in profile_tables())
    assert timing["hm01b0-qvga"][4] == "125.3"
    assert timing["hm01b0-qvga"][7:10] == ("626.7 (1 x 1)", "1,253.3 (2 x 2)", "30.7")
    assert timing["hm0360-vga"][1:5] == ("24", "768", "532", "32.0")
    assert timing["hm0360-qqvga"][7] == "-"
    assert registers["hm01b0-qvga"][:1] == ("2 to 258",)
    assert registers["hm0360-vga"][:1] == ("2 to 528",)
    assert "ov7670-vga" not in registers


def test_a_folder_without_an_index_is_named(tmp_path: Path) -> None:
    arguments = ["sensor-sheet", "--out", str(tmp_path), "--photos", str(tmp_path)]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code != 0
    assert "index.csv" in done.output
