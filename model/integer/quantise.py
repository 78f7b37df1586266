"""From float weights to an integer network: which numbers stand for them, by what pictures bring about."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from model.checkpoint import Checkpoint
from model.config import RaScaNetConfig
from model.folding import folded_layers
from model.integer.arithmetic import PIXEL_ZERO, POOLED_BITS, REDUCED_BITS, UNIT_BITS, multiplier_of
from model.integer.network import (
    MIXED_BITS,
    OUTPUT_BITS,
    IntegerLayer,
    IntegerNetwork,
    IntegerNetworkError,
    largest_sum,
)
from model.preprocess import network_input

Floats = npt.NDArray[Any]

KEPT: Final = 0.9999
"""Share of an activation's values that its 255 steps reach; the largest few are cut off."""

STEEPEST: Final = 2.001
"""A step of an activation stands for more than one of the sums behind it, by this factor at least."""

ACTIVATIONS: Final = ("block0", "block1", "block2", "features", "squeezed", "gated", "projected0", "projected1")
"""The 8-bit activations, each with a scale of its own; blocks and features are those of both heads."""


class FoldedNetwork:
    """The float network with batch norm folded in, in NumPy; it shows its activations."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.config = checkpoint.config
        self.layers = folded_layers(checkpoint)

    def step(self, rows: npt.NDArray[np.uint8], hidden: Floats) -> tuple[dict[str, Floats], Floats]:
        """The 8-bit activations of a burst, in float, and the next state.

        Args:
            rows: (n, 5, W, 3) uint8.
            hidden: (n, Wh, C).
        """
        seen: dict[str, list[Floats]] = {name: [] for name in ACTIVATIONS}
        heads = []
        for head in range(self.config.HEADS):
            maps = np.moveaxis(network_input(rows), 1, -1)
            for block in range(4):
                maps = self._convolution(f"conv{2 * block + head}", maps)
                maps = maps[:, :, : maps.shape[2] // 2 * 2].reshape(*maps.shape[:2], -1, 2, maps.shape[3]).max(3)
                seen[("block0", "block1", "block2", "features")[block]].append(maps)
            heads.append(maps[:, 0])
        features = np.concatenate(heads, -1)
        squeezed = np.maximum(self._dense("squeeze", np.concatenate([features, hidden], -1)), 0)
        gated = features * _sigmoid(self._dense("excite", squeezed))
        first = self._convolution("project0", gated[:, None])
        second = self._convolution("project1", first)
        for name, values in zip(ACTIVATIONS[4:], (squeezed, gated, first, second), strict=True):
            seen[name].append(values)
        projected = second[:, 0]
        both = np.concatenate([projected, hidden], -1)
        reset, update = _sigmoid(self._dense("gate0", both)), _sigmoid(self._dense("gate1", both))
        candidate = np.tanh(self._dense("gate2", np.concatenate([projected, reset * hidden], -1)))
        state = (1 - update) * candidate + update * hidden
        return {name: np.concatenate([part.ravel() for part in parts]) for name, parts in seen.items()}, state

    def _convolution(self, name: str, maps: Floats) -> Floats:
        """(n, rows, columns, inputs) -> (n, rows, columns, outputs), after the ReLU."""
        weight, bias = self.layers[name]
        weight = weight.reshape(*weight.shape[:2], -1, 3)
        padded = np.pad(maps, ((0, 0), (0, 0), (1, 1), (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (weight.shape[2], 3), (1, 2))
        return np.maximum(np.tensordot(windows, weight, ((3, 4, 5), (1, 2, 3))) + bias, 0)

    def _dense(self, name: str, inputs: Floats) -> Floats:
        weight, bias = self.layers[name]
        return inputs @ weight.reshape(len(weight), -1).T + bias


def _sigmoid(values: Floats) -> Floats:
    return 1 / (1 + np.exp(-values))


def activation_scales(network: FoldedNetwork, frames: npt.NDArray[np.uint8]) -> dict[str, float]:
    """What one step of each 8-bit activation stands for, by what frames (N, H, W, 3) uint8 bring about."""
    config = network.config
    bursts = frames.reshape(len(frames), config.bursts_per_frame, *config.burst_shape)
    largest: dict[str, Floats] = {}
    hidden: Floats = np.zeros((len(frames), *config.hidden_shape[::-1]), np.float32)
    for index in range(config.bursts_per_frame):
        activations, hidden = network.step(bursts[:, index], hidden)
        for name, values in activations.items():
            count = int(values.size * config.bursts_per_frame * (1 - KEPT)) + 1
            both = np.concatenate([largest.get(name, values[:0]), values])
            largest[name] = np.partition(both, -min(count, both.size))[-min(count, both.size) :]
    return {name: max(float(values.min()), 1e-6) / 255 for name, values in largest.items()}


def quantise(
    checkpoint: Checkpoint,
    scales: dict[str, float],
    facts: dict[str, Any] | None = None,
    tuned: Mapping[str, tuple[Floats, Floats]] | None = None,
) -> IntegerNetwork:
    """The integer network of float weights.

    Args:
        checkpoint: the float weights.
        scales: of the activations, see `activation_scales`.
        facts: of how the scales came about, for the provenance.
        tuned: layers to take in place of the checkpoint's, in the form of `folded_layers`.

    Raises:
        IntegerNetworkError: a network so wide that its sums could be too large, or weights too large for any scale.
    """
    layers = {}
    scales = dict(scales)
    for name, (weight, bias) in (tuned or folded_layers(checkpoint)).items():
        wide = np.asarray(weight, np.float64)
        if wide.ndim >= 3 and wide.shape[-1] == 3:
            wide = np.moveaxis(wide.reshape(*wide.shape[:2], -1, 3), 1, -1)
        else:
            wide = wide.reshape(len(wide), -1)
        wide = wide * input_scales(checkpoint.config, name, scales)
        step = _steps(name, wide, bias)
        if (activation := activation_of(name)) is not None:
            scales[activation] = max(scales[activation], STEEPEST * float(step.max()))
        if activation == "features":  # before project0 reads what is gated
            scales["gated"] = max(scales["gated"], STEEPEST * scales["features"] / 2**UNIT_BITS)
        layers[name] = _layer(name, wide, bias, step, output_scale(name, scales))
    return IntegerNetwork(
        checkpoint.config,
        layers,
        multiplier_of(scales["features"] / 2**UNIT_BITS / scales["gated"]),
        checkpoint.labels,
        {**checkpoint.provenance, "quantised": {"float_weights": checkpoint.digest, "scales": scales, **(facts or {})}},
    )


def input_scales(config: RaScaNetConfig, name: str, scales: Mapping[str, float]) -> Any:
    """What one step of each input of a layer stands for in the sums; the state counts less by `MIXED_BITS`."""
    state = [2.0 ** (MIXED_BITS - UNIT_BITS)] * config.hidden_channels
    if name == "squeeze":
        return np.array([scales["features"]] * config.feature_channels + state)
    if name.startswith("gate"):
        return np.array([scales["projected1"]] * config.hidden_channels + state)
    if name.startswith("conv"):
        block = int(name.removeprefix("conv")) // 2
        return (1.0, scales["block0"], scales["block1"], scales["block2"])[block]
    return {
        "excite": scales["squeezed"],
        "project0": scales["gated"],
        "project1": scales["projected0"],
        "reduce": 2.0**-POOLED_BITS,
        "classify": 2.0**-REDUCED_BITS,
        "confidence": 2.0**-POOLED_BITS,
    }[name]


def activation_of(name: str) -> str | None:
    """The 8-bit activation that a layer makes; None of a layer with a fixed scale."""
    if name.startswith("conv"):
        return ("block0", "block1", "block2", "features")[int(name.removeprefix("conv")) // 2]
    return {"squeeze": "squeezed", "project0": "projected0", "project1": "projected1"}.get(name)


def output_scale(name: str, scales: Mapping[str, float]) -> float:
    """What one step of a layer's outputs stands for."""
    activation = activation_of(name)
    return float(2.0 ** -OUTPUT_BITS[name]) if activation is None else scales[activation]


def _steps(name: str, weight: Any, bias: Any) -> Any:
    """What one of the sums stands for, one a channel; 0 of a channel that is always zero."""
    fine = fineness(name)
    most = largest_sum(name) / 2
    return fine * np.maximum(np.abs(weight).reshape(len(weight), -1).max(1) / 127, np.abs(bias) / fine / most)


def fineness(name: str) -> float:
    """Layers that read the state have sums this much finer than products of bytes."""
    return 2.0**-MIXED_BITS if name == "squeeze" or name.startswith("gate") else 1.0


def _layer(name: str, weight: Any, bias: Any, step: Any, scale: float) -> IntegerLayer:
    """A layer in integers; `weight` has the inputs' scales in it, so that one step a channel is left."""
    step = np.where(step > 0, step, scale / STEEPEST)
    whole = np.rint(weight.reshape(len(weight), -1) * fineness(name) / step[:, None])
    offset = np.rint(np.asarray(bias, np.float64) / step)
    if name in ("conv0", "conv1"):
        offset = offset - PIXEL_ZERO * whole.sum(1)
    try:
        pairs = [multiplier_of(float(each)) for each in step / scale]
    except ValueError as error:
        raise IntegerNetworkError(f"the weights of {name} are too large for integers: {error}") from error
    return IntegerLayer(
        whole.reshape(weight.shape).astype(np.int8),
        offset.astype(np.int32),
        np.array([multiplier for multiplier, _ in pairs], np.int32),
        np.array([shift for _, shift in pairs], np.int8),
    )
