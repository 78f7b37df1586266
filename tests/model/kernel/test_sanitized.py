"""The kernels under AddressSanitizer and UndefinedBehaviorSanitizer; `make sanitize` runs many more inputs."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

KERNEL = Path(__file__).parents[3] / "model" / "kernel"
COMPILER = shutil.which(os.environ.get("CC", "cc"))
FLAGS = ("-O0", "-g1", "-std=gnu11", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
ONE_COPY = ("-DINLINE=static", "-DUNROLL(n)=")
"""Keeps the compiler from a copy of each tile for every layer, which takes it minutes without optimisation."""
INPUTS = os.environ.get("RASCANET_FUZZ_INPUTS", "100")
SEED = os.environ.get("RASCANET_FUZZ_SEED", "1")


SOURCES = {
    "fuzz_kernel": [*KERNEL.glob("step_*.c")],
    # WebAssembly's form is built by `make wasm` alone.
    "fuzz_integer": sorted({*KERNEL.glob("integer_*.c")} - {KERNEL / "integer_simd128.c"}),
}


@pytest.mark.skipif(COMPILER is None, reason="there is no C compiler here")
@pytest.mark.parametrize("target", SOURCES)
def test_hostile_sizes_weights_and_rows_stay_within_their_buffers(target: str, tmp_path: Path) -> None:
    program = tmp_path / target
    sources = [Path(__file__).with_name(f"{target}.c"), *SOURCES[target]]
    subprocess.run(
        [str(COMPILER), *FLAGS, *ONE_COPY, f"-I{KERNEL}", *map(str, sources), "-o", str(program)],
        check=True,
        timeout=300,
    )
    run = subprocess.run([str(program), INPUTS, SEED], capture_output=True, text=True, timeout=3600, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout == f"{INPUTS} inputs\n"
