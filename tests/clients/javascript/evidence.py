"""`make wasm-evidence`: many frames through every form of the kernel in Node and Chromium, against the definition."""

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np

from model.checkpoint import Checkpoint, load_checkpoint, shipped_weights
from model.config import VARIANTS
from model.integer.checkpoint import load_integer_checkpoint
from model.integer.network import IntegerNetwork
from tests.clients.javascript.engines import FORMS, WITHOUT_CHROMIUM, Job, Played, expected, in_chromium, in_node
from tests.golden import ORACLE, golden_checkpoint, golden_integers
from tests.model.random_networks import half_coarse_frames

SHIPPED_TOLERANCE: Final = 2e-6
"""Of P(person) and confidence."""
STATES_TOLERANCE: Final = 5e-6
"""Of states, from -1 to 1, which carry the rounding of a frame's bursts from one to the next."""
GOLDEN_TOLERANCE: Final = 2e-5
BATCH: Final = 20
"""Frames that are played at a time."""


def shipped(variant: str) -> list[Checkpoint | IntegerNetwork]:
    """What comes with the project."""
    return [load_checkpoint(shipped_weights(variant)), load_integer_checkpoint(shipped_weights(variant, "int8"))]


def golden(variant: str) -> list[Checkpoint | IntegerNetwork]:
    """The golden random weights, and integers made of them."""
    return [golden_checkpoint(variant), golden_integers(variant)]


def jobs_of(network: Checkpoint | IntegerNetwork, frames: int, forms: tuple[str, ...], seed: int) -> list[Job]:
    """A job for each form that there is of a network's arithmetic."""
    pictures = half_coarse_frames(network.config, frames, seed)
    arithmetic = "float32" if isinstance(network, Checkpoint) else "int8"
    return [Job(network, pictures, form) for form in FORMS[arithmetic] if form in forms]


def differences(job: Job, found: Played, wanted: Played, relaxed: float) -> list[str]:
    """Sentences on what differs.

    Args:
        job, found, wanted: what was played, what an engine gave, what the definition says.
        relaxed: so much may P(person) and confidence of the relaxed form differ; states, if it is less, by
            `STATES_TOLERANCE`; logits, which have no bounds, are left out.
    """
    said = []
    for part in Played._fields:
        may = 0.0 if job.form != "relaxed" else relaxed if part == "outputs" else max(relaxed, STATES_TOLERANCE)
        gap = np.abs(getattr(found, part).astype(np.float64) - getattr(wanted, part))
        if part == "outputs" and may:
            gap = gap[..., 2:]
        if not gap.max() <= may:
            said.append(f"{job.arithmetic} {job.form} {job.network.config}: {part} differ by {gap.max()}")
    return said


def main() -> None:
    """Plays, compares, says so."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=200, help="of noise, half of it coarse, for each network")
    parser.add_argument("--variant", choices=VARIANTS, action="append", help="network; all if not given")
    parser.add_argument("--arithmetic", choices=FORMS, action="append", help="of the networks; all if not given")
    asked = parser.parse_args()
    count = asked.frames
    if WITHOUT_CHROMIUM:
        sys.exit(WITHOUT_CHROMIUM)
    groups = [("shipped", shipped, SHIPPED_TOLERANCE)]
    if ORACLE.is_dir():
        groups.append(("golden random", golden, GOLDEN_TOLERANCE))
    for variant in asked.variant or VARIANTS:
        for name, networks, relaxed in groups:
            for network in networks(variant):
                arithmetic = "float32" if isinstance(network, Checkpoint) else "int8"
                if arithmetic not in (asked.arithmetic or FORMS):
                    continue
                for start in range(0, count, BATCH):
                    _compare(name, network, start, min(BATCH, count - start), relaxed)
                sys.stdout.write(
                    f"{variant} {arithmetic}, {name} weights: {count} frames, in Node and Chromium, equal\n"
                )
                sys.stdout.flush()


def _compare(name: str, network: Checkpoint | IntegerNetwork, seed: int, count: int, relaxed: float) -> None:
    """One batch on both engines.

    Raises:
        SystemExit: something differs.
    """
    jobs = jobs_of(network, count, FORMS["float32"], seed)
    wanted = expected(jobs[0])
    for engine in (in_node, in_chromium):
        able = [job for job in jobs if engine is in_chromium or job.form != "relaxed"]  # Node 20 hides relaxed SIMD
        with TemporaryDirectory() as folder:
            for job, played in zip(able, engine(able, Path(folder)), strict=True):
                if said := differences(job, played, wanted, relaxed):
                    sys.exit(f"{name} weights, {engine.__name__}: {said[0]}")


if __name__ == "__main__":
    main()
