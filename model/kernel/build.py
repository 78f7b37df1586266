"""Builds the kernel's extension module `model.kernel._kernel` (cffi; run by setup.py)."""

from pathlib import Path

from cffi import FFI

FOLDER = Path("model/kernel")
SOURCES = ("rascanet_kernel.c", "step_plain.c", "step_avx2.c", "step_avx512.c")
NAMES = "\n".join(
    line
    for line in (FOLDER / "rascanet_kernel.h").read_text().splitlines()
    if not line.startswith(("#", "extern"))  # cffi takes declarations alone
)

ffi = FFI()
ffi.cdef(NAMES)
ffi.set_source(
    "model.kernel._kernel",
    '#include "rascanet_kernel.h"',
    sources=[str(FOLDER / name) for name in SOURCES],
    depends=[str(FOLDER / name) for name in ("step.inc", "layers.inc", "rascanet_kernel.h")],
    include_dirs=[str(FOLDER)],
    extra_compile_args=["-O3", "-std=gnu11"],
    optional=True,  # a machine without a C compiler runs on torch
)
