import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from safetensors import safe_open
from safetensors.numpy import save_file

from model.certificate import certified_policy
from model.checkpoint import CheckpointError, load_checkpoint, save_checkpoint, shipped_weights
from model.config import VARIANTS, RaScaNetConfig
from model.integer.checkpoint import load_integer_checkpoint, save_integer_checkpoint
from tests.model.random_networks import configs, seeds
from tests.networks import SMALL, random_checkpoint, random_integer_network

Change = Callable[[dict[str, Any], dict[str, str]], Any]


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "weights.safetensors"
    save_integer_checkpoint(replace(random_integer_network(SMALL, 1), provenance={"steps": 3}), path)
    return path


@given(config=configs, seed=seeds)
@settings(max_examples=15)
def test_a_saved_network_comes_back_whole(
    tmp_path_factory: pytest.TempPathFactory, config: RaScaNetConfig, seed: int
) -> None:
    folder = tmp_path_factory.mktemp("saved")
    network = random_integer_network(config, seed)
    save_integer_checkpoint(network, folder / "weights.safetensors")
    loaded = load_integer_checkpoint(folder / "weights.safetensors")
    assert (loaded.digest, loaded.config, loaded.labels) == (network.digest, config, network.labels)
    assert [path.name for path in folder.iterdir()] == ["weights.safetensors"]  # nothing partial stays behind


DAMAGES: dict[str, tuple[Change, str]] = {
    "format": (lambda _, metadata: metadata.update(format="x"), "format is 'x', expected 'rascanet-stream int8/1'"),
    "no metadata": (lambda _, metadata: metadata.clear(), "format is None"),
    "no config": (lambda _, metadata: metadata.pop("config"), "lacks 'config'"),
    "config": (lambda _, metadata: metadata.update(config=json.dumps(SMALL.to_dict() | {"height": 31})), "height"),
    "deep": (lambda _, metadata: metadata.update(provenance="[" * 100_000), "weights.safetensors: "),
    "no digest": (lambda _, metadata: metadata.pop("digest"), "digest does not match"),
    "altered": (lambda tensors, _: tensors["gate0.bias"].__setitem__(0, 7), "digest does not match"),
    "missing": (lambda tensors, _: tensors.pop("gate0.shift"), "'gate0.shift' is missing"),
    "surplus": (lambda tensors, _: tensors.update(more=np.zeros(1, np.int8)), "'more' is not part"),
    "dtype": (
        lambda tensors, _: tensors.update({"gate0.bias": tensors["gate0.bias"].astype(np.int64)}),
        "gate0.bias is int64",
    ),
    "shape": (lambda tensors, _: tensors.update({"gate0.bias": np.zeros(3, np.int32)}), r"gate0.bias is int32 \(3,\)"),
    "no gating": (lambda tensors, _: tensors.pop("gating"), "'gating' is missing"),
    "gating": (lambda tensors, _: tensors.update(gating=np.zeros(2, np.int64)), r"'gating' is int64 \(2,\)"),
    "a network's": (lambda tensors, _: tensors["gate0.shift"].__setitem__(0, 31), "shift of gate0"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damages_are_named(saved: Path, damage: str) -> None:
    change, complaint = DAMAGES[damage]
    with safe_open(saved, framework="numpy") as file:
        metadata = dict(file.metadata())
        tensors = {name: file.get_tensor(name).copy() for name in file.keys()}  # noqa: SIM118 - not a mapping
    change(tensors, metadata)
    save_file(tensors, saved, metadata)
    with pytest.raises(CheckpointError, match=complaint) as raised:
        load_integer_checkpoint(saved)
    assert str(raised.value).startswith(str(saved))


def test_float_and_integer_files_are_not_taken_for_each_other(saved: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="format is 'rascanet-stream int8/1', expected 'rascanet-stream/1'"):
        load_checkpoint(saved)
    save_checkpoint(random_checkpoint(SMALL, 1), tmp_path / "float.safetensors")
    with pytest.raises(CheckpointError, match="expected 'rascanet-stream int8/1'"):
        load_integer_checkpoint(tmp_path / "float.safetensors")


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_shipped_integers_are_of_the_shipped_floats_and_have_a_certificate(variant: str) -> None:
    network = load_integer_checkpoint(shipped_weights(variant, "int8"))
    assert network.config == VARIANTS[variant]
    quantised = network.provenance["quantised"]
    assert quantised["float_weights"] == load_checkpoint(shipped_weights(variant)).digest
    assert (quantised["split"], quantised["pictures"]) == ("train", 200)
    assert certified_policy(shipped_weights(variant, "int8"), network.digest) is not None
    card = (Path(__file__).parents[3] / "MODEL_CARD.md").read_text()
    assert f"`rascanet_{variant}_int8.safetensors`, digest `{network.digest[:8]}…`" in card
