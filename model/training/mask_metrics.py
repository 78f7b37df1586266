"""Figures of a network behind masks: what private areas cost, and what becomes of the certified exits."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from model.exit_policy import ExitPolicy
from model.picture import read_picture
from model.step import StepRuntime
from model.training.metrics import BinaryMetrics, binary_metrics, wilson_interval
from model.training.outcomes import losses, read_curves, replay
from model.training.photos import Photo, Photos
from sensor_sim.window import Rectangle, Window

LEFT: Final[dict[str, Rectangle | None]] = {
    "none": None,
    "left fifth": Rectangle(20, 0, 80, 100),
    "left half": Rectangle(50, 0, 50, 100),
    "upper third": Rectangle(0, 100 / 3, 100, 200 / 3),
    "lower third": Rectangle(0, 0, 100, 200 / 3),
    "10 % around": Rectangle(10, 10, 80, 80),
}
"""The part of the picture that masks leave, by the masks' names: a neighbour's window, a street, a timestamp."""
MOST_COVERED: Final = 0.5
"""Share of a person's box up to which the person still counts as there."""
EXACT: Final = 1e-6
"""Part of a pixel that rounding may add."""
BOX_PX: Final = 200
"""Rows and columns on which boxes and masks are laid over each other."""


@dataclass(frozen=True, slots=True)
class MaskFigures:
    """Figures behind one mask, on the pictures without a person and those whose person is not behind the mask.

    Attributes:
        name: one of `LEFT`.
        pictures: number of the pictures.
        masked: full frames behind the mask.
        whole: the same pictures without it.
        region: the part that the mask leaves, as a frame of its own.
        lost: share of the pictures on which the certified policy decides otherwise than the full frame does behind the
            same mask, and its 95 % interval.
        processed_ratio: mean share of the bursts processed under that policy, 0..1.
    """

    name: str
    pictures: int
    masked: BinaryMetrics
    whole: BinaryMetrics
    region: BinaryMetrics
    lost: tuple[float, float, float]
    processed_ratio: float


def mask_figures(
    runtime: StepRuntime, policy: ExitPolicy, frames: npt.NDArray[np.uint8], photos: Photos
) -> Iterator[MaskFigures]:
    """Yields the figures behind each mask of frames (N, H, W, 3) uint8 of these photographs."""
    whole = read_curves(runtime, frames, photos)
    for name, left in LEFT.items():
        seen, regions = frames, frames
        if left:
            seen = np.where(_left(left, *frames.shape[1:3])[..., None], frames, np.uint8(0))
            window = Window(name, left)
            regions = np.stack(
                [window.frame(np.asarray(read_picture(photo.path)), *frames.shape[1:3]) for photo in photos.photos]
            )
        kept = np.array([_counts(photo, left) for photo in photos.photos])
        masked, region = (read_curves(runtime, each, photos).chosen(kept) for each in (seen, regions))
        outcome = replay(policy, masked)
        lost, count = int(losses(outcome, masked, "disagreement").sum()), int(kept.sum())
        whole_frames, masked_frames, region_frames = (
            binary_metrics(each.p_person[:, -1], masked.labels) for each in (whole.chosen(kept), masked, region)
        )
        interval = wilson_interval(lost, count)
        yield MaskFigures(
            name=name,
            pictures=count,
            masked=masked_frames,
            whole=whole_frames,
            region=region_frames,
            lost=(lost / count, *interval),
            processed_ratio=float(outcome.processed.mean()),
        )


def _left(left: Rectangle, height: int, width: int) -> npt.NDArray[np.bool_]:
    """The pixels (height, width) that the mask around a rectangle leaves: those wholly within it."""
    spans = ((left.y, left.height, height), (left.x, left.width, width))
    rows, columns = (
        slice(math.ceil(first * pixels / 100 - EXACT), math.floor((first + size) * pixels / 100 + EXACT))
        for first, size, pixels in spans
    )
    seen = np.zeros((height, width), np.bool_)
    seen[rows, columns] = True
    return seen


def _counts(photo: Photo, left: Rectangle | None) -> bool:
    """Says whether the label of a picture holds behind the mask too."""
    if photo.label == 0 or not left:
        return True
    seen = _left(left, BOX_PX, BOX_PX)
    for x, y, across, down in sorted(photo.boxes or (), key=lambda box: box[2] * box[3])[-1:]:
        first, upper = int(max(x, 0) * BOX_PX), int(max(y, 0) * BOX_PX)
        inside = seen[upper : upper + max(1, int(down * BOX_PX)), first : first + max(1, int(across * BOX_PX))]
        return bool(inside.mean() >= 1 - MOST_COVERED)
    return False
