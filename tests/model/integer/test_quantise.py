import numpy as np
import pytest
from hypothesis import given, settings

from model.config import RaScaNetConfig
from model.integer.network import IntegerNetworkError
from model.integer.quantise import FoldedNetwork, activation_scales, quantise
from model.torch_runtime import TorchRuntime
from tests.model.random_networks import STATE_TOLERANCE, configs, random_frames, seeds
from tests.networks import SMALL, random_checkpoint


@given(config=configs, seed=seeds)
@settings(max_examples=10)
def test_the_folded_network_is_the_float_one(config: RaScaNetConfig, seed: int) -> None:
    checkpoint = random_checkpoint(config, seed)
    burst = random_frames(config, 1, seed)[:, : config.BURST_ROWS]
    runtime, hidden = TorchRuntime(checkpoint), np.zeros(config.hidden_shape, np.float32)
    runtime.step(burst[0], hidden)
    _, state = FoldedNetwork(checkpoint).step(burst, np.zeros((1, *config.hidden_shape[::-1]), np.float32))
    assert pytest.approx(hidden, abs=STATE_TOLERANCE) == state[0].T


@given(config=configs, seed=seeds)
@settings(max_examples=15)
def test_the_integer_network_is_near_the_float_one(config: RaScaNetConfig, seed: int) -> None:
    checkpoint, frames = random_checkpoint(config, seed), random_frames(config, 4, seed)
    network = quantise(checkpoint, activation_scales(FoldedNetwork(checkpoint), frames))
    runtime, hidden = TorchRuntime(checkpoint), np.zeros(config.hidden_shape, np.float32)
    runtime.step(frames[0, : config.BURST_ROWS], hidden)
    state = network.step(frames[:1, : config.BURST_ROWS], np.zeros((1, *network.hidden_shape), np.int16)).hidden
    assert np.abs(state[0].T / 2**15 - hidden).mean() < 0.04


def test_dead_features_leave_a_gate_that_integers_can_hold() -> None:
    """Features that are always zero get a coarser step from their weights; what is gated has to follow it."""
    config = RaScaNetConfig(height=10, width=16, head_channels=(3, 1, 2, 2), hidden_channels=4)
    checkpoint = random_checkpoint(config, 2)
    network = quantise(checkpoint, activation_scales(FoldedNetwork(checkpoint), random_frames(config, 4, 2)))
    assert network.gating[1] <= -1


def test_a_scale_reaches_nearly_all_of_an_activation_and_not_its_few_outliers() -> None:
    checkpoint, frames = random_checkpoint(SMALL, 1), random_frames(SMALL, 3, 1)
    folded = FoldedNetwork(checkpoint)
    scales = activation_scales(folded, frames)
    hidden = np.zeros((3, *SMALL.hidden_shape[::-1]), np.float32)
    values = []
    for index in range(SMALL.bursts_per_frame):
        activations, hidden = folded.step(frames[:, 5 * index : 5 * index + 5], hidden)
        values.append(activations["block0"])
    beyond = np.concatenate(values) > 255 * scales["block0"]
    assert 0 <= beyond.mean() <= 1e-4
    assert beyond.any() or beyond.size < 10_000


def test_channels_that_are_always_zero_stay_so() -> None:
    checkpoint = random_checkpoint(SMALL, 2)
    tensors = dict(checkpoint.tensors)
    for name in ("heads.0.1.norm.weight", "heads.0.1.norm.bias"):
        tensors[name] = np.zeros_like(tensors[name])
    dead = type(checkpoint)(SMALL, tensors)
    network = quantise(dead, activation_scales(FoldedNetwork(dead), random_frames(SMALL, 2, 0)))
    assert not network.layers["conv2"].weight.any()
    assert not network.layers["conv2"].bias.any()


@pytest.mark.parametrize(
    ("part", "value", "name"), [("gru.reset.weight", 1e20, "gate0"), ("confidence.weight", 1e35, "confidence")]
)
def test_weights_that_no_scale_reaches_are_named(part: str, value: float, name: str) -> None:
    checkpoint = random_checkpoint(SMALL, 2)
    tensors = {**checkpoint.tensors, part: np.full_like(checkpoint.tensors[part], value)}
    steep = type(checkpoint)(SMALL, tensors)
    with pytest.raises(IntegerNetworkError, match=f"weights of {name} are too large"):
        quantise(steep, activation_scales(FoldedNetwork(checkpoint), random_frames(SMALL, 2, 0)))


def test_the_provenance_names_the_float_weights() -> None:
    checkpoint = random_checkpoint(SMALL, 2)
    scales = activation_scales(FoldedNetwork(checkpoint), random_frames(SMALL, 2, 0))
    network = quantise(checkpoint, scales, {"calibrated_on": "noise"})
    assert network.provenance["quantised"]["float_weights"] == checkpoint.digest
    assert network.provenance["quantised"]["calibrated_on"] == "noise"
    assert network.provenance["seed"] == checkpoint.provenance["seed"]
