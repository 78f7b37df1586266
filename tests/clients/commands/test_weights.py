"""Which weights a command works with."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from clients.commands.main import app
from clients.commands.weights import names_of, weights_file
from model.checkpoint import CheckpointError, shipped_weights
from model.config import DEFAULT_VARIANT, VARIANTS


def test_without_a_file_the_weights_come_with_the_project() -> None:
    assert weights_file(None, None) == shipped_weights(DEFAULT_VARIANT)
    for variant in VARIANTS:
        assert weights_file(None, variant, "int8") == shipped_weights(variant, "int8")
    with pytest.raises(CheckpointError, match="there is 105x120, 210x240"):
        weights_file(None, "banana")


def test_a_file_names_its_network_itself() -> None:
    file = Path("my.safetensors")
    assert weights_file(file, None) == file
    with pytest.raises(CheckpointError, match="--variant or --weights, not both"):
        weights_file(file, DEFAULT_VARIANT)


@pytest.mark.parametrize(
    "command",
    [
        ["classify", "photo.jpg"],
        ["evaluate", "--photos", "photos"],
        ["exits", "--photos", "photos"],
        ["calibrate", "--photos", "photos"],
        ["export", "firmware", "--out", "library"],
        ["export", "onnx", "--out", "step.onnx"],
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_every_command_refuses_a_network_beside_its_weights(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("photo.jpg").touch()
    for options, complaint in (
        (["--weights", "my.safetensors", "--variant", DEFAULT_VARIANT], "--variant or --weights, not both"),
        (["--variant", "banana"], "no shipped network 'banana'; there is 105x120, 210x240"),
    ):
        done = CliRunner().invoke(app, [*command, *options])
        assert done.exit_code == 2, done.output
        assert complaint in done.stderr


def test_files_with_one_name_are_told_apart_by_their_folder() -> None:
    one, other = Path("a/weights.safetensors"), Path("b/weights.safetensors")
    assert names_of([one, other]) == {one: "a/weights", other: "b/weights"}
    assert names_of([one]) == {one: "weights"}
