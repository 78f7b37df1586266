"""The last steps of making weights: what is said of the weights is said of the rounded ones."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from model.config import VARIANTS
from model.torch_runtime import network_from
from model.training.finish import STATISTICS, evaluate_frames, person_curves, round_file, round_weights
from model.training.photos import load_frames, read_photos
from model.training.scaling import choose_exit_threshold
from tests.networks import SMALL, random_checkpoint


def holds_float16(checkpoint: Checkpoint) -> set[str]:
    """Names of the tensors whose numbers are all of float16."""
    return {name for name, each in checkpoint.tensors.items() if np.array_equal(each.astype(np.float16), each)}


def test_weights_are_rounded_and_statistics_are_not() -> None:
    checkpoint = random_checkpoint(SMALL, 1)
    found = round_weights(checkpoint)
    statistics = {name for name in checkpoint.tensors if name.endswith(STATISTICS)}
    assert holds_float16(checkpoint) == set()
    assert holds_float16(found) == checkpoint.tensors.keys() - statistics
    assert all(np.array_equal(found.tensors[name], checkpoint.tensors[name]) for name in statistics)
    assert found.provenance == {"seed": 1, "rounded": {"to": "float16", "from": checkpoint.digest, "float32": []}}
    assert round_weights(found).digest == found.digest != checkpoint.digest


@pytest.mark.parametrize("value", [7e4, 1e-7])
def test_a_tensor_that_float16_can_not_hold_stays_and_is_named(value: float) -> None:
    checkpoint, name = random_checkpoint(SMALL, 1), "heads.1.2.conv.weight"
    large = checkpoint.tensors[name].copy()
    large[1] = value * np.linspace(1, 1.01, large[1].size).reshape(large[1].shape)
    found = round_weights(replace(checkpoint, tensors={**checkpoint.tensors, name: large}))
    assert np.array_equal(found.tensors[name], large)
    assert found.provenance["rounded"]["float32"] == [name]


@pytest.mark.parametrize("variant", VARIANTS)
def test_rounded_weights_take_about_half_the_bytes(tmp_path: Path, variant: str) -> None:
    checkpoint = random_checkpoint(VARIANTS[variant], 1)
    for name, each in (("before", checkpoint), ("after", round_weights(checkpoint))):
        save_checkpoint(each, tmp_path / name)
    sizes = [(tmp_path / name).stat().st_size for name in ("before", "after")]
    assert sizes[1] < 0.55 * sizes[0]


def test_a_file_is_rounded_and_measured_anew(photo_folder: Path, tmp_path: Path) -> None:
    given = replace(random_checkpoint(VARIANTS["105x120"], 1), provenance={"steps": 3, "val": "of before"})
    before, after = tmp_path / "before.safetensors", tmp_path / "after.safetensors"
    save_checkpoint(given, before)
    metrics = round_file(before, photo_folder, after)
    assert load_checkpoint(before).digest == given.digest
    found = load_checkpoint(after)
    assert found.digest == round_weights(given).digest
    assert found.provenance["steps"] == 3
    val = read_photos(photo_folder, "val")
    network, frames = network_from(found), load_frames(val, 105, 120)
    assert metrics == evaluate_frames(network, frames, val.labels)
    assert found.provenance["val"] == {**metrics.to_dict(), "interval": list(metrics.interval)}
    assert found.provenance["exit_threshold"] == choose_exit_threshold(person_curves(network, frames))
