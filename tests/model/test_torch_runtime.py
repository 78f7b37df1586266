import numpy as np
import torch

from model.checkpoint import tensor_shapes
from model.rascanet import RaScaNet
from model.torch_runtime import checkpoint_from, network_from
from tests.networks import SMALL, random_checkpoint


def test_a_checkpoint_through_a_network_comes_back_bit_for_bit() -> None:
    checkpoint = random_checkpoint(SMALL, 1)
    back = checkpoint_from(network_from(checkpoint), {"steps": 3})
    assert back.digest == checkpoint.digest
    assert back.config == checkpoint.config
    assert back.provenance == {"steps": 3}


def test_a_network_is_ready_for_inference_and_owns_its_weights() -> None:
    checkpoint = random_checkpoint(SMALL, 1)
    digest = checkpoint.digest
    network = network_from(checkpoint)
    assert not network.training
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
    assert checkpoint.digest == digest


def test_a_checkpoint_does_not_follow_the_network_s_training() -> None:
    network = RaScaNet(SMALL)
    checkpoint = checkpoint_from(network)
    before = {name: np.array(tensor) for name, tensor in checkpoint.tensors.items()}
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(1)
    assert set(before) == set(tensor_shapes(SMALL))
    assert all(np.array_equal(checkpoint.tensors[name], tensor) for name, tensor in before.items())
