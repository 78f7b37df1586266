"""How commands end: without packages, on full disks, before closed pipes."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from clients.commands.console import CANNOT, EXTRAS, install_hint
from clients.commands.main import COMMANDS
from tests.networks import SMALL

ROOT = Path(__file__).parents[3]
WITHOUT_SERVICE = ("demo", "serve")
"""Commands that start a service: `tests/clients/commands/start` runs them."""


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of labelled pictures with an index, of every split."""
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    rows = ["file,split,label,source,person_boxes"]
    for number in range(24):
        Image.fromarray(rng.integers(0, 256, (40, 40, 3), np.uint8)).save(folder / f"{number}.png")
        rows.append(f"{number}.png,{('train', 'val', 'calibration')[number % 3]},{number // 3 % 2},a,")
    (folder / "index.csv").write_text("\n".join(rows) + "\n")
    for kind in ("person", "no_person"):
        (folder / "plain" / kind).mkdir(parents=True)
        for number in range(4):
            Image.new("RGB", (20, 20), (number, 9, 9)).save(folder / "plain" / kind / f"{number}.png")
    (folder / "recipe.toml").write_text('variant = "105x120"\nepochs = 1\nbatch = 8\n')
    (folder / "ledger.jsonl").write_text(
        '{"type": "frame", "lost": false, "start_us": 0, "decision": {"p_person": 0.9}}\n'
    )
    return folder


def _needed() -> dict[str, set[str]]:
    """Of every command the extras that README's table says it needs."""
    table = re.findall(r"^\| (`rascanet .*?`) \| (.*?) \|", (ROOT / "README.md").read_text(), flags=re.M)
    return {
        name: set(re.findall(r"`(\w+)`", needs))
        for commands, needs in table
        for name in re.findall(r"`rascanet ([a-z-]+)", commands)
    }


def test_every_command_works_without_extras_or_says_which_one_to_install(
    pictures: Path, tmp_path: Path, service_url: str
) -> None:
    photo, photos = str(pictures / "0.png"), ["--photos", str(pictures)]
    url = ["--url", service_url, "--variant", SMALL.name, "--virtual-time"]
    recipe, out = str(pictures / "recipe.toml"), tmp_path
    lines: dict[str, list[str]] = {
        "budget": [],
        "stream": [photo, *url],
        "record": [photo, "--variant", SMALL.name, "--out", str(out / "a.rscn")],
        "replay": [str(out / "a.rscn"), "--url", service_url, "--virtual-time"],
        "classify": [photo, "--out", str(out / "a.csv"), "--report", str(out / "gallery.html")],
        "events": [str(pictures / "ledger.jsonl")],
        "evaluate": photos,
        "report": [*photos, "--out", str(out / "report.html")],
        "exits": photos,
        "calibrate": [*photos, "--out", str(out / "certificate.json"), "--risk", "0.5", "--delta", "0.5"],
        "model-card": photos,
        "data": ["folder", str(pictures / "plain")],
        "teach": [recipe, *photos, "--out", str(out / "taught")],
        "train": [recipe, *photos, "--out", str(out / "run")],
        "training-curves": [str(out), "--plot", str(out / "curves.svg")],
        "import-checkpoint": [photo],
        "bench": ["step", "--smoke"],
        "sensor-sheet": ["--out", str(out / "sheet")],
    }
    assert set(lines) == set(COMMANDS) - set(WITHOUT_SERVICE)
    commands = [[name, *arguments] for name, arguments in lines.items()]
    program = [sys.executable, "-m", "tests.clients.commands.without_extras"]
    done = subprocess.run(program, input=json.dumps(commands), capture_output=True, text=True, cwd=ROOT, check=True)
    needed = _needed()
    for name, (status, stdout, stderr, error) in zip(lines, json.loads(done.stdout), strict=True):
        said = (name, status, stdout, stderr, error)
        found = set(re.findall(r"-e '\.\[(\w+)\]'", stderr))
        if found:
            assert status == CANNOT, said
            assert re.fullmatch(r"rascanet: .*`make full`.*\n", stderr), said
        else:
            assert status == 0, said
        assert found == needed[name], said


def test_the_extras_are_those_of_the_project() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    for package, extra in EXTRAS.items():
        listed = re.search(rf"^{extra} = \[(.*?)\]$", text, flags=re.M | re.S)
        assert listed, extra
        name = {"av": "av", "skimage": "scikit-image"}.get(package, package)
        assert f'"{name}' in listed[1], package
        assert f"[{extra}]" in install_hint(package)
    assert re.search(r"^full: ", (ROOT / "Makefile").read_text(), flags=re.M)
