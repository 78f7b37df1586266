"""The device that training runs on, what it computes in, and how it keeps memory."""

import ctypes
import sys
from typing import Final

import torch

BFLOAT16_INSTRUCTIONS: Final = ("avx512_bf16", "amx_bf16", "bf16")
"""Names of the processors' instructions for bfloat16: x86 (two) and ARM."""

# Options of `mallopt`, from glibc's malloc.h: most blocks mapped one by one, room asked for at once, room given back.
M_MMAP_MAX, M_TOP_PAD, M_TRIM_THRESHOLD = -4, -2, -1
ROOM_BYTES: Final = 2**28


def training_device() -> torch.device:
    """The GPU where there is one, else the processor."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def computes_bfloat16(device: torch.device) -> bool:
    """True for a GPU and for a processor with instructions for bfloat16; others need several times as long for it."""
    if device.type != "cpu":
        return True
    has = torch.cpu.get_capabilities()
    return any(has.get(name, False) for name in BFLOAT16_INSTRUCTIONS)


def prepare_processor(threads: int) -> None:
    """Sets the number of torch's threads, and makes this process keep the memory that it frees, while it lives.

    A training step frees as much as the next one takes. Given back to the operating system in between, every page is
    cleared and mapped anew, which takes a third to half of the step on a processor. Only glibc has options for this;
    with another C library, the memory is given back.
    """
    torch.set_num_threads(threads)
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        for option, value in ((M_MMAP_MAX, 0), (M_TOP_PAD, ROOM_BYTES), (M_TRIM_THRESHOLD, -1)):
            mallopt(option, value)
