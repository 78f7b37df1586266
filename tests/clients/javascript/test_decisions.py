"""The package decides as Python does: every policy, exits and skips, over photographs, drawn scenes and noise."""

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.certificate import certified_policy
from model.checkpoint import Arithmetic, shipped_weights
from model.config import VARIANTS, RaScaNetConfig
from model.exit_policy import (
    ConfidencePolicy,
    FixedRowPolicy,
    NeverExitPolicy,
    PatiencePolicy,
    Policy,
    PublishedPolicy,
    SequentialPolicy,
    TwoSidedPolicy,
    describe_policy,
)
from model.picture import read_frame
from model.runtime import load_any_checkpoint, load_runtime
from model.scan import scan_frame
from model.step import Pixels, StepResult, StepRuntime
from tests.clients.javascript.engines import MISSING
from tests.model.random_networks import random_frames
from tests.page.site import write_samples

pytestmark = pytest.mark.skipif(bool(MISSING), reason=MISSING)

RANDOM_FRAMES = 50
TOLERANCE: dict[Arithmetic, float] = {"float32": 2e-6, "int8": 0.0}
SCAN = Path(__file__).with_name("scan_frames.mjs")
LIMIT_S = 300
POLICIES: tuple[Policy, ...] = (
    NeverExitPolicy(),
    PublishedPolicy(0.8, 0.3),
    TwoSidedPolicy(0.75, 0.2),
    PatiencePolicy(4, 0.2),
    ConfidencePolicy(0.8),
    SequentialPolicy(3.0, 0.5),
    FixedRowPolicy(0.4),
)
"""That of the certificate, a line that falls, comes beside them."""


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """What the site shows."""
    return write_samples(tmp_path_factory.mktemp("samples"))


def frames_of(config: RaScaNetConfig, photographs: list[Path]) -> Pixels:
    """The photographs and noise, half of it coarse, so that policies have something to act on."""
    noise = random_frames(config, RANDOM_FRAMES, 26)
    coarse = np.repeat(np.repeat(noise[1::2, ::15, ::15], 15, 1), 15, 2)
    noise[1::2] = coarse[:, : config.height, : config.width]
    return np.concatenate([[read_frame(path, config.height, config.width) for path in photographs], noise])


def in_python(runtime: StepRuntime, frames: Pixels, policy: Policy) -> list[dict[str, Any]]:
    found = []
    for frame in frames:
        curve: list[float] = []

        def note(_: int, result: StepResult, curve: list[float] = curve) -> None:
            curve += result.p_person

        scan = scan_frame(runtime, frame, policy, note)
        found.append(
            {
                "person": scan.person,
                "p_person": scan.p_person,
                "burst_index": scan.last_burst,
                "exited": scan.exited,
                "processed": scan.processed,
                "skipped": scan.skipped,
                "unread": scan.unread,
                "curve": curve,
            }
        )
    return found


@pytest.mark.parametrize("arithmetic", TOLERANCE)
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.long
def test_the_same_decisions(variant: str, arithmetic: Arithmetic, photographs: list[Path], tmp_path: Path) -> None:
    weights = shipped_weights(variant, arithmetic)
    checkpoint = load_any_checkpoint(weights)
    runtime = load_runtime(checkpoint)
    certified = certified_policy(weights, checkpoint.digest)
    assert certified is not None
    policies = (*POLICIES, certified)
    frames = frames_of(runtime.config, photographs)
    pixels, job = tmp_path / "frames.bin", tmp_path / "job.json"
    pixels.write_bytes(frames.tobytes())
    job.write_text(
        json.dumps(
            {
                "weights": weights.absolute().as_uri(),
                "frames": str(pixels),
                "policies": [describe_policy(policy) for policy in policies],
            }
        )
    )
    output = subprocess.run(["node", str(SCAN), str(job)], check=True, capture_output=True, timeout=LIMIT_S).stdout
    for policy, decisions in zip(policies, json.loads(output), strict=True):
        acted = 0
        for there, here in zip(decisions, in_python(runtime, frames, policy), strict=True):
            for name in ("curve", "p_person"):
                gap = np.abs(np.subtract(there.pop(name), here.pop(name))).max()
                assert gap <= TOLERANCE[arithmetic], (policy, name)
            assert len(there.pop("skips")) == here["skipped"]
            assert there == here, policy
            acted += here["exited"] or here["skipped"] > 0
        assert (acted > 0) == policy.acts, policy
