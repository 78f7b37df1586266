"""How commands end: without packages, on full disks, before closed pipes."""

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from clients.commands.classify.rows import read_rows
from clients.commands.console import CANNOT, EXTRAS, PIPE_CLOSED, install_hint
from clients.commands.main import COMMANDS, app
from model.checkpoint import shipped_weights
from tests.networks import SMALL
from tests.picture_files import picture

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
    """The extras that docs/commands.md says each command, or each part of a group, needs without options."""
    table = re.findall(r"^\| (`rascanet .*?`) \| (.*?) \|", (ROOT / "docs" / "commands.md").read_text(), flags=re.M)
    return {
        name: set(re.findall(r"`(\w+)`", needs.partition(";")[0]))
        for commands, needs in table
        for name in re.findall(r"`rascanet ([a-z-]+(?: [a-z-]+)?)", commands)
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
        "mqtt-remove": ["--mqtt", "mqtt://127.0.0.1:9", "--name", "hall"],
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
        "quantize": [str(shipped_weights("105x120")), *photos, "--out", str(out / "int8.safetensors")],
        "export": ["firmware", "--out", str(out / "firmware")],
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
        assert found == (needed[name] if name in needed else needed[f"{name} {lines[name][0]}"]), said


def test_the_extras_are_those_of_the_project() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    for package, extra in EXTRAS.items():
        listed = re.search(rf"^{extra} = \[(.*?)\]$", text, flags=re.M | re.S)
        assert listed, extra
        name = {"av": "av", "skimage": "scikit-image"}.get(package, package)
        assert f'"{name}' in listed[1], package
        assert f"[{extra}]" in install_hint(package)
    assert re.search(r"^full: ", (ROOT / "Makefile").read_text(), flags=re.M)


RASCANET = [sys.executable, "-m", "clients.commands.main"]
FULL = Path("/dev/full")


def _process(*arguments: object, **options: Any) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run([*RASCANET, *map(str, arguments)], capture_output=True, timeout=60, check=False, **options)


def _run(*arguments: object) -> Result:
    return CliRunner().invoke(app, list(map(str, arguments)))


def _one_sentence(said: str) -> bool:
    return said.startswith("rascanet: ") and said.count("\n") == 1 and "Traceback" not in said


@pytest.mark.parametrize("command", ["classify", "stream", "budget"])
def test_a_closed_pipe_ends_a_command_quietly(command: str, pictures: Path, service_url: str) -> None:
    lines: dict[str, list[object]] = {
        "classify": [*[pictures] * 40, "--jobs", 1, "--format", "ndjson"],
        "stream": [*[pictures] * 3, "--url", service_url, "--variant", SMALL.name, "--virtual-time", "--json"],
        "budget": [],
    }
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [*RASCANET, command, *map(str, lines[command])],
            stdout=writing,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (PIPE_CLOSED, b"")


@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_told_in_a_sentence(pictures: Path, service_url: str, tmp_path: Path) -> None:
    photo = pictures / "0.png"
    stream = ("stream", photo, "--url", service_url, "--variant", SMALL.name, "--virtual-time")
    for command in (
        ("classify", photo, "--out", FULL, "--quiet"),
        ("classify", photo, "--quiet", "--out", tmp_path / "a.csv", "--report", FULL),
        ("record", photo, "--out", FULL),
        (*stream, "--ledger", FULL),
    ):
        done = _run(*command)
        assert done.exit_code == CANNOT, command
        assert _one_sentence(done.stderr), done.stderr
        assert "/dev/full: no space left" in done.stderr
    with FULL.open("w") as full:
        budget = subprocess.run([*RASCANET, "budget"], stdout=full, stderr=subprocess.PIPE, timeout=60, check=False)
    assert budget.returncode == CANNOT
    assert _one_sentence(budget.stderr.decode()), budget.stderr


def test_outputs_that_are_one_file_and_places_that_can_t_be_written(pictures: Path, tmp_path: Path) -> None:
    photo, out = pictures / "0.png", tmp_path / "out.csv"
    link = tmp_path / "link.csv"
    link.symlink_to(out)
    for options, complaint in (
        (("--out", out, "--report", link), "are the same file"),
        (("--out", tmp_path), "is a folder"),
        (("--out", tmp_path / "missing" / "a.csv"), "no such file or directory"),
    ):
        done = _run("classify", photo, *options)
        assert done.exit_code == CANNOT
        assert complaint in done.stderr
        assert _one_sentence(done.stderr), done.stderr
    assert not out.exists()


def test_names_of_every_kind_in_every_output_and_back(tmp_path: Path) -> None:
    folder = tmp_path / "odd"
    folder.mkdir()
    names = [b"=1+1.png", b"\x1b[2J.png", b"a\nb.png", b"<script>x.png", b"\xff\xfe.png", b"[red]x.png"]
    names.append("\u202e.png".encode())
    for name in names:
        (folder / os.fsdecode(name)).write_bytes(picture())
    expected = sorted(os.fsencode(folder.name) + b"/" + name for name in names)
    locale = os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    for kind in ("csv", "ndjson"):
        options: list[object] = ["classify", "odd", "--out", f"out.{kind}", "--report", f"{kind}.html"]
        for more in ([], ["--resume"]):
            if more:
                (tmp_path / f"{kind}.html").unlink()
            done = _process(*options, *more, cwd=tmp_path, env=locale)
            assert done.returncode == 0, done.stderr
            file = tmp_path / f"out.{kind}"
            text = file.read_text(encoding="utf-8", errors="surrogateescape")
            first = next(csv.DictReader(io.StringIO(text))) if kind == "csv" else json.loads(text.splitlines()[0])
            policy = json.loads(first["policy"]) if kind == "csv" else first["policy"]
            settings = {"variant": first["variant"], "weights": first["weights"], "policy": policy}
            found = sorted(os.fsencode(row["name"]) for row in read_rows(file, kind, settings))
            assert found == expected
        assert b"nothing new" in done.stderr
        page = (tmp_path / f"{kind}.html").read_text(encoding="utf-8")
        assert "<script>x" not in page
        assert "\x1b" not in page
        assert "&lt;script&gt;x" in page
    relative = _process("classify", *map(os.fsdecode, names), cwd=folder, env=locale)
    assert relative.returncode == 0, relative.stderr
    for output in (relative.stdout, relative.stderr):
        assert b"\x1b" not in output
        assert b"\xff" not in output
        assert "\u202e".encode() not in output
    assert len(relative.stdout.splitlines()) == len(names)
    table = list(
        csv.reader(io.StringIO(_process("classify", "=1+1.png", "--format", "csv", cwd=folder).stdout.decode()))
    )
    assert table[1][0] == "'=1+1.png"


def test_a_deep_folder_and_a_circle_of_links_have_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = os.open(tmp_path, os.O_RDONLY)
    depth = 1100  # more than Python's calls may be nested
    try:
        for _ in range(depth):
            os.mkdir("d", dir_fd=place)
            below = os.open("d", os.O_RDONLY, dir_fd=place)
            os.close(place)
            place = below
        written = os.open("a.png", os.O_WRONLY | os.O_CREAT, dir_fd=place)
        os.write(written, picture())
        os.close(written)
    finally:
        os.close(place)
    try:
        for number in range(3):
            (tmp_path / f"circle{number}").symlink_to(tmp_path)
        monkeypatch.chdir(tmp_path)
        for path in (".", "**/*.png"):
            done = _run("classify", path, "--quiet")
            assert (done.exit_code, done.stderr) == (0, "")
            assert done.stdout.count("\n") == 1
    finally:
        subprocess.run(["rm", "-rf", str(tmp_path / "d")], check=True)


def test_an_interruption_within_a_finaliser_is_not_lost() -> None:
    program = (
        "import os, signal, time\n"
        "from clients.commands.console import ended_in_order\n"
        "class Finalised:\n"
        "    def __del__(self): os.kill(os.getpid(), signal.SIGTERM)\n"
        "with ended_in_order():\n"
        "    Finalised()\n"
        "    time.sleep(30)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=25, check=False)
    assert done.returncode == -signal.SIGTERM, done.stderr
