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
from functools import cache
from itertools import pairwise
from typing import Final

from model.config import RaScaNetConfig

BYTES_PER_VALUE: Final = 1


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
class Layer:
    """One layer's part of the cost.

    Attributes:
        name: name of the part and of the layer in it; heads that are alike are one part each.
        output: shape of the output: channels, rows, columns; without rows, or without both.
        weights: number of weights without the bias; each is used once a place.
        places: number of output places, rows times columns; 0 for a layer without weights, such as a pool.
        other_parameters: number of parameters of bias and batch norm.
        other_operations: one for each output of a batch norm or bias that counts.
        activations: number of values of input and output.
        published: whether the layer's multiply-accumulates are in the published operations.
    """

    name: str
    output: tuple[int, ...]
    weights: int
    places: int
    other_parameters: int
    other_operations: int
    activations: int
    published: bool = True

    @property
    def macs(self) -> int:
        """Multiply-accumulates a burst."""
        return self.weights * self.places


@cache
def budget(config: RaScaNetConfig) -> Budget:
    """Works out the cost of a network of this shape."""
    found = layers(config)
    parameters = sum(layer.weights + layer.other_parameters for layer in found)
    operations = sum(layer.macs * layer.published + layer.other_operations for layer in found)
    return Budget(
        variant=config.name,
        parameters=parameters,
        weight_bytes=parameters * BYTES_PER_VALUE,
        peak_activation_bytes=max(layer.activations for layer in found) * BYTES_PER_VALUE,
        macs_per_burst=sum(layer.macs for layer in found),
        operations_per_frame=operations * config.bursts_per_frame,
    )


def layers(config: RaScaNetConfig) -> list[Layer]:
    """Every layer with weights, and every pool of the heads, in the order in which a burst passes them."""
    return [*_head_layers(config), *_layers_after(config)]


def _head_layers(config: RaScaNetConfig) -> Iterator[Layer]:
    """Yields the convolution (with batch norm) and the pool of every block of both heads."""
    for head in range(config.HEADS):
        rows, columns = config.BURST_ROWS, config.width
        channels = (config.INPUT_CHANNELS, *config.head_channels)
        for block, ((inputs, outputs), kernel_rows) in enumerate(
            zip(pairwise(channels), config.KERNEL_ROWS, strict=True)
        ):
            name = f"head {head + 1}, block {block + 1}"
            values_in = inputs * rows * columns
            rows -= kernel_rows - 1
            values_out = outputs * rows * columns
            yield Layer(
                f"{name}: {kernel_rows}x{config.KERNEL_COLUMNS} convolution",
                (outputs, rows, columns),
                weights=inputs * outputs * kernel_rows * config.KERNEL_COLUMNS,
                places=rows * columns,
                other_parameters=2 * outputs,
                other_operations=values_out,
                activations=values_in + values_out,
            )
            columns //= 2
            pooled = (outputs, rows, columns)
            yield Layer(f"{name}: 1x2 pool", pooled, 0, 0, 0, 0, activations=values_out + outputs * rows * columns)


def _layers_after(config: RaScaNetConfig) -> Iterator[Layer]:
    """Yields the layers of attention, projection, recurrent cell, classifier and confidence head."""
    columns, hidden, features = config.hidden_width, config.hidden_channels, config.feature_channels
    narrow = hidden // config.REDUCTION

    def pointwise(name: str, inputs: int, outputs: int, *, counted_bias: bool) -> Layer:
        bias_outputs = outputs * columns if counted_bias else 0
        values = (inputs + outputs) * columns
        return Layer(name, (outputs, columns), inputs * outputs, columns, outputs, bias_outputs, values)

    yield pointwise("attention: squeeze", features + hidden, narrow, counted_bias=True)
    yield pointwise("attention: excite", narrow, features, counted_bias=False)
    for place, inputs in enumerate((features, hidden)):  # with batch norms
        weights = inputs * hidden * config.KERNEL_COLUMNS
        name, shape, values = f"projection: convolution {place + 1}", (hidden, columns), (inputs + hidden) * columns
        yield Layer(name, shape, weights, columns, 2 * hidden, hidden * columns, values)
    for gate in ("reset", "update", "candidate"):
        yield pointwise(f"GRU: {gate}", 2 * hidden, hidden, counted_bias=True)
    # The reduced layer's bias, and the scale and shift of its norm.
    yield Layer("classifier: reduce", (narrow,), hidden * narrow, 1, narrow + 2 * narrow, 0, hidden + narrow)
    classes = config.CLASSES
    yield Layer("classifier: classify", (classes,), narrow * classes, 1, classes, 0, narrow + classes)
    yield Layer("confidence", (1,), hidden, 1, 1, 0, hidden + 1, published=False)
