"""Builds the kernel's extension module `model.kernel._kernel` (cffi; run by setup.py)."""

import os
import shlex
import subprocess
import sysconfig
from pathlib import Path

from cffi import FFI

FOLDER = Path("model/kernel")
SOURCES = (
    *("step_isa.c", "step_plain.c", "step_avx2.c", "step_avx512.c", "norm_pool.c"),
    *("integer_isa.c", "integer_table.c", "integer_plain.c", "integer_avx2.c", "integer_vnni.c"),
)
INTEGER_PARTS = ("step", "plan", "pack", "lanes", "heads", "layers", "dense")
INCLUDED = (
    *("step.inc", "layers.inc", "quads.inc", "norm_pool.inc", "integer_math.h", "integer_table.inc"),
    *(f"integer_{part}.inc" for part in INTEGER_PARTS),
)
HEADERS = ("rascanet_kernel.h", "norm_pool.h", "integer.h")
NAMES = "\n".join(
    line
    for header in HEADERS
    for line in (FOLDER / header).read_text().splitlines()
    if not line.startswith(("#", "extern"))  # cffi takes declarations alone
)

KEEPS_SUMS = "-fira-region=all"
"""GCC alone has it: without it sums of the integer kernel's tiles go to memory and back although registers are free."""


def _takes(flag: str) -> bool:
    """True if the compiler knows a flag."""
    compiler = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")
    try:
        done = subprocess.run(
            [*compiler, "-Werror", flag, "-E", "-x", "c", os.devnull], capture_output=True, timeout=60, check=False
        )
    except OSError:
        return False  # there is no compiler: the build says so
    return done.returncode == 0


ffi = FFI()
ffi.cdef(NAMES)
ffi.set_source(
    "model.kernel._kernel",
    "\n".join(f'#include "{header}"' for header in HEADERS),
    sources=[str(FOLDER / name) for name in SOURCES],
    depends=[str(FOLDER / name) for name in (*INCLUDED, *HEADERS)],
    include_dirs=[str(FOLDER)],
    extra_compile_args=["-O3", "-std=gnu11", *([KEEPS_SUMS] if _takes(KEEPS_SUMS) else [])],
    optional=True,  # a machine without a C compiler runs on torch
)
