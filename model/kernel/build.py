"""Builds the kernel's extension module `model.kernel._kernel` (cffi; run by setup.py)."""

from pathlib import Path

from cffi import FFI

FOLDER = Path("model/kernel")
SOURCES = (
    *("step_isa.c", "step_plain.c", "step_avx2.c", "step_avx512.c", "norm_pool.c"),
    *("integer_isa.c", "integer_table.c", "integer_plain.c", "integer_avx2.c", "integer_vnni.c"),
)
INCLUDED = ("step.inc", "layers.inc", "integer_math.h", "integer_table.inc", "integer_step.inc")
HEADERS = ("rascanet_kernel.h", "norm_pool.h", "integer.h")
NAMES = "\n".join(
    line
    for header in HEADERS
    for line in (FOLDER / header).read_text().splitlines()
    if not line.startswith(("#", "extern"))  # cffi takes declarations alone
)

ffi = FFI()
ffi.cdef(NAMES)
ffi.set_source(
    "model.kernel._kernel",
    "\n".join(f'#include "{header}"' for header in HEADERS),
    sources=[str(FOLDER / name) for name in SOURCES],
    depends=[str(FOLDER / name) for name in (*INCLUDED, *HEADERS)],
    include_dirs=[str(FOLDER)],
    extra_compile_args=["-O3", "-std=gnu11"],
    optional=True,  # a machine without a C compiler runs on torch
)
