"""The kernel in WebAssembly equals the definition: in every bit, and where the machine rounds, nearly."""

import gzip
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from model.checkpoint import Checkpoint, import_public_checkpoint
from model.config import VARIANTS, RaScaNetConfig
from model.integer.network import IntegerNetwork
from tests.clients.javascript.engines import (
    FORMS,
    MISSING,
    PACKAGE,
    ROOT,
    WITHOUT_CHROMIUM,
    Job,
    Played,
    expected,
    in_chromium,
    in_node,
)
from tests.clients.javascript.evidence import (
    GOLDEN_TOLERANCE,
    SHIPPED_TOLERANCE,
    differences,
    golden,
    jobs_of,
    shipped,
)
from tests.golden import ORACLE
from tests.networks import SMALL, random_checkpoint, random_integer_network

MOST_GZIPPED_BYTES = 25_000
ODD = [
    SMALL,
    RaScaNetConfig(10, 16, (1, 1, 1, 1), 4),
    RaScaNetConfig(10, 37, (3, 5, 7, 6), 12),
    RaScaNetConfig(10, 64, (8, 8, 8, 8), 16),
    RaScaNetConfig(10, 128, (20, 13, 2, 45), 56),
    RaScaNetConfig(10, 139, (5, 1, 17, 31), 52),
]
"""Sizes that fill vectors, and sizes that leave lanes over."""

Engine = Callable[[list[Job], Path], list[Played]]
beside = pytest.mark.skipif(not ORACLE.is_dir(), reason="the golden vectors' folder is not here")
node = [pytest.mark.skipif(bool(MISSING), reason=MISSING), pytest.mark.long]
chromium = [pytest.mark.skipif(bool(WITHOUT_CHROMIUM), reason=WITHOUT_CHROMIUM), pytest.mark.long]


def check(engine: Engine, jobs: list[Job], folder: Path, relaxed: float = 0) -> None:
    """Plays jobs and compares.

    Args:
        relaxed: how much the relaxed form may differ by.
    """
    for job, played in zip(jobs, engine(jobs, folder), strict=True):
        assert differences(job, played, expected(job), relaxed) == []
        assert np.ptp(played.outputs[..., 3]) > 0  # P(person) moves


# Node 20 hides relaxed SIMD.
@pytest.mark.parametrize(
    ("engine", "forms"),
    [
        pytest.param(in_node, ("simd128", "scalar"), marks=node),
        pytest.param(in_chromium, ("relaxed", "simd128", "scalar"), marks=chromium),
    ],
)
def test_equals_the_definition_for_any_size(engine: Engine, forms: tuple[str, ...], tmp_path: Path) -> None:
    jobs = []
    for seed, config in enumerate(ODD):
        jobs += jobs_of(random_checkpoint(config, seed), 2, forms, seed)
        jobs += jobs_of(random_integer_network(config, seed), 2, forms, seed)
    check(engine, jobs, tmp_path, GOLDEN_TOLERANCE)


# For golden weights AVX2 differs from the plain kernel as far as the relaxed form does.
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(
    ("engine", "networks", "forms", "relaxed"),
    [
        pytest.param(in_node, shipped, ("simd128", "scalar"), 0, marks=node),
        pytest.param(in_node, golden, ("simd128", "scalar"), 0, marks=[*node, beside]),
        pytest.param(in_chromium, shipped, ("relaxed", "simd128"), SHIPPED_TOLERANCE, marks=chromium),
        pytest.param(in_chromium, golden, ("relaxed",), GOLDEN_TOLERANCE, marks=[*chromium, beside]),
    ],
)
def test_equals_the_definition(
    engine: Engine,
    networks: Callable[[str], list[Checkpoint | IntegerNetwork]],
    forms: tuple[str, ...],
    relaxed: float,
    variant: str,
    tmp_path: Path,
) -> None:
    check(engine, [job for network in networks(variant) for job in jobs_of(network, 1, forms, 7)], tmp_path, relaxed)


@pytest.mark.long
@pytest.mark.skipif(bool(MISSING), reason=MISSING)
@beside
@pytest.mark.parametrize("variant", VARIANTS)
def test_golden_vectors(variant: str, tmp_path: Path) -> None:
    vectors = np.load(ORACLE / f"vectors_{variant}.npz")
    checkpoint = import_public_checkpoint(ORACLE / f"random_weights_{variant}.pth")
    [played] = in_node([Job(checkpoint, vectors["frames"][:4], "simd128")], tmp_path)
    assert played.outputs[..., :2] == pytest.approx(vectors["burst_logits"][:4], abs=1e-4)
    assert played.outputs[..., 2] == pytest.approx(vectors["burst_confidence"][:4], abs=2e-5)
    assert played.states == pytest.approx(vectors["hidden_states_first4"], abs=2e-5)


@pytest.mark.skipif(bool(MISSING), reason=MISSING)
@pytest.mark.parametrize("file", [f"{arithmetic}-{form}.wasm" for arithmetic, forms in FORMS.items() for form in forms])
def test_a_kernel_is_small(file: str) -> None:
    assert len(gzip.compress((PACKAGE / "wasm" / file).read_bytes(), 9)) <= MOST_GZIPPED_BYTES


@pytest.mark.long
@pytest.mark.skipif(shutil.which("clang-19") is None, reason="clang is not installed: `make wasm`")
@pytest.mark.skipif(bool(MISSING), reason=MISSING)
def test_a_build_is_reproducible(tmp_path: Path) -> None:
    file = "wasm/int8-simd128.wasm"
    subprocess.run(["make", "-s", f"PACKAGE={tmp_path}", tmp_path / file], cwd=ROOT, check=True, timeout=120)
    assert (tmp_path / file).read_bytes() == (PACKAGE / file).read_bytes()
