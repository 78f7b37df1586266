"""The runtimes of this machine: which there are, and the one for a checkpoint."""

import logging

from model.checkpoint import Checkpoint
from model.step import RuntimeUnavailableError, StepRuntime

log = logging.getLogger(__name__)

RUNTIMES = ("native", "torch")

NO_KERNEL = (
    "The kernel is not built: building it takes a C compiler (Debian: apt-get install gcc libc6-dev) "
    "and another `pip install -e .`."
)


def load_runtime(checkpoint: Checkpoint, name: str | None = None) -> StepRuntime:
    """Makes the runtime for a checkpoint.

    Args:
        checkpoint: the weights.
        name: `native` (the kernel) or `torch`; None: the kernel, or torch with a warning where the kernel isn't built.

    Raises:
        RuntimeUnavailableError: the runtime is not installed here; the message says how to install it.
    """
    if name not in (None, *RUNTIMES):
        raise RuntimeUnavailableError(f"there is no runtime {name!r}; there is {' and '.join(RUNTIMES)}")
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
