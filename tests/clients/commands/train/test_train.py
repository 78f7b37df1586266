from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from clients.commands.main import app
from model.checkpoint import load_checkpoint
from model.training import backbones
from model.training.chain import chain_from, read_chain

RECIPE = "frame_size = [15, 16]\nepochs = 1\nbatch = 2\n"
CHAIN = '[[runs]]\nname = "first"\nrecipe = {frame_size = [15, 16], epochs = 1, batch = 2}\n'


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    lines = ["file,split,label,source,person_boxes"]
    for number in range(8):
        shade = np.full((24, 24, 3), 40 + 150 * (number % 2), np.uint8)
        Image.fromarray(shade).save(tmp_path / f"{number}.png")
        lines.append(f"{number}.png,{('train', 'val')[number // 4]},{number % 2},street,[]")
    (tmp_path / "index.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


def rascanet(*words: str | Path) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["train", *map(str, words)])
    return result.exit_code, " ".join(result.output.split())


def test_a_chain_is_one_command(photos: Path) -> None:
    file = photos / "chain.toml"
    file.write_text(CHAIN)
    for _ in range(2):  # the second time it is done already
        status, told = rascanet("--chain", file, "--photos", photos, "--out", photos / "runs", "--threads", "1")
        assert status == 0, told
        assert "first: balanced accuracy on val" in told
    weights = load_checkpoint(photos / "runs" / "105x120" / "weights.safetensors")
    assert chain_from(weights.provenance["chain"]) == read_chain(file)
    assert weights.provenance["start"] is None


def test_a_recipe_is_one_run(photos: Path) -> None:
    file = photos / "recipe.toml"
    file.write_text(RECIPE)
    options = ("--photos", photos, "--out", photos / "run", "--pictures", photos / "pictures", "--threads", "1")
    status, told = rascanet(file, *options, "--seed", "7")
    assert status == 0, told
    noted = load_checkpoint(photos / "run" / "weights.safetensors").provenance
    assert (noted["steps"], noted["recipe"]["seed"]) == (2, 7)
    assert (photos / "pictures" / "train_224x256.npy").is_file()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "give either a recipe, or --chain FILE"),
        (("recipe.toml", "--chain", "chain.toml"), "give either a recipe, or --chain FILE"),
        (
            ("--chain", "chain.toml", "--start", "weights"),
            "--start, --teacher, --pictures and --seed are for a single recipe",
        ),
        (("recipe.toml", "--models", "models"), "--models and --detector are for --chain"),
        (("recipe.toml", "--detector", "nanodet"), "--models and --detector are for --chain"),
        (("--chain", "absent.toml"), "absent.toml: no such file"),
        (("--chain", "chain.toml", "--detector", "nanodet"), "--detector is one of the networks in --models FOLDER"),
        (("--chain", "taught.toml", "--models", "nowhere"), "nowhere"),
        (("--chain", "chain.toml", "--models", ".", "--detector", "yolo"), "the detectors are nanodet, centernet"),
    ],
)
def test_what_cannot_be_run_is_said(
    photos: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    message: str,
) -> None:
    monkeypatch.chdir(photos)
    Path("chain.toml").write_text(CHAIN)
    Path("recipe.toml").write_text(RECIPE)
    Path("taught.toml").write_text(f'{CHAIN}[[runs]]\nname = "taught"\nanswered_views = 9\nrecipe.hint_loss = 0.5\n')
    monkeypatch.setattr(backbones, "EfficientNetLite", lambda: None)
    status, told = rascanet(*words, "--photos", ".", "--out", "runs")
    assert status == 2
    assert not Path("runs").exists()
    assert message in told + capsys.readouterr().err
