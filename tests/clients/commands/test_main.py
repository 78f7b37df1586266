import json
import math
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from clients.commands.main import app
from clients.commands.stream.sending import MOST_IN_TABLE
from model.checkpoint import load_checkpoint, save_checkpoint
from model.config import VARIANTS
from tests.golden import ORACLE
from tests.networks import SMALL, random_checkpoint


def _run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "200"})


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 50, 3), np.uint8)).save(path)
    return path


def test_budget_prints_the_published_figures() -> None:
    output = _run("budget").stdout
    for figures in (("31.77 kB", "3.60 kB", "9.71 M"), ("47.03 kB", "7.92 kB", "56.34 M")):
        assert re.search(".*".join(map(re.escape, figures)), output), output


def test_stream_prints_bursts_and_a_table(service_url: str, photo: Path) -> None:
    options = ("--url", service_url, "--variant", SMALL.name, "--policy", "never")
    result = _run("stream", photo, photo, *options)
    assert result.exit_code == 0
    assert result.stdout.count("photo.png: ") == result.stdout.count("30 of 30 rows sent") == 2
    assert result.stdout.count("30/30") == 2
    assert "2 frames: " in result.stdout
    assert "no row saved" in result.stdout
    every_burst = _run("stream", photo, photo, *options, "--bursts")
    assert every_burst.stdout.count("photo.png: row ") == 2 * SMALL.bursts_per_frame


def test_a_film_s_frames_are_told_once(service_url: str, photo: Path) -> None:
    options = ("--url", service_url, "--variant", SMALL.name, "--policy", "never", "--virtual-time")
    few, many = (_run("stream", *[photo] * frames, *options).stdout for frames in (MOST_IN_TABLE, MOST_IN_TABLE + 1))
    assert few.count("30/30") == MOST_IN_TABLE
    assert "30/30" not in many
    assert many.count("30 of 30 rows sent") == MOST_IN_TABLE + 1
    assert f"{MOST_IN_TABLE + 1} frames: " in many


def test_stream_as_json(service_url: str, photo: Path) -> None:
    result = _run("stream", photo, "--url", service_url, "--variant", SMALL.name, "--policy", "never", "--json")
    messages = [json.loads(line) for line in result.stdout.splitlines()]
    kinds = [message["type"] for message in messages]
    assert kinds == ["progress"] * SMALL.bursts_per_frame + ["decision", "report", "summary"]
    assert "token" not in result.stdout  # it would let its reader go on with the stream


def test_classify_agrees_with_stream(service_url: str, photo: Path, tmp_path: Path) -> None:
    weights = tmp_path / "weights.safetensors"
    save_checkpoint(random_checkpoint(SMALL, 1), weights)
    classified = _run("classify", photo, "--weights", weights, "--policy", "never").stdout
    options = ("--url", service_url, "--variant", SMALL.name, "--policy", "never", "--bursts")
    streamed = _run("stream", photo, *options).stdout
    p_person = re.search(r"P\(person\) ([\d.]+)", classified)
    assert p_person
    assert f"row 30 of 30, P(person) {p_person[1]}" in streamed


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("stream", "missing.png", "--url", "SERVICE", "--variant", "30x32"), "missing.png: no such file"),
        (("stream", "PHOTO", "--url", "SERVICE", "--variant", "5x16"), "'5x16' is not served"),
        (("stream", "PHOTO", "--url", "SERVICE", "--variant", "5y16"), "'5y16' is not a variant"),
        (("stream", "PHOTO", "--url", "http://127.0.0.1:1"), "start one with `rascanet serve`"),
        (("classify", "PHOTO", "--url", "http://127.0.0.1:1"), "start one with `rascanet serve`"),
        (("stream", "PHOTO", "--url", "ELSEWHERE"), "refused with HTTP 404: there is no stream at"),
        (("stream", "PHOTO", "--url", "nonsense"), "not the address of a service"),
        (
            ("stream", "PHOTO", "--url", "SERVICE", "--variant", "30x32", "--exit-threshold", "2"),
            "'exit_threshold' must be in 0..1",
        ),
        (("stream",), "name photographs, folders, films or a camera, or give --samples\n"),
        (("classify",), "give files, folders or archives to classify, such as `rascanet classify photo.jpg`\n"),
        (("classify", "PHOTO", "--weights", "missing"), "missing: no such file"),
        (("classify", "PHOTO", "--weights", "PHOTO"), "not a safetensors file"),
        (("classify", "PHOTO", "--policy", "other"), "there is no policy 'other'; there is published"),
        (("import-checkpoint", "PHOTO"), "not a torch file"),
        (("evaluate", "--photos", "missing"), "no such file"),
        (("train", "missing.toml", "--photos", "missing", "--out", "missing"), "no such file"),
    ],
)
def test_mistakes_are_told_in_a_line(service_url: str, photo: Path, arguments: tuple[str, ...], complaint: str) -> None:
    places = {"SERVICE": service_url, "ELSEWHERE": f"{service_url}/page", "PHOTO": str(photo)}
    result = _run(*(places.get(argument, argument) for argument in arguments))
    assert result.exit_code == 2
    assert complaint in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.skipif(not ORACLE.is_dir(), reason="the golden vectors' folder is not here")
def test_import_checkpoint_writes_our_format_and_states_the_licence(tmp_path: Path) -> None:
    out = tmp_path / "imported.safetensors"
    result = _run("import-checkpoint", ORACLE / "random_weights_210x240.pth", "--out", out)
    assert result.exit_code == 0
    assert "research use only" in " ".join(result.stdout.split())
    assert load_checkpoint(out).config == VARIANTS["210x240"]


def test_train_and_evaluate_on_a_handful_of_photographs(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = ["file,split,label,source,person_boxes"]
    for index in range(24):
        name = f"{index}.png"
        Image.fromarray(rng.integers(0, 256, (40, 40, 3), np.uint8)).save(tmp_path / name)
        rows.append(f"{name},{'train' if index < 16 else 'val'},{index % 2},{'ab'[index // 2 % 2]},")
    (tmp_path / "index.csv").write_text("\n".join(rows))
    recipe = tmp_path / "recipe.toml"
    recipe.write_text('variant = "105x120"\nepochs = 1\nbatch = 8\n')
    trained = _run("train", recipe, "--photos", tmp_path, "--out", tmp_path / "run", "--threads", 1)
    assert trained.exit_code == 0, trained.output
    weights = tmp_path / "run" / "weights.safetensors"
    provenance = load_checkpoint(weights).provenance
    assert provenance["steps"] == 2
    assert provenance["recipe"]["batch"] == 8
    found = re.search(r"balanced accuracy on val ([\d.]+)%", trained.stdout)
    assert found
    evaluated = _run("evaluate", "--photos", tmp_path, "--weights", weights).stdout
    assert math.isclose(float(found[1]) / 100, provenance["val"]["balanced_accuracy"], abs_tol=1e-3)
    assert f"{found[1]}%" in evaluated


def test_a_missing_token_is_told_with_what_to_do(start: Callable[..., str], photo: Path) -> None:
    url = start(bearer_token="t" * 40)
    for command in (("stream", photo, "--variant", SMALL.name), ("classify", photo)):
        result = _run(*command, "--url", url)
        assert result.exit_code == 2
        assert "RASCANET_BEARER_TOKEN" in result.stderr
        assert "{" not in result.stderr
        assert len(result.stderr.splitlines()) == 1
