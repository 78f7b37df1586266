"""The integer network: its numbers, and one step of it as the definition that every kernel is held to."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from model.checkpoint import LABELS
from model.config import RaScaNetConfig
from model.integer.arithmetic import (
    GATE_BITS,
    LOGIT_BITS,
    MOST_LOGIT,
    PIXEL_ZERO,
    REDUCED_BITS,
    UNIT_BITS,
    Integers,
    multiplier_of,
    pixels,
    product,
    requantise,
    saturate,
    sigmoid,
    tanh,
    to_int16,
    to_uint8,
)

MIXED_BITS: Final = 8
"""Layers that read 8-bit activations and the 16-bit state multiply the sums of the former by 2 to this power."""


class IntegerLayer(NamedTuple):
    """One layer's numbers.

    Attributes:
        weight: int8, -127 to 127: a convolution's (outputs, kernel rows, 3, inputs), others' (outputs, inputs).
        bias: (outputs,) int32, in the scale of the sums.
        multiplier: (outputs,) int32 and
        shift: (outputs,) int8: from sums to outputs, see `requantise`.
    """

    weight: npt.NDArray[np.int8]
    bias: npt.NDArray[np.int32]
    multiplier: npt.NDArray[np.int32]
    shift: npt.NDArray[np.int8]


class IntegerNetworkError(ValueError):
    """Numbers that are not those of an integer network; the message names the first thing wrong."""


def layer_shapes(config: RaScaNetConfig) -> dict[str, tuple[int, ...]]:
    """The shape of each layer's weight, by name; `conv{2 * block + head}` are the heads'."""
    hidden, features = config.hidden_channels, config.feature_channels
    reduced = hidden // config.REDUCTION
    channels = (config.INPUT_CHANNELS, *config.head_channels)
    shapes: dict[str, tuple[int, ...]] = {
        f"conv{2 * block + head}": (
            channels[block + 1],
            config.KERNEL_ROWS[block],
            config.KERNEL_COLUMNS,
            channels[block],
        )
        for block in range(4)
        for head in range(config.HEADS)
    }
    return shapes | {
        "squeeze": (reduced, features + hidden),
        "excite": (features, reduced),
        "project0": (hidden, 1, config.KERNEL_COLUMNS, features),
        "project1": (hidden, 1, config.KERNEL_COLUMNS, hidden),
        "gate0": (hidden, 2 * hidden),
        "gate1": (hidden, 2 * hidden),
        "gate2": (hidden, 2 * hidden),
        "reduce": (reduced, hidden),
        "classify": (config.CLASSES, reduced),
        "confidence": (1, hidden),
    }


class IntegerOutput(NamedTuple):
    """What one burst gives, for n frames.

    Attributes:
        logits: (n, 2) Q11.12, no person before person.
        confidence: (n,) Q0.15, how likely the current decision is the final one.
        p_person: (n,) Q0.15.
        hidden: (n, Wh, C) Q0.15, the state after the burst.
    """

    logits: Integers
    confidence: Integers
    p_person: Integers
    hidden: Integers


@dataclass(frozen=True, slots=True)
class IntegerNetwork:
    """An integer network's numbers, with what is needed to use and to trust them.

    Attributes:
        config: the network's shape.
        layers: by the names of `layer_shapes`.
        gating: multiplier and shift from a feature times its gate (Q0.15) to the gated feature.
        labels, provenance: as of `model.checkpoint.Checkpoint`; the latter names the float weights by their digest.

    Raises:
        IntegerNetworkError: a layer that is missing, of another shape, or whose sums or values could be too large.
    """

    config: RaScaNetConfig
    layers: Mapping[str, IntegerLayer]
    gating: tuple[int, int]
    labels: tuple[str, ...] = LABELS
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shapes = layer_shapes(self.config)
        if sorted(self.layers) != sorted(shapes):
            missing, surplus = sorted({*shapes} - {*self.layers}), sorted({*self.layers} - {*shapes})
            raise IntegerNetworkError(f"layers are missing {missing} or surplus {surplus}")
        for name, shape in shapes.items():
            self._check(name, shape)
        _check_scale("gating", np.array(self.gating[:1]), np.array(self.gating[1:]))
        if self.gating[1] > -1:
            raise IntegerNetworkError(f"the shift of gating is not -31 to -1, but {self.gating[1]}")

    def _check(self, name: str, shape: tuple[int, ...]) -> None:
        layer = self.layers[name]
        wanted = {"weight": (np.int8, shape), "bias": (np.int32, shape[:1])}
        wanted |= {"multiplier": (np.int32, shape[:1]), "shift": (np.int8, shape[:1])}
        for part, (dtype, size) in wanted.items():
            found = getattr(layer, part)
            if found.dtype != dtype or found.shape != size:
                raise IntegerNetworkError(
                    f"{name}.{part} is {found.dtype} {found.shape}, expected {np.dtype(dtype)} {size}"
                )
        if (layer.weight == -128).any():
            raise IntegerNetworkError(f"{name}.weight holds -128; weights are -127 to 127")
        _check_scale(name, layer.multiplier, layer.shift)
        sizes = np.abs(layer.weight.astype(np.int64)).reshape(shape[0], -1)
        most = sizes @ self._largest_inputs(name, sizes.shape[1]) + np.abs(layer.bias.astype(np.int64))
        if most.max() >= largest_sum(name):
            raise IntegerNetworkError(f"a sum of {name} could reach {most.max()}; sums stay below {largest_sum(name)}")
        if name not in OUTPUT_BITS and (layer.shift > -1).any():
            raise IntegerNetworkError(f"a shift of {name} is not -31 to -1, as a layer with bytes for values has it")
        values = most * layer.multiplier * 2.0 ** (layer.shift.astype(np.float64) - 31)
        if values.max() >= (1 << 31) - 1:
            raise IntegerNetworkError(f"a value of {name} could reach {values.max():.3g}, past int32")

    def _largest_inputs(self, name: str, inputs: int) -> Integers:
        """The largest size that each input of a layer has, in the scale of its sums."""
        hidden = self.config.hidden_channels
        if name == "squeeze" or name.startswith("gate"):
            return np.array([255 << MIXED_BITS] * (inputs - hidden) + [1 << UNIT_BITS] * hidden)
        return np.full(inputs, 1 << 15 if name in ("reduce", "classify", "confidence") else 255)

    @property
    def digest(self) -> str:
        """SHA-256 over the config and all numbers, as hex digits."""
        digest = hashlib.sha256(b"integer" + json.dumps(self.config.to_dict(), sort_keys=True).encode())
        digest.update(np.array(self.gating, "<i4").tobytes())
        for name in sorted(self.layers):
            layer = self.layers[name]
            digest.update(name.encode())
            for part, dtype in zip(layer, ("i1", "<i4", "<i4", "i1"), strict=True):
                digest.update(np.ascontiguousarray(part, dtype).tobytes())
        return digest.hexdigest()

    @property
    def hidden_shape(self) -> tuple[int, int]:
        """(Wh, C): the channels of a column lie together, as every layer reads them."""
        channels, columns = self.config.hidden_shape
        return columns, channels

    def step(self, rows: npt.NDArray[np.uint8], hidden: Integers) -> IntegerOutput:
        """Advances n frames by a burst each: rows (n, 5, W, 3) uint8, hidden (n, Wh, C) int16."""
        state = np.asarray(hidden, np.int64)
        features = np.concatenate([self._head(head, rows) for head in range(self.config.HEADS)], -1)
        squeezed = to_uint8(self._mixed("squeeze", features, state))
        gates = sigmoid(to_int16(self._dense("excite", squeezed)))
        gated = to_uint8(requantise(features * gates, *map(np.array, self.gating)))
        projected = self._convolution("project0", gated[:, None])
        projected = self._convolution("project1", projected)[:, 0]
        state = self._advance(projected, state)
        pooled = self._pool(state)
        reduced = to_int16(self._dense("reduce", pooled))
        logits = saturate(self._dense("classify", hard_swish(reduced)), -MOST_LOGIT, MOST_LOGIT)
        confidence = sigmoid(to_int16(self._dense("confidence", pooled)[:, 0]))
        p_person = sigmoid(to_int16(logits[:, 1] - logits[:, 0]))
        return IntegerOutput(logits, confidence, p_person, state.astype(np.int16))

    def _head(self, head: int, rows: npt.NDArray[np.uint8]) -> Integers:
        """(n, 5, W, 3) -> (n, Wh, F / 2) uint8."""
        maps = pixels(rows)
        for block in range(4):
            maps = self._convolution(f"conv{2 * block + head}", maps, 0 if block else PIXEL_ZERO, pool=True)
        return maps[:, 0]

    def _convolution(self, name: str, maps: Integers, zero: int = 0, *, pool: bool = False) -> Integers:
        """(n, rows, columns, inputs), padded in columns by `zero`, convolved; the larger of two columns if pooled."""
        layer = self.layers[name]
        kernel_rows = layer.weight.shape[1]
        padded = np.pad(maps, ((0, 0), (0, 0), (1, 1), (0, 0)), constant_values=zero)
        windows = np.lib.stride_tricks.sliding_window_view(padded, (kernel_rows, 3), (1, 2))
        sums = np.tensordot(windows, layer.weight.astype(np.int64), ((4, 5, 3), (1, 2, 3))) + layer.bias
        if pool:
            columns = sums.shape[2] // 2
            sums = sums[:, :, : 2 * columns].reshape(*sums.shape[:2], columns, 2, -1).max(3)
        return to_uint8(requantise(sums, layer.multiplier, layer.shift))

    def _dense(self, name: str, inputs: Integers) -> Integers:
        """Outputs of a layer for each (..., inputs), not yet saturated."""
        layer = self.layers[name]
        return requantise(inputs @ layer.weight.T.astype(np.int64) + layer.bias, layer.multiplier, layer.shift)

    def _mixed(self, name: str, narrow: Integers, wide: Integers) -> Integers:
        """The same for 8-bit inputs followed by 16-bit ones."""
        return self._dense(name, np.concatenate([narrow << MIXED_BITS, wide], -1))

    def _advance(self, projected: Integers, state: Integers) -> Integers:
        """The recurrent unit, each column on its own: (n, Wh, C), (n, Wh, C) -> (n, Wh, C)."""
        reset = sigmoid(to_int16(self._mixed("gate0", projected, state)))
        update = sigmoid(to_int16(self._mixed("gate1", projected, state)))
        candidate = tanh(to_int16(self._mixed("gate2", projected, product(reset, state))))
        return candidate + product(update, state - candidate)

    def _pool(self, state: Integers) -> Integers:
        """Mean plus maximum over the columns: (n, Wh, C) Q0.15 -> (n, C) Q1.14."""
        columns = state.shape[1]
        return to_int16(requantise(state.sum(1) + columns * state.max(1), *map(np.array, pooling(columns))))


def largest_sum(name: str) -> int:
    """The size that no sum of a layer reaches: int32's, half of it for a convolution, as kernels double its sums."""
    return 1 << 30 if name.startswith(("conv", "project")) else 1 << 31


def pooling(columns: int) -> tuple[int, int]:
    """Multiplier and shift that halve and divide by the number of columns."""
    return multiplier_of(1 / (2 * columns))


SWISH: Final = multiplier_of(1 / (6 << REDUCED_BITS))


def hard_swish(values: Integers) -> Integers:
    """x * min(max(x + 3, 0), 6) / 6 in Q4.11."""
    three = 3 << REDUCED_BITS
    return requantise(values * saturate(values + three, 0, 2 * three), *map(np.array, SWISH))


def _check_scale(name: str, multiplier: Integers, shift: Integers) -> None:
    if ((multiplier < 1 << 30) & (multiplier != 0)).any():
        raise IntegerNetworkError(f"a multiplier of {name} is neither 0 nor 2^30 or more")
    if (np.asarray(shift, np.int64) < -31).any() or (np.asarray(shift, np.int64) > 30).any():
        raise IntegerNetworkError(f"a shift of {name} is not -31 to 30")


OUTPUT_BITS: Final = {
    "excite": GATE_BITS,
    "gate0": GATE_BITS,
    "gate1": GATE_BITS,
    "gate2": GATE_BITS,
    "reduce": REDUCED_BITS,
    "classify": LOGIT_BITS,
    "confidence": GATE_BITS,
}
"""Layers whose outputs have a fixed scale; the others' scales come from pictures."""
