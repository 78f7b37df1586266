"""Views: training pictures by number. View i of a plan is drawn, cut and put together the same way at any size.

A teacher can so look at view i in its own size, and the network be trained on the very same view in another
(Beyer et al. 2021, *Knowledge distillation: a good teacher is patient and consistent*).
"""

import multiprocessing
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from model.training.augment import Composition, Sample, paste_patch, random_sample
from model.training.photos import UNKNOWN, Photos, load_frames

STORED = (224, 256)
"""Pictures are kept at this height and width (px), so that crops keep detail."""

CHUNK = 512
"""Views rendered at a time."""


@dataclass(frozen=True, slots=True)
class ViewPlan:
    """Which pictures views are made of, and how.

    Attributes:
        seed: of the drawing.
        person_share: how many of the drawn labelled pictures show a person.
        unlabelled_share: how many of the drawn pictures nobody has labelled; a teacher alone knows about them.
        count_power: pictures of a source are drawn in proportion to their number to this power,
        source_weights: times this factor (1 where not named).
        composition: how they are cut and put together.
    """

    seed: int = 1
    person_share: float = 0.55
    unlabelled_share: float = 0.0
    count_power: float = 0.75
    source_weights: dict[str, float] = field(default_factory=dict)
    composition: Composition = field(default_factory=Composition)


def sampling_weights(photos: Photos, plan: ViewPlan) -> npt.NDArray[np.float64]:
    """How likely each picture is drawn: (N,), sum 1; balanced by label, then by source."""
    groups = Counter((photo.source, photo.label) for photo in photos.photos)
    weights = np.array(
        [
            groups[photo.source, photo.label] ** (plan.count_power - 1) * plan.source_weights.get(photo.source, 1.0)
            for photo in photos.photos
        ]
    )
    labelled = 1 - plan.unlabelled_share
    shares = {0: (1 - plan.person_share) * labelled, 1: plan.person_share * labelled, UNKNOWN: plan.unlabelled_share}
    for label, share in shares.items():
        chosen = photos.labels == label
        if chosen.any():
            weights[chosen] *= share / weights[chosen].sum()
    normalised: npt.NDArray[np.float64] = weights / weights.sum()
    return normalised


@dataclass(frozen=True)
class Views:
    """The views of a plan over pictures in memory, (N, height, width, 3) uint8 at `STORED`."""

    plan: ViewPlan
    photos: Photos
    pictures: npt.NDArray[np.uint8]

    @classmethod
    def load(cls, plan: ViewPlan, photos: Photos) -> "Views":
        """Decodes the pictures."""
        return cls(plan, photos, load_frames(photos, *STORED))

    @cached_property
    def _bounds(self) -> npt.NDArray[np.float64]:
        return np.cumsum(sampling_weights(self.photos, self.plan))

    def picture_of(self, number: int) -> int:
        """The index of the picture that view `number` is made of, patches aside."""
        return self._pick(self._generator(number))

    def draw(self, number: int, size: tuple[int, int]) -> Sample:
        """View `number` at `size` (height, width)."""
        rng = self._generator(number)
        sample = self._sample(rng, size)
        if rng.random() < self.plan.composition.patch_share:
            sample = paste_patch(rng, sample, self._sample(rng, size))
        return sample

    def render(
        self, numbers: npt.NDArray[np.int64], size: tuple[int, int]
    ) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int8]]:
        """Frames (n, height, width, 3) and labels (n,): 1 person, 0 no person, -1 unknown."""
        frames = np.empty((len(numbers), *size, 3), np.uint8)
        labels = np.empty(len(numbers), np.int8)
        for place, number in enumerate(numbers):
            sample = self.draw(int(number), size)
            frames[place], labels[place] = sample.frame, sample.label
        return frames, labels

    def _generator(self, number: int) -> np.random.Generator:
        return np.random.default_rng((self.plan.seed, number))

    def _pick(self, rng: np.random.Generator) -> int:
        return min(int(np.searchsorted(self._bounds, rng.random(), side="right")), len(self._bounds) - 1)

    def _sample(self, rng: np.random.Generator, size: tuple[int, int]) -> Sample:
        index = self._pick(rng)
        photo = self.photos.photos[index]
        return random_sample(rng, self.pictures[index], photo.label, photo.boxes, size, self.plan.composition)


class Rendering(Protocol):
    """Training frames by number."""

    def render(
        self, numbers: npt.NDArray[np.int64], size: tuple[int, int]
    ) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int8]]:
        """Frames (n, height, width, 3) and labels (n,)."""
        ...


def stored_views(
    load: Callable[[], Rendering],
    count: int,
    size: tuple[int, int],
    file: Path,
    progress: Callable[[int, int], None],
    processes: int,
) -> npt.NDArray[np.uint8]:
    """The first `count` frames at `size`, (count, height, width, 3), mapped from `file`, made if it isn't there."""
    if not file.is_file():
        views = load()
        partial = file.with_suffix(".partial")
        frames = np.lib.format.open_memmap(partial, "w+", np.uint8, (count, *size, 3))
        starts = range(0, count, CHUNK)
        with multiprocessing.get_context("fork").Pool(processes, _take, (views, size, count)) as pool:
            for done, (start, part) in enumerate(pool.imap_unordered(_render_chunk, starts), start=1):
                frames[start : start + len(part)] = part
                progress(min(done * CHUNK, count), count)
        frames.flush()
        partial.replace(file)
    stored: npt.NDArray[np.uint8] = np.load(file, mmap_mode="r")
    return stored


_job: tuple[Rendering, tuple[int, int], int]
"""What a worker process renders from: handed over once, by forking, since the pictures are gigabytes."""


def _take(views: Rendering, size: tuple[int, int], count: int) -> None:
    global _job  # a pool hands its workers their state this way alone
    _job = views, size, count


def _render_chunk(start: int) -> tuple[int, npt.NDArray[np.uint8]]:
    views, size, count = _job
    return start, views.render(np.arange(start, min(start + CHUNK, count)), size)[0]
