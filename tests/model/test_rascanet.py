import numpy as np
import torch
from hypothesis import given, settings

from model.config import RaScaNetConfig
from model.preprocess import network_input
from model.rascanet import RaScaNet
from model.torch_runtime import network_from
from tests.model.conftest import Oracle
from tests.model.random_networks import (
    LOGITS_TOLERANCE,
    STATE_TOLERANCE,
    configs,
    p_person,
    random_frames,
    seeds,
)
from tests.networks import SMALL, random_checkpoint


@torch.inference_mode()
def test_forward_is_the_published_network(oracle: Oracle) -> None:
    network = network_from(oracle.checkpoint)
    output = network(torch.from_numpy(network_input(oracle["frames"])))
    logits = output.logits.numpy()
    np.testing.assert_allclose(logits, oracle["burst_logits"], rtol=0, atol=LOGITS_TOLERANCE)
    np.testing.assert_allclose(logits[:, -1], oracle["final_logits"], rtol=0, atol=LOGITS_TOLERANCE)
    np.testing.assert_allclose(p_person(logits), p_person(oracle["burst_logits"]), rtol=0, atol=STATE_TOLERANCE)
    confidence = torch.sigmoid(output.confidence_logits).numpy()
    np.testing.assert_allclose(confidence, oracle["burst_confidence"], rtol=0, atol=STATE_TOLERANCE)
    last = oracle["hidden_states_first4"][:, -1]
    np.testing.assert_allclose(output.hidden[: len(last)].numpy(), last, rtol=0, atol=STATE_TOLERANCE)


@settings(max_examples=25)
@given(configs, seeds)
@torch.inference_mode()
def test_forward_is_the_fold_of_step(config: RaScaNetConfig, seed: int) -> None:
    network = network_from(random_checkpoint(config, seed))
    frames = torch.from_numpy(network_input(random_frames(config, 2, seed)))
    whole = network(frames)
    hidden = network.initial_hidden(2)
    for index, burst in enumerate(torch.split(frames, config.BURST_ROWS, 2)):
        output = network.step(burst, hidden)
        hidden = output.hidden
        torch.testing.assert_close(output.logits, whole.logits[:, index], rtol=0, atol=LOGITS_TOLERANCE)
        torch.testing.assert_close(
            output.confidence, whole.confidence_logits[:, index].sigmoid(), rtol=0, atol=STATE_TOLERANCE
        )
    assert whole.logits.shape == (2, config.bursts_per_frame, config.CLASSES)
    torch.testing.assert_close(hidden, whole.hidden, rtol=0, atol=STATE_TOLERANCE)


@settings(max_examples=20)
@given(configs, seeds)
@torch.inference_mode()
def test_a_frame_does_not_notice_its_neighbours_in_the_batch(config: RaScaNetConfig, seed: int) -> None:
    network = network_from(random_checkpoint(config, seed))
    frames = torch.from_numpy(network_input(random_frames(config, 3, seed)))
    together = network(frames)
    for index in range(3):
        alone = network(frames[index : index + 1])
        torch.testing.assert_close(alone.logits[0], together.logits[index], rtol=0, atol=LOGITS_TOLERANCE)
        torch.testing.assert_close(alone.hidden[0], together.hidden[index], rtol=0, atol=STATE_TOLERANCE)


@torch.inference_mode()
def test_step_leaves_its_arguments_and_the_network_as_they_were() -> None:
    network = network_from(random_checkpoint(SMALL, 1))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    burst = torch.from_numpy(network_input(random_frames(SMALL, 1, 1)[:, : SMALL.BURST_ROWS]))
    hidden = network.initial_hidden() + 0.5
    arguments = burst.clone(), hidden.clone()
    network.step(burst, hidden)
    assert torch.equal(burst, arguments[0])
    assert torch.equal(hidden, arguments[1])
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_the_first_hidden_state_is_zero_in_the_network_s_type() -> None:
    hidden = RaScaNet(SMALL).double().initial_hidden(3)
    assert hidden.shape == (3, 8, 2)
    assert hidden.dtype == torch.float64
    assert not hidden.any()


def test_every_parameter_is_learned_from_a_frame() -> None:
    torch.manual_seed(1)
    network = RaScaNet(SMALL).train()
    output = network(torch.from_numpy(network_input(random_frames(SMALL, 4, 1))))
    (output.logits.square().sum() + output.confidence_logits.square().sum()).backward()
    assert [name for name, each in network.named_parameters() if each.grad is None or not each.grad.any()] == []
