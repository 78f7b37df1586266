"""Bursts after which frames are decided under the shipped certificates, as measured on labelled photographs.

python -m clients.commands.bench.exit_times --photos DIR      measures them, on the split `val`
"""

import argparse
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

FILE = Path(__file__).with_suffix(".json")
SPLIT = "val"


@dataclass(frozen=True, slots=True)
class ExitTimes:
    """Distribution of the bursts that a frame's decision needs.

    Attributes:
        certificate: digest of the certificate whose policy decided.
        counts: photographs decided after 1, 2, ... bursts, (bursts a frame,).
    """

    certificate: str
    counts: tuple[int, ...]

    @property
    def processed_ratio(self) -> float:
        """Mean share of the bursts that a decision needs, 0..1."""
        bursts = len(self.counts)
        return float(np.arange(1, bursts + 1) @ np.array(self.counts) / bursts / sum(self.counts))

    def draw(self, rng: np.random.Generator, frames: int) -> npt.NDArray[np.int64]:
        """Bursts that each of some frames needs, (frames,) in 1..bursts a frame."""
        shares = np.array(self.counts) / sum(self.counts)
        return rng.choice(len(shares), frames, p=shares).astype(np.int64) + 1


def exit_times(variant: str) -> ExitTimes:
    """Times measured with the shipped weights of a variant."""
    found = json.loads(FILE.read_text())[variant]
    return ExitTimes(found["certificate"], tuple(found["counts"]))


def measure(photos: Path, variant: str) -> dict[str, Any]:
    """Measures with the shipped weights and certificate of a variant."""
    from clients.commands.weights import Weights, weights_file
    from model.training.evaluate import Evaluation
    from model.training.photos import read_photos

    used = Weights.load(weights_file(None, variant))
    assert used.certified is not None, f"{variant} has no certificate"  # noqa: S101 - for makers
    evaluation = Evaluation(used.runtime, read_photos(photos, SPLIT))
    bursts = used.runtime.config.bursts_per_frame
    halts = Counter(np.rint(evaluation.outcome(used.certified).processed * bursts).astype(int).tolist())
    return {"certificate": used.certified.certificate, "counts": [halts[burst] for burst in range(1, bursts + 1)]}


def main() -> None:
    """Measures both variants and writes them beside this module."""
    from model.config import VARIANTS

    arguments = argparse.ArgumentParser()
    arguments.add_argument("--photos", type=Path, required=True)
    photos = arguments.parse_args().photos
    FILE.write_text(json.dumps({variant: measure(photos, variant) for variant in VARIANTS}) + "\n")


if __name__ == "__main__":
    main()
