"""`StepRuntime` on the integer kernel: the network of `model.integer`, to the bit."""

import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from model.integer.arithmetic import LOGIT_BITS, UNIT_BITS
from model.integer.network import IntegerLayer, IntegerNetwork, pooling
from model.kernel._kernel import ffi, lib
from model.step import Pixels, RuntimeUnavailableError, StepResult

CACHE_LINE_BYTES = 64


def instruction_sets() -> list[str]:
    """Names of the integer kernel's instruction sets that this machine can run, best first."""
    return [ffi.string(isa.name).decode() for isa in _supported()]


def _supported() -> Iterator[Any]:
    index = 0
    while (isa := lib.rascanet_integer_isa_at(index)) != ffi.NULL:
        if isa.supported():
            yield isa
        index += 1


def _choose(name: str | None) -> Any:
    for isa in _supported():
        if name is None or ffi.string(isa.name).decode() == name:
            return isa
    raise RuntimeUnavailableError(
        f"RASCANET_INTEGER_ISA asks for {name!r}; this machine can run {', '.join(instruction_sets())}"
    )


def _aligned(size: int) -> Any:
    room = np.zeros(size + CACHE_LINE_BYTES, np.uint8)
    skip = -room.ctypes.data % CACHE_LINE_BYTES
    return room[skip : skip + size]


class IntegerRuntime:
    """`StepRuntime` on the integer kernel; any number of threads may call it.

    The hidden state is int16 (Wh, C), Q0.15: the channels of a column lie together.

    Args:
        network: the numbers.
        isa: instruction set to use; the environment's RASCANET_INTEGER_ISA or the best if None.

    Raises:
        RuntimeUnavailableError: an instruction set that this machine or this build doesn't have.
    """

    def __init__(self, network: IntegerNetwork, isa: str | None = None) -> None:
        self.config = network.config
        self.turn_bursts = 16
        self._chosen = chosen = _choose(isa or os.environ.get("RASCANET_INTEGER_ISA"))
        self.isa = ffi.string(chosen.name).decode()
        self._kept: list[Any] = []
        self._network = self._numbers(network)
        size = chosen.packed_bytes(self._network)
        if not size:
            raise ValueError(f"the integer kernel can't run a network of {network.config}")
        self._packed = _aligned(size)
        self._scratch_bytes = chosen.scratch_bytes(self._network)
        chosen.pack(self._network, ffi.from_buffer(self._packed))

    def _numbers(self, network: IntegerNetwork) -> Any:
        config = network.config
        made = ffi.new("rascanet_integer_network *")
        made.width, made.hidden, made.head = config.width, config.hidden_channels, list(config.head_channels)
        made.gating_multiplier, made.gating_shift = network.gating
        made.pooling_multiplier, made.pooling_shift = pooling(config.hidden_width)
        for name, layer in network.layers.items():
            stem = name.rstrip("0123456789")
            self._fill(getattr(made, stem)[int(name[len(stem) :])] if name != stem else getattr(made, stem), layer)
        return made

    def _fill(self, place: Any, layer: IntegerLayer) -> None:
        for part, kind in (("weight", "int8_t"), ("bias", "int32_t"), ("multiplier", "int32_t"), ("shift", "int8_t")):
            numbers = np.ascontiguousarray(getattr(layer, part)).ravel()
            pointer = ffi.cast(f"const {kind} *", ffi.from_buffer(numbers))
            self._kept.append(numbers)
            setattr(place, part, pointer)

    def initial_hidden(self) -> npt.NDArray[np.int16]:
        """The state before a frame's first burst: zeros (Wh, C) int16."""
        return np.zeros(self.config.hidden_shape[::-1], np.int16)

    def step_integers(self, rows: Pixels, hidden: npt.NDArray[np.int16]) -> npt.NDArray[np.int32]:
        """Advances `hidden` by the bursts in `rows`; (n, 4) int32: two logits Q11.12, confidence, P(person) Q0.15."""
        rows = np.ascontiguousarray(rows)
        bursts = len(rows) // self.config.BURST_ROWS
        outputs = np.zeros((bursts, 4), np.int32)
        scratch = _aligned(self._scratch_bytes)
        self._chosen.step(
            self._network,
            ffi.from_buffer(self._packed),
            ffi.from_buffer("uint8_t[]", rows),
            bursts,
            ffi.from_buffer("int16_t[]", hidden),
            ffi.cast("rascanet_integer_output *", ffi.from_buffer(outputs)),
            ffi.from_buffer(scratch),
        )
        return outputs

    def step(self, rows: Pixels, hidden: npt.NDArray[np.int16]) -> StepResult:
        """Advances `hidden` by the bursts in `rows`, see `StepRuntime.step`."""
        scales = 2.0 ** -np.array([LOGIT_BITS, LOGIT_BITS, UNIT_BITS, UNIT_BITS])
        return StepResult((self.step_integers(rows, hidden) * scales).ravel().tolist())
