"""The runtimes of this machine: which there are, and the one for a checkpoint, whatever its arithmetic."""

import logging
from pathlib import Path

from model.checkpoint import FORMAT, Checkpoint, float_checkpoint, read_described
from model.integer.checkpoint import FORMAT as INTEGER_FORMAT
from model.integer.checkpoint import integer_network
from model.integer.network import IntegerNetwork
from model.step import RuntimeUnavailableError, StepRuntime

log = logging.getLogger(__name__)

RUNTIMES = ("native", "torch")

NO_KERNEL = (
    "The kernel is not built: building it takes a C compiler (Debian: apt-get install gcc libc6-dev) "
    "and another `pip install -e .`."
)


AnyCheckpoint = Checkpoint | IntegerNetwork
"""Weights that a runtime can be had for."""


def load_any_checkpoint(path: Path) -> AnyCheckpoint:
    """Reads float or integer weights; the file says which.

    Raises:
        CheckpointError: the file is missing, of neither format, damaged or altered.
    """
    described = read_described(path, (FORMAT, INTEGER_FORMAT))
    return (float_checkpoint if described.format == FORMAT else integer_network)(path, described)


def load_runtime(checkpoint: AnyCheckpoint, name: str | None = None) -> StepRuntime:
    """Makes the runtime for a checkpoint.

    Args:
        checkpoint: the weights.
        name: `native` (the kernel) or `torch`; None: the kernel, or torch with a warning where the kernel isn't built.
            Integer weights have the kernel alone.

    Raises:
        RuntimeUnavailableError: the runtime is not installed here; the message says how to install it.
    """
    if name not in (None, *RUNTIMES):
        raise RuntimeUnavailableError(f"there is no runtime {name!r}; there is {' and '.join(RUNTIMES)}")
    if isinstance(checkpoint, IntegerNetwork):
        return _integer_runtime(checkpoint, name)
    if name != "torch":
        try:
            from model.kernel.native import NativeRuntime

            return NativeRuntime(checkpoint)
        except ImportError as error:
            if name == "native":
                raise RuntimeUnavailableError(NO_KERNEL) from error
    try:
        from model.torch_runtime import TorchRuntime
    except ImportError as error:
        reason = "torch is not installed; install the extra 'train'" if name == "torch" else NO_KERNEL
        raise RuntimeUnavailableError(reason) from error
    if name is None:
        log.warning("%s Running on torch instead.", NO_KERNEL)
    return TorchRuntime(checkpoint)


def _integer_runtime(network: IntegerNetwork, name: str | None) -> StepRuntime:
    if name == "torch":
        raise RuntimeUnavailableError("integer weights run on the kernel, not on torch; ask for 'native'")
    try:
        from model.kernel.native_integer import IntegerRuntime
    except ImportError as error:
        raise RuntimeUnavailableError(NO_KERNEL) from error
    return IntegerRuntime(network)
