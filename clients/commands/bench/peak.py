"""The machine's measured peak: multiply-accumulates in registers alone, compiled at run time."""

import importlib.util
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

LANES = {"avx512": 16, "avx2": 8, "plain": 4}
TARGETS = {"avx512": "avx512f,fma", "avx2": "avx2,fma"}
ACCUMULATORS = {"avx512": 24, "avx2": 12, "plain": 12}
"""Enough to hide the latency, few enough for the registers."""

Loop = Callable[[int], float]


def _source(isa: str) -> str:
    """`float fma_ISA(long turns)`: accumulators += x * accumulators, nothing else."""
    lanes, count = LANES[isa], ACCUMULATORS[isa]
    target = f'__attribute__((target("{TARGETS[isa]}")))' if isa in TARGETS else ""
    names = [f"a{index}" for index in range(count)]
    return f"""
typedef float v{lanes} __attribute__((vector_size({lanes * 4})));
{target} float fma_{isa}(long turns) {{
    v{lanes} x = (v{lanes}){{0}} + 0.999999f, y = (v{lanes}){{0}} + 1e-6f;
    v{lanes} {", ".join(f"{name} = y * {index}.0f" for index, name in enumerate(names))};
    for (long i = 0; i < turns; i++) {{
        {" ".join(f"{name} = {name} * x + y;" for name in names)}
    }}
    v{lanes} sum = {" + ".join(names)};
    float total = 0;
    for (int i = 0; i < {lanes}; i++) total += sum[i];
    return total;
}}
"""


def macs_per_turn(isa: str) -> int:
    """Multiply-accumulates of one turn of the loop."""
    return LANES[isa] * ACCUMULATORS[isa]


def register_loops(isas: Sequence[str]) -> dict[str, Loop]:
    """For each instruction set, a function that runs a given number of turns; empty without a C compiler."""
    from cffi import FFI, VerificationError

    ffi = FFI()
    ffi.cdef("".join(f"float fma_{isa}(long turns);" for isa in isas))
    ffi.set_source("_peak", "".join(map(_source, isas)), extra_compile_args=["-O3", "-ffp-contract=fast", "-w"])
    with tempfile.TemporaryDirectory() as folder:
        try:
            built = Path(ffi.compile(tmpdir=folder))
        except VerificationError:
            return {}
        spec = importlib.util.spec_from_file_location("_peak", built)
        assert spec is not None  # noqa: S101 - an extension's suffix is known
        assert spec.loader is not None  # noqa: S101 - extensions have a loader
        module: Any = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return {isa: getattr(module.lib, f"fma_{isa}") for isa in isas}
