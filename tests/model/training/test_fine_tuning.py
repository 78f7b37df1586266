from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given, settings

from model.config import RaScaNetConfig
from model.folding import folded_layers
from model.integer.network import IntegerNetwork
from model.integer.quantise import FoldedNetwork, activation_scales, quantise
from model.runtime import load_runtime
from model.training.fine_tuning import Answers, FineTuning, Frames, RoundedNetwork, Teacher, difference, fine_tune, loss
from tests.model.random_networks import configs, random_frames, seeds
from tests.networks import SMALL, random_checkpoint


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Tensors are too small to share; threads would wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def _quantised(config: RaScaNetConfig, seed: int, frames: Frames) -> IntegerNetwork:
    checkpoint = random_checkpoint(config, seed)
    return quantise(checkpoint, activation_scales(FoldedNetwork(checkpoint), frames))


def _rounded(config: RaScaNetConfig, seed: int, network: IntegerNetwork) -> RoundedNetwork:
    return RoundedNetwork(
        config, folded_layers(random_checkpoint(config, seed)), network.provenance["quantised"]["scales"]
    )


@given(config=configs, seed=seeds)
@settings(max_examples=10)
def test_one_burst_is_the_integer_networks(config: RaScaNetConfig, seed: int) -> None:
    frames = random_frames(config, 2, seed)
    network = _quantised(config, seed, frames)
    with torch.no_grad():
        made = _rounded(config, seed, network)(frames)
    state = network.step(frames[:, : config.BURST_ROWS], np.zeros((2, *network.hidden_shape), np.int16))
    apart = np.abs(made.states[:, 0].numpy() - state.hidden / 2**15)
    assert np.count_nonzero(apart) <= 1 + 0.01 * apart.size, "a tie in float32 rounds otherwise now and then"
    assert np.median(apart) == 0
    assert np.abs(made.p_person[:, 0].numpy() - state.p_person / 2**15).max() < 0.01


def test_the_layers_it_hands_over_are_those_it_computes_with() -> None:
    frames = random_frames(SMALL, 8, 1)
    network = _quantised(SMALL, 1, frames)
    rounded = _rounded(SMALL, 1, network)
    rng = torch.Generator().manual_seed(1)
    for change in rounded.parameters():
        change.data = torch.randn(change.shape, generator=rng)
    checkpoint = random_checkpoint(SMALL, 1)
    moved = quantise(checkpoint, network.provenance["quantised"]["scales"], None, rounded.layers())
    assert moved.digest != network.digest
    with torch.no_grad():
        made = rounded(frames)
    states = moved.step(frames[:, :5], np.zeros((8, *moved.hidden_shape), np.int16)).hidden
    assert np.mean(np.abs(made.states[:, 0].numpy() * 2**15 - states) > 1) < 0.01


def test_training_brings_the_integers_nearer_to_the_float_network() -> None:
    frames, unseen = random_frames(SMALL, 64, 1), random_frames(SMALL, 32, 2)
    checkpoint, network = random_checkpoint(SMALL, 1), _quantised(SMALL, 1, frames)
    losses: list[float] = []
    tuned = fine_tune(checkpoint, network, frames, FineTuning(steps=40), lambda _, error: losses.append(error))
    runtime = load_runtime(checkpoint)
    before, after = (difference(runtime, load_runtime(each), unseen) for each in (network, tuned))
    assert len(losses) == 40
    assert after.mean < 0.8 * before.mean
    again = fine_tune(checkpoint, network, frames, FineTuning(steps=3))
    assert again.digest == fine_tune(checkpoint, network, frames, FineTuning(steps=3)).digest
    facts = again.provenance["quantised"]
    assert facts["fine_tuned"]["steps"] == 3
    assert facts["float_weights"] == checkpoint.digest


def test_the_aim_itself_has_no_loss() -> None:
    frames = random_frames(SMALL, 3, 1)
    aim = Teacher(load_runtime(random_checkpoint(SMALL, 1)))(frames)
    assert loss(aim, aim, 1.0).item() == pytest.approx(0, abs=1e-4)
    other = Answers(aim.p_person, aim.confidence, aim.margin, aim.states + 0.1)
    assert loss(other, aim, 1.0).item() > loss(aim, aim, 1.0).item()


def test_too_few_frames_are_refused() -> None:
    frames = random_frames(SMALL, 4, 1)
    with pytest.raises(ValueError, match="4 frames are fewer than a batch of 16"):
        fine_tune(random_checkpoint(SMALL, 1), _quantised(SMALL, 1, frames), frames, FineTuning())
