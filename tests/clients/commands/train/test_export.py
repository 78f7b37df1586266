"""`rascanet export`: the library as Arduino and PlatformIO take it, and the step as ONNX Runtime runs it."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from clients.commands.main import app
from clients.commands.train.export import TOLERANCE, difference_from_kernel
from model.checkpoint import save_checkpoint
from model.integer.checkpoint import save_integer_checkpoint
from tests.networks import SMALL, float16_checkpoint, random_checkpoint, random_integer_network

COMPILER = shutil.which("cc")


def _run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["export", "firmware", *map(str, arguments)], env={"COLUMNS": "200"})


@pytest.mark.skipif(COMPILER is None, reason="there is no C compiler here")
def test_the_library_is_whole_and_takes_c_and_cpp(tmp_path: Path) -> None:
    weights, out = tmp_path / "weights.safetensors", tmp_path / "library"
    save_integer_checkpoint(random_integer_network(SMALL, 1), weights)
    result = _run("--weights", weights, "--out", out)
    assert result.exit_code == 0, result.output
    assert {each.name for each in out.iterdir()} == {"library.properties", "library.json", "src", "examples"}
    assert json.loads((out / "library.json").read_text())["name"] == "RaScaNet"
    example = '#include "rascanet_30x32.h"\nint main(void) { return !rascanet_arena_bytes(&rascanet_30x32); }\n'
    for language, flags in (("c", ["-std=c11"]), ("c++", ["-std=c++11"])):
        source = tmp_path / f"example.{language}"
        source.write_text(example)
        subprocess.run(
            [str(COMPILER), "-x", language, *flags, "-Wall", "-Werror", "-Wno-unused", f"-I{out / 'src'}", "-c",
             str(source), "-o", str(tmp_path / "example.o")],
            check=True, timeout=120,
        )  # fmt: skip


def test_what_can_not_be_exported_is_named(tmp_path: Path) -> None:
    save_checkpoint(random_checkpoint(SMALL, 1), tmp_path / "float.safetensors")
    for weights, complaint in (("float.safetensors", "int8/1"), ("gone", "no such file")):
        result = _run("--weights", tmp_path / weights, "--out", tmp_path / "library")
        assert result.exit_code == 2
        assert complaint in result.output
    assert not (tmp_path / "library").exists()
    result = _run("--out", tmp_path)
    assert result.exit_code == 2
    assert "is there already" in result.output


def _onnx(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["export", "onnx", *map(str, arguments)], env={"COLUMNS": "200"})


@pytest.mark.parametrize(("form", "batch"), [("conv", 1), ("gemm", 3)])
def test_the_step_as_onnx_has_the_documented_tensors_and_the_kernel_s_answers(
    tmp_path: Path, form: str, batch: int
) -> None:
    onnxruntime = pytest.importorskip("onnxruntime", reason="ONNX Runtime (extra `bench`) is not installed")
    weights, out = tmp_path / "weights.safetensors", tmp_path / "step.onnx"
    checkpoint = float16_checkpoint(SMALL, 1)
    save_checkpoint(checkpoint, weights)
    result = _onnx("--weights", weights, "--out", out, "--form", form, "--batch", batch)
    assert result.exit_code == 0, result.output
    assert [each.name for each in tmp_path.iterdir() if each.suffix == ".data"] == [], "one file"
    session = onnxruntime.InferenceSession(out, providers=["CPUExecutionProvider"])
    channels, columns = SMALL.hidden_shape
    state = [batch, columns, channels] if form == "gemm" else [batch, channels, columns]
    assert {each.name: (each.type, each.shape) for each in session.get_inputs()} == {
        "rows": ("tensor(uint8)", [batch, *SMALL.burst_shape]),
        "hidden": ("tensor(float)", state),
    }
    assert {each.name: each.shape for each in session.get_outputs()} == {
        "logits": [batch, 2], "p_person": [batch], "confidence": [batch], "next_hidden": state,
    }  # fmt: skip
    metadata = session.get_modelmeta().custom_metadata_map
    assert metadata == {"variant": SMALL.name, "digest": checkpoint.digest}
    assert difference_from_kernel(out, checkpoint) < TOLERANCE
    assert difference_from_kernel(out, random_checkpoint(SMALL, 2)) > 100 * TOLERANCE, "the comparison can fail"


def test_what_can_not_be_onnx_is_named(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="ONNX Runtime (extra `bench`) is not installed")
    save_integer_checkpoint(random_integer_network(SMALL, 1), tmp_path / "int8.safetensors")
    (tmp_path / "there.onnx").touch()
    for options, complaint in (
        (("--weights", tmp_path / "int8.safetensors", "--out", tmp_path / "a.onnx"), "int8"),
        (("--out", tmp_path / "there.onnx"), "--overwrite"),
        (("--out", tmp_path / "a.onnx", "--form", "other"), "conv or gemm"),
    ):
        result = _onnx(*options)
        assert result.exit_code == 2
        assert complaint in result.output
    assert not (tmp_path / "a.onnx").exists()
