"""Views: training pictures by number. View i of a plan is drawn, cut and put together the same way at any size.

So a teacher answers view i at one size, and the network learns from the same view at another (Beyer et al. 2021,
*Knowledge distillation: a good teacher is patient and consistent*).
"""

import multiprocessing
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from model.training.augment import Composition, Sample, paste_patch, random_sample
from model.training.dataset import UNKNOWN
from model.training.photos import Photos, PhotosError
from model.training.picture_store import Pictures
from model.training.swaps import Swaps

STORED = (224, 256)
"""Height and width (px) at which pictures are kept: larger than frames, so that crops keep detail."""

CHUNK = 512
"""Number of views rendered at a time."""


@dataclass(frozen=True, slots=True)
class ViewPlan:
    """Plan by which views are drawn and composed.

    Among the pictures of a label, a picture is drawn in proportion to n^`count_power` / n, where n is the number of
    pictures of its source, times the source's weight, times the picture's likeness to the power of `likeness_power`.

    Attributes:
        seed: seed of the draws.
        person_share: share of the drawn labelled pictures that show a person, 0..1.
        unlabelled_share: share of the drawn pictures without a label, 0..1; they need a teacher's answers.
        count_power: power of a source's number of pictures.
        source_weights: factors by source; 1 for sources that are not named.
        likeness_power: power of a picture's likeness; 0: likeness doesn't matter.
        swap_share: share of the views that are swaps (`model.training.swaps`), 0..1.
        composition: rates of cropping, tilting and patching.
    """

    seed: int = 1
    person_share: float = 0.55
    unlabelled_share: float = 0.0
    count_power: float = 0.75
    source_weights: dict[str, float] = field(default_factory=dict)
    likeness_power: float = 0.0
    swap_share: float = 0.0
    composition: Composition = field(default_factory=Composition)


LEAST_LIKENESS = 0.02
"""Least likeness with which a picture counts, so that every picture may be drawn."""


def sampling_weights(photos: Photos, plan: ViewPlan) -> npt.NDArray[np.float64]:
    """Probability of each picture to be drawn: (N,), sum 1; balanced by label, then by source, then by likeness.

    Raises:
        PhotosError: the plan weighs pictures by likeness, and the index has no likeness.
    """
    groups = Counter((photo.source, photo.label) for photo in photos.photos)
    weights = np.array(
        [
            groups[photo.source, photo.label] ** (plan.count_power - 1) * plan.source_weights.get(photo.source, 1.0)
            for photo in photos.photos
        ]
    )
    if plan.likeness_power:
        likeness = np.array([photo.likeness if photo.likeness is not None else np.nan for photo in photos.photos])
        if np.isnan(likeness).any():
            raise PhotosError(
                f"likeness_power needs the likeness of every picture; the index tells that of "
                f"{np.isfinite(likeness).sum()} of {len(likeness)}; `rascanet data likeness` adds it"
            )
        weights *= np.maximum(likeness, LEAST_LIKENESS) ** plan.likeness_power
    labelled = 1 - plan.unlabelled_share
    shares = {0: (1 - plan.person_share) * labelled, 1: plan.person_share * labelled, UNKNOWN: plan.unlabelled_share}
    for label, share in shares.items():
        chosen = photos.labels == label
        if chosen.any():
            weights[chosen] *= share / weights[chosen].sum()
    normalised: npt.NDArray[np.float64] = weights / weights.sum()
    return normalised


class View(NamedTuple):
    """One training picture.

    Attributes:
        frame: (height, width, 3) uint8.
        label: 1 person, 0 no person, -1 unknown.
        picture: index of the source picture; for a swap, of the picture with people.
    """

    frame: npt.NDArray[np.uint8]
    label: int
    picture: int


class RenderedViews(NamedTuple):
    """Views as arrays: frames (N, height, width, 3) uint8, labels (N,) int8, pictures (N,) int32."""

    frames: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int8]
    pictures: npt.NDArray[np.int32]

    @classmethod
    def empty(cls, count: int, size: tuple[int, int], file: Path | None = None) -> Self:
        """Makes arrays for `count` views, to be filled; the frames in memory, or in a new file."""
        shape = (count, *size, 3)
        frames = np.lib.format.open_memmap(file, "w+", np.uint8, shape) if file else np.empty(shape, np.uint8)
        return cls(frames, np.empty(count, np.int8), np.empty(count, np.int32))

    def at(self, places: npt.NDArray[np.int64]) -> Self:
        """Copies the views at `places` (N,)."""
        return type(self)(self.frames[places], self.labels[places], self.pictures[places])

    def put(self, places: npt.NDArray[np.int64], views: "RenderedViews") -> None:
        """Puts N views at `places` (N,)."""
        self.frames[places], self.labels[places], self.pictures[places] = views


@dataclass(frozen=True)
class Views:
    """The views of a plan over pictures (N, height, width, 3) uint8 at `STORED`."""

    plan: ViewPlan
    photos: Photos
    pictures: Pictures | npt.NDArray[np.uint8]

    @cached_property
    def _bounds(self) -> npt.NDArray[np.float64]:
        return np.cumsum(sampling_weights(self.photos, self.plan))

    @cached_property
    def _boxes_share(self) -> float:
        """Share of the drawn pictures with people whose boxes are known; 1 if no picture with people is drawn.

        Only pictures with known boxes are cropped tightly and get patches. Of an empty picture, the boxes are always
        known: there are none. So if all of them counted as known, a tight crop or a patch would tell that nobody is
        there. As many of both labels count.
        """
        chances = np.diff(self._bounds, prepend=0.0)
        people = self.photos.labels == 1
        known = np.array([photo.boxes is not None for photo in self.photos.photos])
        drawn = chances[people].sum()
        return float(chances[people & known].sum() / drawn) if drawn else 1.0

    @cached_property
    def _swaps(self) -> Swaps:
        return Swaps(self.photos, self.pictures)

    def draw(self, number: int, size: tuple[int, int]) -> View:
        """Draws and renders view `number` at `size` (height, width)."""
        rng = np.random.default_rng((self.plan.seed, number))
        if rng.random() < self.plan.swap_share:
            sample, picture = self._swaps.draw(rng, size)
            return View(sample.frame, sample.label, picture)
        sample, picture = self._sample(rng, size)
        if rng.random() < self.plan.composition.patch_share:
            sample = paste_patch(rng, sample, self._sample(rng, size)[0])
        return View(sample.frame, sample.label, picture)

    def render(self, numbers: npt.NDArray[np.int64], size: tuple[int, int]) -> RenderedViews:
        """Renders the views `numbers` (N,) at `size` (height, width)."""
        rendered = RenderedViews.empty(len(numbers), size)
        for place, number in enumerate(numbers):
            view = self.draw(int(number), size)
            rendered.frames[place], rendered.labels[place], rendered.pictures[place] = view
        return rendered

    def _sample(self, rng: np.random.Generator, size: tuple[int, int]) -> tuple[Sample, int]:
        """Draws a sample; returns it with the index of its picture."""
        index = min(int(np.searchsorted(self._bounds, rng.random(), side="right")), len(self._bounds) - 1)
        photo = self.photos.photos[index]
        boxes = photo.boxes
        if photo.label == 0:
            boxes = () if rng.random() < self._boxes_share else None
        return random_sample(rng, self.pictures[index], photo.label, boxes, size, self.plan.composition), index


def stored_views(
    load: Callable[[], Views],
    count: int,
    size: tuple[int, int],
    folder: Path,
    progress: Callable[[int, int], None],
    processes: int,
) -> RenderedViews:
    """The first `count` views at `size`, mapped from files in `folder`; makes the files if they are missing."""
    name = f"views_{count}_{size[0]}x{size[1]}"
    frames, notes = folder / f"{name}.npy", folder / f"{name}.npz"
    # The notes are written last, so they say that the frames are whole.
    if not notes.is_file():
        views = load()
        rendered = RenderedViews.empty(count, size, frames)
        starts = range(0, count, CHUNK)
        with multiprocessing.get_context("fork").Pool(processes, _take, (views, rendered)) as pool:
            for done, (start, labels, pictures) in enumerate(pool.imap_unordered(_render_chunk, starts), start=1):
                rendered.labels[start : start + len(labels)] = labels
                rendered.pictures[start : start + len(pictures)] = pictures
                progress(min(done * CHUNK, count), count)
        rendered.frames.flush()  # type: ignore[attr-defined]  # a memory map
        np.savez(notes, labels=rendered.labels, pictures=rendered.pictures)
    noted = np.load(notes)
    return RenderedViews(np.load(frames, mmap_mode="c"), noted["labels"], noted["pictures"])


_job: tuple[Views, RenderedViews]
"""Views and arrays of a worker process: given once, by forking, since the pictures are gigabytes."""


def _take(views: Views, rendered: RenderedViews) -> None:
    global _job  # the one way in which a pool gives state to its workers
    _job = views, rendered


def _render_chunk(start: int) -> tuple[int, npt.NDArray[np.int8], npt.NDArray[np.int32]]:
    views, all_of_them = _job
    frames = all_of_them.frames[start : start + CHUNK]
    rendered = views.render(np.arange(start, start + len(frames)), frames.shape[1:3])
    # The frames go into the file, which all workers share.
    frames[:] = rendered.frames
    return start, rendered.labels, rendered.pictures
