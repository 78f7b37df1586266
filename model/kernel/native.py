"""`StepRuntime` on the kernel: packs a checkpoint's weights, calls the step."""

import os

import numpy as np

from model.checkpoint import Checkpoint
from model.folding import folded_layers
from model.kernel._kernel import ffi, lib
from model.kernel._step import step
from model.kernel.instruction_set import aligned, choose, supported
from model.step import Floats, Hidden, Pixels, StepResult, check_step_arguments

VARIABLE = "RASCANET_ISA"
FLOATS = ffi.typeof("float[]")


def instruction_sets() -> list[str]:
    """Names of the kernel's instruction sets that this machine can run, fastest first."""
    return [name for name, _ in supported(lib.rascanet_isa_at)]


class NativeRuntime:
    """`StepRuntime` on the kernel; any number of threads may call it.

    Args:
        checkpoint: the weights.
        isa: instruction set to use; the environment's RASCANET_ISA or the best if None.

    Raises:
        RuntimeUnavailableError: an instruction set that this machine or this build doesn't have.
    """

    def __init__(self, checkpoint: Checkpoint, isa: str | None = None) -> None:
        self.config = config = checkpoint.config
        self.turn_bursts = 16
        self.isa, chosen = choose(lib.rascanet_isa_at, isa or os.environ.get(VARIABLE), VARIABLE)
        shape = config.width, config.hidden_channels, config.head_channels
        self._network = network = ffi.new("rascanet_network *", {"isa": chosen, "shape": shape})
        size = chosen.packed_floats(ffi.addressof(network.shape))
        assert size  # noqa: S101 - a config keeps to what the kernel takes
        network.scratch_floats = chosen.scratch_floats(ffi.addressof(network.shape))
        # Kept here: the network has its address alone.
        self._packed = network.packed = ffi.from_buffer(FLOATS, aligned(4 * size))
        self._pack(folded_layers(checkpoint))
        self._address = int(ffi.cast("uintptr_t", network))

    def _pack(self, layers: dict[str, tuple[Floats, Floats]]) -> None:
        into = ffi.new("rascanet_layers *")
        for name, (weight, bias) in layers.items():
            stem = name.rstrip("0123456789")
            place = getattr(into, stem)
            place = place[int(name[len(stem) :])] if name != stem else place
            place.weight, place.bias = ffi.from_buffer(FLOATS, weight), ffi.from_buffer(FLOATS, bias)
        self._network.isa.pack(ffi.addressof(self._network.shape), into, self._packed)

    def initial_hidden(self) -> Hidden:
        """The state before a frame's first burst: zeros (C, Wh) float32."""
        return np.zeros(self.config.hidden_shape, np.float32)

    def step(self, rows: Pixels, hidden: Hidden) -> StepResult:
        """Advances `hidden` by the bursts in `rows`, see `StepRuntime.step`; contiguous rows are not copied."""
        outputs = step(self._address, rows, hidden)
        if outputs is None:
            check_step_arguments(self, rows, hidden)
            outputs = step(self._address, np.ascontiguousarray(rows), hidden)
            assert outputs is not None  # noqa: S101 - the kernel refuses nothing else than was checked above
        return StepResult(outputs)
