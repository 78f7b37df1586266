"""`rascanet quantize`, and what other commands make of its file."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from clients.commands.main import app
from model.checkpoint import save_checkpoint
from model.integer.checkpoint import load_integer_checkpoint
from tests.model.training.folders import INDEX_HEADER
from tests.networks import SMALL, float16_checkpoint


def _run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments)], env={"COLUMNS": "200"})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("quantize")
    lines = [INDEX_HEADER]
    for number in range(48):
        pixels = np.random.default_rng(number).integers(0, 256, (6, 6, 3), np.uint8)
        Image.fromarray(pixels).resize((60, 60)).save(folder / f"{number}.png")
        lines.append(f"{number}.png,{('train', 'val')[number % 2]},{number // 2 % 2},coco,")
    (folder / "index.csv").write_text("\n".join(lines) + "\n")
    save_checkpoint(float16_checkpoint(SMALL, 3), folder / "weights.safetensors")
    return folder


def test_the_same_command_makes_the_same_network_from_pictures_of_train(folder: Path) -> None:
    made = []
    for name, seed in (("one", 1), ("again", 1), ("other", 2)):
        out = folder / f"{name}.safetensors"
        options = ("--photos", folder, "--pictures", 4, "--seed", seed, "--out", out)
        result = _run("quantize", folder / "weights.safetensors", *options)
        assert result.exit_code == 0, result.output
        made.append(load_integer_checkpoint(out))
    assert made[0].digest == made[1].digest != made[2].digest
    facts = made[0].provenance["quantised"]
    assert (facts["split"], facts["pictures"], facts["seed"]) == ("train", 4, 1)
    assert facts["float_weights"] == float16_checkpoint(SMALL, 3).digest


def test_fine_tuning_is_measured_on_pictures_that_were_not_trained_on(folder: Path) -> None:
    options = ("--photos", folder, "--finetune", 2, "--finetune-pictures", 100)
    result = _run("quantize", folder / "weights.safetensors", *options, "--out", folder / "tuned.safetensors")
    assert result.exit_code == 0, result.output
    said = re.findall(r"^(quantised|fine-tuned): P\(person\) differs .* on 2 pictures", result.output, re.M)
    assert said == ["quantised", "fine-tuned"]
    facts = load_integer_checkpoint(folder / "tuned.safetensors").provenance["quantised"]
    assert facts["fine_tuned"]["steps"] == 2
    assert facts["pictures"] == 24


def test_too_few_pictures_to_fine_tune_are_named(folder: Path, tmp_path: Path) -> None:
    few = tmp_path / "few"
    few.mkdir()
    (few / "index.csv").write_text(f"{INDEX_HEADER}\n{folder / '0.png'},train,1,coco,\n")
    result = _run("quantize", folder / "weights.safetensors", "--photos", few, "--finetune", 2, "--out", few / "none")
    assert result.exit_code == 2
    assert "takes 32 pictures of the split train, not 1" in result.output


def test_float_and_integer_weights_are_evaluated_and_classified_with_alike(folder: Path) -> None:
    weights = folder / "weights.safetensors"
    assert _run("quantize", weights, "--photos", folder).exit_code == 0
    integers = folder / "weights_int8.safetensors"
    result = _run("evaluate", "--photos", folder, "--weights", weights, "--weights", integers)
    assert result.exit_code == 0, result.output
    assert re.search(r"^ *weights +weights +weights_int8$", result.output, re.M)
    assert re.search(r"^ *decide differently than the first +- +\d+\.\d%", result.output, re.M)
    assert re.search(r"^ *P\(person\): mean / largest difference +- +0\.\d{4} / 0\.\d{4}", result.output, re.M)
    result = _run("classify", folder / "1.png", "--weights", integers, "--policy", "never")
    assert result.exit_code == 0, result.output


def test_what_is_no_float_network_is_named(folder: Path) -> None:
    assert _run("quantize", folder / "weights.safetensors", "--photos", folder, "--overwrite").exit_code == 0
    for weights, complaint in (
        (folder / "weights_int8.safetensors", "expected 'rascanet-stream/1'"),
        (folder / "0.png", "not a safetensors file"),
        (folder / "gone", "no such file"),
    ):
        result = _run("quantize", weights, "--photos", folder, "--out", folder / "none.safetensors")
        assert result.exit_code == 2
        assert complaint in result.output
    assert not (folder / "none.safetensors").exists()
