"""Accuracy of a step: its decisions on photographs, whole frames, at the threshold 0.5."""

from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from clients.commands.bench.baselines import Rows, Streams
from model.config import RaScaNetConfig
from model.step import StepRuntime
from model.training.metrics import binary_metrics
from model.training.photos import drawn, load_frames, read_photos

RANGE_PICTURES: Final = 20
"""Pictures of `train` that the ranges of other runtimes' integers are for."""


class Pictures(NamedTuple):
    """Photographs as frames of one network.

    Attributes:
        judged, labels: of the split `val`: (N, H, W, 3) uint8, and (N,) of 0 and 1.
        seen: of the split `train`, for ranges: (M, H, W, 3) uint8.
    """

    judged: Rows
    labels: npt.NDArray[np.int64]
    seen: Rows


class Accuracy(NamedTuple):
    """Both in 0..1."""

    balanced: float
    auroc: float


def load_pictures(folder: Path, config: RaScaNetConfig) -> Pictures:
    """Reads a folder with an index.

    Raises:
        PhotosError: no index, or no labelled picture in one of the two splits.
    """
    judged, seen = read_photos(folder, "val"), drawn(read_photos(folder, "train"), RANGE_PICTURES, 1)
    size = config.height, config.width
    return Pictures(load_frames(judged, *size), judged.labels, load_frames(seen, *size))


def of_streams(streams: Streams, pictures: Pictures, config: RaScaNetConfig) -> Accuracy:
    """The accuracy of a single stream."""
    margins = []
    for frame in pictures.judged:
        streams.begin()
        for burst in frame.reshape(config.bursts_per_frame, 1, *config.burst_shape):
            logits = np.array(streams.step(burst), np.float64)
        margins.append(logits[0, 1] - logits[0, 0])
    return _accuracy(1 / (1 + np.exp(-np.array(margins))), pictures)


def of_runtime(runtime: StepRuntime, pictures: Pictures) -> Accuracy:
    """The accuracy of one of our runtimes."""
    results = [runtime.step(frame, runtime.initial_hidden()) for frame in pictures.judged]
    return _accuracy(np.array([result.p_person[-1] for result in results]), pictures)


def _accuracy(p_person: npt.NDArray[np.float64], pictures: Pictures) -> Accuracy:
    metrics = binary_metrics(p_person, pictures.labels)
    return Accuracy(metrics.balanced_accuracy, metrics.auroc)
