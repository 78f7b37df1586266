"""What the network costs a device: weights, activations, arithmetic; counted on the network itself.

The published accounting, in the reading that gives the published figures of both variants:

* weights: one byte a trainable parameter; batch-norm scale and shift and the confidence head count, running statistics
  don't;
* peak activation: one byte a value, the largest input plus output of one layer, where batch norms and activations work
  in place on what the layer before them wrote;
* operations: the multiply-accumulates of every convolution and linear layer, the classifier at every burst but the
  confidence head never; one for each batch-norm output of the convolutions (projection included, classifier not); one
  for each bias output of the attention's `squeeze` and of the three GRU convolutions (no other bias counts).

Pools, gates and activations count as no operation. The published table cuts kilobytes after two digits (31,775 bytes
read 31.77 kB, where rounding half up would give 31.78) and rounds operations.
"""

from collections import Counter
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from model.config import RaScaNetConfig
from model.rascanet import RaScaNet

BYTES_PER_VALUE = 1

_WEIGHTED = (nn.Conv1d, nn.Conv2d, nn.Linear)
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
_IN_PLACE = (*_NORMS, nn.ReLU, nn.Hardswish)


@dataclass(frozen=True, slots=True)
class Budget:
    """The cost of one network.

    Attributes:
        variant: the config's name.
        parameters: trainable values, confidence head included.
        weight_bytes: of the parameters.
        peak_activation_bytes: of the layer that needs most.
        macs_per_burst: multiply-accumulates of all that `step` runs, confidence head included.
        operations_per_frame: of a frame read to its end, as published.
    """

    variant: str
    parameters: int
    weight_bytes: int
    peak_activation_bytes: int
    macs_per_burst: int
    operations_per_frame: int


def budget(config: RaScaNetConfig) -> Budget:
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
