"""The network's cost on a device: weights, activations, arithmetic; worked out from the network's sizes, without torch.

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

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from model.config import RaScaNetConfig

BYTES_PER_VALUE: Final = 1
KERNEL_COLUMNS: Final = 3
"""Columns of the kernels in the heads and the projection; all other convolutions are 1x1."""


@dataclass(frozen=True, slots=True)
class Budget:
    """The cost of one network.

    Attributes:
        variant: name of the config.
        parameters: number of trainable values, confidence head included.
        weight_bytes: bytes of the parameters, one each.
        peak_activation_bytes: bytes of input and output of the layer that needs most.
        macs_per_burst: multiply-accumulates of one `step`, confidence head included.
        operations_per_frame: operations of a frame read to its end, counted as published.
    """

    variant: str
    parameters: int
    weight_bytes: int
    peak_activation_bytes: int
    macs_per_burst: int
    operations_per_frame: int


@dataclass(frozen=True, slots=True)
class _Layer:
    """One layer's part of the cost.

    Attributes:
        weights: number of weights without the bias; each is used once a place.
        places: number of output places, rows times columns; 0 for a layer without weights, such as a pool.
        other_parameters: number of parameters of bias and batch norm.
        other_operations: one for each output of a batch norm or bias that counts.
        activations: number of values of input and output.
        published: whether the layer's multiply-accumulates are in the published operations.
    """

    weights: int
    places: int
    other_parameters: int
    other_operations: int
    activations: int
    published: bool = True


def budget(config: RaScaNetConfig) -> Budget:
    """Works out the cost of a network of this shape."""
    layers = [*_head_layers(config), *_layers_after(config)]
    parameters = sum(layer.weights + layer.other_parameters for layer in layers)
    operations = sum(layer.weights * layer.places * layer.published + layer.other_operations for layer in layers)
    return Budget(
        variant=config.name,
        parameters=parameters,
        weight_bytes=parameters * BYTES_PER_VALUE,
        peak_activation_bytes=max(layer.activations for layer in layers) * BYTES_PER_VALUE,
        macs_per_burst=sum(layer.weights * layer.places for layer in layers),
        operations_per_frame=operations * config.bursts_per_frame,
    )


def _head_layers(config: RaScaNetConfig) -> Iterator[_Layer]:
    """Yields the convolution (with batch norm) and the pool of every block of both heads."""
    for _ in range(config.HEADS):
        rows, columns = config.BURST_ROWS, config.width
        channels = (config.INPUT_CHANNELS, *config.head_channels)
        for (inputs, outputs), kernel_rows in zip(pairwise(channels), config.KERNEL_ROWS, strict=True):
            values_in = inputs * rows * columns
            rows -= kernel_rows - 1
            values_out = outputs * rows * columns
            weights = inputs * outputs * kernel_rows * KERNEL_COLUMNS
            yield _Layer(weights, rows * columns, 2 * outputs, values_out, values_in + values_out)
            columns //= 2
            yield _Layer(0, 0, 0, 0, values_out + outputs * rows * columns)


def _layers_after(config: RaScaNetConfig) -> Iterator[_Layer]:
    """Yields the layers of attention, projection, recurrent cell, classifier and confidence head."""
    columns, hidden, features = config.hidden_width, config.hidden_channels, config.feature_channels
    narrow = hidden // config.REDUCTION

    def pointwise(inputs: int, outputs: int, *, counted_bias: bool) -> _Layer:
        bias_outputs = outputs * columns if counted_bias else 0
        return _Layer(inputs * outputs, columns, outputs, bias_outputs, (inputs + outputs) * columns)

    yield pointwise(features + hidden, narrow, counted_bias=True)  # attention: squeeze
    yield pointwise(narrow, features, counted_bias=False)  # excite
    for inputs in (features, hidden):  # projection, with batch norms
        weights = inputs * hidden * KERNEL_COLUMNS
        yield _Layer(weights, columns, 2 * hidden, hidden * columns, (inputs + hidden) * columns)
    for _ in ("reset", "update", "candidate"):
        yield pointwise(2 * hidden, hidden, counted_bias=True)
    yield _Layer(hidden * narrow, 1, narrow + 2 * narrow, 0, hidden + narrow)  # classifier, with a batch norm
    yield _Layer(narrow * config.CLASSES, 1, config.CLASSES, 0, narrow + config.CLASSES)
    yield _Layer(hidden, 1, 1, 0, hidden + 1, published=False)  # confidence
