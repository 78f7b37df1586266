import pytest
import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from model.config import VARIANTS, RaScaNetConfig
from model.folding import BATCH_NORM_EPSILON, folded_layers
from model.integer.network import layer_shapes
from model.torch_runtime import network_from
from tests.networks import SMALL, random_checkpoint


@pytest.mark.parametrize("config", [SMALL, VARIANTS["105x120"]], ids=lambda config: config.name)
def test_a_folded_layer_is_torchs_fusion_of_layer_and_norm(config: RaScaNetConfig) -> None:
    checkpoint = random_checkpoint(config, 1)
    folded, network = folded_layers(checkpoint), network_from(checkpoint).double()
    fused: dict[str, nn.Module] = {
        f"conv{2 * block + head}": fuse_conv_bn_eval(heads[head].conv, heads[head].norm)
        for block, heads in enumerate(zip(*network.heads, strict=True))
        for head in range(config.HEADS)
    }
    fused["project0"] = fuse_conv_bn_eval(network.projection.conv1, network.projection.norm1)
    fused["project1"] = fuse_conv_bn_eval(network.projection.conv2, network.projection.norm2)
    fused["reduce"] = fuse_linear_bn_eval(network.classifier.reduce, network.classifier.norm)
    for name, layer in fused.items():
        for part, found in zip(("weight", "bias"), folded[name], strict=True):
            torch.testing.assert_close(torch.from_numpy(found), getattr(layer, part).detach().float())


def test_the_layers_are_those_of_the_kernel_in_every_arithmetic() -> None:
    assert sorted(folded_layers(random_checkpoint(SMALL, 1))) == sorted(layer_shapes(SMALL))


def test_the_norms_epsilon_is_torchs() -> None:
    assert nn.BatchNorm2d(1).eps == BATCH_NORM_EPSILON
