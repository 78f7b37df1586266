"""The cost of a network as hooks on its torch modules count it: the oracle of `model.budget`."""

from collections import Counter

import torch
from torch import Tensor, nn

from model.budget import BYTES_PER_VALUE, Budget
from model.config import RaScaNetConfig
from model.rascanet import RaScaNet

_WEIGHTED = (nn.Conv1d, nn.Conv2d, nn.Linear)
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
_IN_PLACE = (*_NORMS, nn.ReLU, nn.Hardswish)


def counted_budget(config: RaScaNetConfig) -> Budget:
    """Counts one step of a network of this shape (on torch's meta device: nothing is computed)."""
    with torch.device("meta"):
        network = RaScaNet(config).eval()
        burst = torch.empty(1, config.INPUT_CHANNELS, config.BURST_ROWS, config.width)
    macs: Counter[nn.Module] = Counter()
    extras: Counter[nn.Module] = Counter()
    activations: list[int] = []
    counted_biases = {network.attention.squeeze, *network.gru.children()}

    def count(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if isinstance(layer, _WEIGHTED):
            macs[layer] += output.numel() * layer.weight[0].numel()
        if layer in counted_biases or (isinstance(layer, _NORMS) and output.dim() > 2):  # the classifier's is (B, C)
            extras[layer] += output.numel()
        if not isinstance(layer, _IN_PLACE):
            activations.append(sum(each.numel() for each in inputs) + output.numel())

    for layer in network.modules():
        if not any(layer.children()):
            layer.register_forward_hook(count)
    with torch.inference_mode():
        network.step(burst, network.initial_hidden())

    parameters = sum(parameter.numel() for parameter in network.parameters())
    operations_per_burst = macs.total() - macs[network.confidence] + extras.total()
    return Budget(
        variant=config.name,
        parameters=parameters,
        weight_bytes=parameters * BYTES_PER_VALUE,
        peak_activation_bytes=max(activations) * BYTES_PER_VALUE,
        macs_per_burst=macs.total(),
        operations_per_frame=operations_per_burst * config.bursts_per_frame,
    )
