"""`StepRuntime` on the kernel: packs a checkpoint's weights, calls the step."""

import os
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np

from model.checkpoint import Checkpoint
from model.kernel._kernel import ffi, lib
from model.runtime import Floats, Hidden, Rows, RuntimeUnavailableError, StepResult, check_step_arguments

BATCH_NORM_EPSILON = 1e-5
CACHE_LINE_BYTES = 64
UINT8, FLOAT32 = np.dtype(np.uint8), np.dtype(np.float32)

FLOATS, BYTES = ffi.typeof("float[]"), ffi.typeof("uint8_t[]")
OUTPUTS = 4
from_buffer, step = ffi.from_buffer, lib.rascanet_step


def _aligned(floats: int) -> Any:
    """Room for so many floats from the start of a cache line on, as `float[]`."""
    room = np.zeros(floats + CACHE_LINE_BYTES // FLOAT32.itemsize, np.float32)
    skip = -room.ctypes.data % CACHE_LINE_BYTES // FLOAT32.itemsize
    return from_buffer(FLOATS, room[skip : skip + floats])


def instruction_sets() -> list[str]:
    """Names of the kernel's instruction sets that this machine can run, best first."""
    return [ffi.string(isa.name).decode() for isa in _supported()]


def _supported() -> Iterator[Any]:
    index = 0
    while (isa := lib.rascanet_isa_at(index)) != ffi.NULL:
        if isa.supported():
            yield isa
        index += 1


def _choose(name: str | None) -> Any:
    for isa in _supported():
        if name is None or ffi.string(isa.name).decode() == name:
            return isa
    raise RuntimeUnavailableError(
        f"RASCANET_ISA asks for {name!r}; this machine can run {', '.join(instruction_sets())}"
    )


def folded_layers(checkpoint: Checkpoint) -> dict[str, tuple[Floats, Floats]]:
    """Weight and bias of each layer by the names of `rascanet_layers`, batch norm folded in (in float64)."""
    tensors = {name: tensor.astype(np.float64) for name, tensor in checkpoint.tensors.items()}

    def layer(name: str, norm: str | None = None) -> tuple[Floats, Floats]:
        weight = tensors[f"{name}.weight"]
        bias = tensors.get(f"{name}.bias", np.zeros(len(weight)))
        if norm:
            scale = tensors[f"{norm}.weight"] / np.sqrt(tensors[f"{norm}.running_var"] + BATCH_NORM_EPSILON)
            weight = weight * scale.reshape(-1, *[1] * (weight.ndim - 1))
            bias = (bias - tensors[f"{norm}.running_mean"]) * scale + tensors[f"{norm}.bias"]
        return weight.astype(np.float32), bias.astype(np.float32)

    layers = {
        f"conv{2 * block + head}": layer(f"heads.{head}.{block}.conv", f"heads.{head}.{block}.norm")
        for block in range(4)
        for head in range(checkpoint.config.HEADS)
    }
    layers |= {name: layer(f"attention.{name}") for name in ("squeeze", "excite")}
    layers |= {f"project{i}": layer(f"projection.conv{i + 1}", f"projection.norm{i + 1}") for i in range(2)}
    layers |= {f"gate{i}": layer(f"gru.{gate}") for i, gate in enumerate(("reset", "update", "candidate"))}
    layers["reduce"] = layer("classifier.reduce", "classifier.norm")
    layers["classify"] = layer("classifier.classify")
    layers["confidence"] = layer("confidence")
    return layers


class NativeRuntime:
    """`StepRuntime` on the kernel; any number of threads may call it.

    Args:
        checkpoint: the weights.
        isa: instruction set to use; the environment's RASCANET_ISA or the best if None.

    Raises:
        RuntimeUnavailableError: an instruction set that this machine or this build doesn't have.
        ValueError: a network larger than the kernel takes.
    """

    def __init__(self, checkpoint: Checkpoint, isa: str | None = None) -> None:
        self.config = config = checkpoint.config
        self.turn_bursts = 16
        self._isa = _choose(isa or os.environ.get("RASCANET_ISA"))
        self.isa = ffi.string(self._isa.name).decode()
        self._shape = ffi.new("rascanet_shape *", (config.width, config.hidden_channels, config.head_channels))
        size = self._isa.packed_floats(self._shape)
        if not size:
            raise ValueError(f"the kernel can't run a network of {config}")
        self._packed = _aligned(size)
        self._pack(folded_layers(checkpoint))
        self._scratch_floats = self._isa.scratch_floats(self._shape)
        self._thread = threading.local()
        self._burst_rows, *_ = self._burst_shape = config.burst_shape
        self._hidden_shape = config.hidden_shape

    def _pack(self, layers: dict[str, tuple[Floats, Floats]]) -> None:
        into = ffi.new("rascanet_layers *")
        for name, (weight, bias) in layers.items():
            stem = name.rstrip("0123456789")
            place = getattr(into, stem)
            place = place[int(name[len(stem) :])] if name != stem else place
            place.weight, place.bias = from_buffer(FLOATS, weight), from_buffer(FLOATS, bias)
        self._isa.pack(self._shape, into, self._packed)

    def initial_hidden(self) -> Hidden:
        """The state before a frame's first burst: zeros (C, Wh) float32."""
        return np.zeros(self.config.hidden_shape, np.float32)

    def step(self, rows: Rows, hidden: Hidden) -> StepResult:
        """Advances `hidden` by the bursts in `rows`, see `StepRuntime.step`; contiguous rows are not copied."""
        if not (
            rows.shape == self._burst_shape
            and hidden.shape == self._hidden_shape
            and rows.dtype == UINT8
            and hidden.dtype == FLOAT32
        ):  # the usual call in a glance, any other with care
            check_step_arguments(self.config, rows, hidden)
        count = len(rows) // self._burst_rows
        try:
            scratch, values, outputs = self._thread.room
        except AttributeError:
            values = np.empty(OUTPUTS, np.float32)
            outputs, scratch = from_buffer(FLOATS, values), _aligned(self._scratch_floats)
            self._thread.room = scratch, values, outputs
        if count > 1:
            values = np.empty(OUTPUTS * count, np.float32)
            outputs = from_buffer(FLOATS, values)
        try:
            pixels = from_buffer(BYTES, rows)
        except ValueError:  # not contiguous
            pixels = from_buffer(BYTES, np.ascontiguousarray(rows))
        step(
            self._isa,
            self._shape,
            self._packed,
            pixels,
            count,
            from_buffer(FLOATS, hidden, True),  # refuses what can't be written to
            outputs,
            scratch,
        )
        return StepResult(values.tolist())
