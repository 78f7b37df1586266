import subprocess
import sys

import pytest
import torch

from model.training.device import computes_bfloat16, training_device

PAGES_TAKEN = """
import resource, sys
import torch
from model.training.device import prepare_processor

if "keep" in sys.argv:
    prepare_processor(1)
for _ in range(32):  # blocks of the right size have to come about
    torch.ones(2**24)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(8):
    torch.ones(2**24)  # 64 MiB
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.parametrize(("there", "kind"), [(True, "cuda"), (False, "cpu")])
def test_a_gpu_is_taken_where_there_is_one(there: bool, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    assert training_device().type == kind


@pytest.mark.parametrize(
    ("kind", "has", "computes"),
    [
        ("cuda", {}, True),
        ("cpu", {"avx2": True, "avx512_bf16": False, "amx_bf16": False}, False),
        ("cpu", {"avx2": True, "avx512_bf16": True, "amx_bf16": False}, True),
        ("cpu", {"neon": True, "bf16": True}, True),
        ("cpu", {"neon": True}, False),
    ],
)
def test_bfloat16_needs_instructions(
    kind: str, has: dict[str, bool], computes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: has)
    assert computes_bfloat16(torch.device(kind)) == computes


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc has the option")
def test_freed_memory_is_used_again() -> None:
    given_back, kept = (
        int(subprocess.run([sys.executable, "-c", PAGES_TAKEN, word], check=True, capture_output=True).stdout)
        for word in ("give", "keep")
    )
    assert kept < given_back / 10
