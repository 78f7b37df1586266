"""Labelled photographs through a runtime under an exit policy."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from model.exit_policy import ExitPolicy
from model.runtime import StepRuntime
from model.scan import scan_frame
from model.training.metrics import BinaryMetrics, binary_metrics
from model.training.photos import Photos, load_frames


@dataclass(frozen=True, slots=True)
class SourceResult:
    """Figures over the pictures of one source, or of all.

    Attributes:
        exits: frames whose scan ended early.
        processed_ratios: mean share of bursts processed over all frames, those with and those without a person.
    """

    source: str
    metrics: BinaryMetrics
    exits: int
    processed_ratios: tuple[float, float, float]


def evaluate_split(runtime: StepRuntime, photos: Photos, policy: ExitPolicy) -> Iterator[SourceResult]:
    """Figures over all pictures and, after that, by source; sources that lack a class are left out."""
    frames = load_frames(photos, runtime.config.height, runtime.config.width)
    scans = [scan_frame(runtime, frame, policy) for frame in frames]
    p_person = np.array([scan.p_person for scan in scans])
    ratios = np.array([scan.processed_ratio for scan in scans])
    exited = np.array([scan.exited for scan in scans])
    sources = np.array([photo.source for photo in photos.photos])
    labels = photos.labels
    for source in ("all", *sorted(set(sources))):
        chosen = np.full(len(sources), True) if source == "all" else sources == source
        person, empty = chosen & (labels == 1), chosen & (labels == 0)
        if person.any() and empty.any():
            yield SourceResult(
                source,
                binary_metrics(p_person[chosen], labels[chosen]),
                int(exited[chosen].sum()),
                (float(ratios[chosen].mean()), float(ratios[person].mean()), float(ratios[empty].mean())),
            )
