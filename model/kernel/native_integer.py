"""`StepRuntime` on the integer kernel: the network of `model.integer`, to the bit."""

import os
from typing import Any

import numpy as np
import numpy.typing as npt

from model.integer.network import IntegerLayer, IntegerNetwork, pooling
from model.kernel._kernel import ffi, lib
from model.kernel._step import integer_step
from model.kernel.instruction_set import aligned, choose, supported
from model.step import Hidden, Pixels, StepResult, check_step_arguments

VARIABLE = "RASCANET_INTEGER_ISA"


def instruction_sets() -> list[str]:
    """Names of the integer kernel's instruction sets that this machine can run, best first."""
    return [name for name, _ in supported(lib.rascanet_integer_isa_at)]


class IntegerRuntime:
    """`StepRuntime` on the integer kernel; any number of threads may call it.

    Args:
        network: the numbers.
        isa: instruction set to use; the environment's RASCANET_INTEGER_ISA or the best if None.

    Raises:
        RuntimeUnavailableError: an instruction set that this machine or this build doesn't have.
    """

    def __init__(self, network: IntegerNetwork, isa: str | None = None) -> None:
        self.config = network.config
        self.turn_bursts = 16
        self.isa, chosen = choose(lib.rascanet_integer_isa_at, isa or os.environ.get(VARIABLE), VARIABLE)
        self._kept: list[Any] = []  # what the kernel has the address of alone
        numbers = self._numbers(network)
        size = chosen.packed_bytes(numbers)
        assert size  # noqa: S101 - a config keeps to what the kernel takes
        packed = ffi.from_buffer(aligned(size))
        chosen.pack(numbers, packed)
        ready = {"isa": chosen, "network": numbers, "packed": packed, "scratch_bytes": chosen.scratch_bytes(numbers)}
        self._network = ffi.new("rascanet_integer_ready *", ready)
        self._kept += [numbers, packed]
        self._address = int(ffi.cast("uintptr_t", self._network))

    def _numbers(self, network: IntegerNetwork) -> Any:
        config = network.config
        made = ffi.new("rascanet_integer_network *")
        made.width, made.hidden, made.head = config.width, config.hidden_channels, list(config.head_channels)
        made.gating_multiplier, made.gating_shift = network.gating
        made.pooling_multiplier, made.pooling_shift = pooling(config.hidden_width)
        for name, layer in network.layers.items():
            stem = name.rstrip("0123456789")
            place = getattr(made, stem)
            self._fill(place[int(name[len(stem) :])] if name != stem else place, layer)
        return made

    def _fill(self, place: Any, layer: IntegerLayer) -> None:
        for part, kind in (("weight", "int8_t"), ("bias", "int32_t"), ("multiplier", "int32_t"), ("shift", "int8_t")):
            numbers = ffi.from_buffer(f"{kind}[]", np.ascontiguousarray(getattr(layer, part)))
            self._kept.append(numbers)
            setattr(place, part, numbers)

    def initial_hidden(self) -> npt.NDArray[np.int16]:
        """The state before a frame's first burst: zeros (Wh, C) int16, Q0.15; a column's channels lie together."""
        return np.zeros(self.config.hidden_shape[::-1], np.int16)

    def step(self, rows: Pixels, hidden: Hidden) -> StepResult:
        """Advances `hidden` by the bursts in `rows`, see `StepRuntime.step`; contiguous rows are not copied."""
        outputs = integer_step(self._address, rows, hidden)
        if outputs is None:
            check_step_arguments(self, rows, hidden)
            outputs = integer_step(self._address, np.ascontiguousarray(rows), hidden)
            assert outputs is not None  # noqa: S101 - all that it asks for was seen to
        return StepResult(outputs)
