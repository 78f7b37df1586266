"""What a run learns from: views in batches, by step, in changing light; and what it is judged by."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from model.preprocess import network_input
from model.training.light import change_light
from model.training.photos import EmptySplitError, Photos, load_frames, read_photos
from model.training.recipe import Recipe
from model.training.swaps import Swaps, targets_of
from model.training.teacher import Answers
from model.training.views import STORED, Rendering, ViewPlan, Views, stored_views

Batch = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]


class OtherViewsError(ValueError):
    """A teacher's answers that don't go with a recipe, or no place for the frames that it takes."""


class Source(Protocol):
    """Where training frames come from."""

    @property
    def digest(self) -> str | None:
        """Of the teacher's answers, if there are any."""

    @property
    def hints(self) -> int:
        """Hints of a view, H."""

    def batch(self, rng: np.random.Generator, step: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
        """Frames (B, H, W, 3) and targets of a step, P(person) in 0..1 and H hints, (B, 1 + H); `rng` is the step's.

        Hints that nobody gave are NaN.
        """


@dataclass(frozen=True)
class FreshViews:
    """Views that are seen once each, with their labels."""

    views: Views
    recipe: Recipe
    digest: str | None = None
    hints: int = 0

    def batch(self, rng: np.random.Generator, step: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
        numbers = np.arange(step * self.recipe.batch, (step + 1) * self.recipe.batch)
        frames, labels = self.views.render(numbers, (self.recipe.config.height, self.recipe.config.width))
        return frames, labels.astype(np.float32)[:, None]


@dataclass(frozen=True)
class TaughtViews:
    """Views that a teacher has answered, drawn again and again: frames (N, H, W, 3), targets (N, 1 + H)."""

    frames: npt.NDArray[np.uint8]
    targets: npt.NDArray[np.float32]
    recipe: Recipe
    digest: str | None

    @property
    def hints(self) -> int:
        return int(self.targets.shape[1]) - 1

    def batch(self, rng: np.random.Generator, step: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
        numbers = np.sort(rng.integers(len(self.targets), size=self.recipe.batch))  # the frames lie on disk in order
        return self.frames[numbers], self.targets[numbers]


@dataclass(frozen=True)
class WithSwaps:
    """A share of every batch from another source are swaps, (N, H, W, 3)."""

    source: Source
    swaps: npt.NDArray[np.uint8]
    share: float

    @property
    def digest(self) -> str | None:
        return self.source.digest

    @property
    def hints(self) -> int:
        return self.source.hints

    def batch(self, rng: np.random.Generator, step: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
        frames, targets = self.source.batch(rng, step)
        numbers = np.sort(rng.integers(len(self.swaps), size=round(self.share * len(frames))))
        places = rng.choice(len(frames), len(numbers), replace=False)
        frames[places], targets[places] = self.swaps[numbers], np.nan
        targets[places, 0] = targets_of(numbers)
        return frames, targets


@dataclass(frozen=True, slots=True)
class TrainingData:
    """What a run learns from and is judged by.

    Attributes:
        source: the views to learn from.
        train: the training split.
        val, val_frames: the split it is judged by, and its frames (N, H, W, 3) at the network's size.
    """

    source: Source
    train: Photos
    val: Photos
    val_frames: npt.NDArray[np.uint8]


def load_training_data(
    folder: Path,
    recipe: Recipe,
    answers: Answers | None = None,
    *,
    store: Path | None = None,
    processes: int = 1,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> TrainingData:
    """Reads the splits `train` and `val` of a folder of photographs.

    Args:
        answers: a teacher's answers to the recipe's views; None: the labels alone.
        store: folder for the frames of answered views and of swaps, which are rendered once for each size.
        processes: that render.
        progress: is told how many of how many views are rendered.

    Raises:
        OtherViewsError: the answers are to other views, or there is no `store` for frames that need one.
    """
    config = recipe.config
    size = (config.height, config.width)
    train = read_photos(folder, "train")

    def stored(kind: str, load: Callable[[], Rendering], count: int) -> npt.NDArray[np.uint8]:
        if store is None:
            raise OtherViewsError(f"{kind} need a folder to be stored in")
        file = store / f"{kind}_{count}_{size[0]}x{size[1]}.npy"
        return stored_views(load, count, size, file, progress, processes)

    source: Source
    if answers is None:
        if recipe.teacher_share or recipe.hint_loss:
            raise OtherViewsError("the recipe learns from a teacher; name its answers")
        source = FreshViews(Views.load(recipe.views, train), recipe)
    else:
        if answers.plan != recipe.views or answers.index_digest != train.index_digest:
            raise OtherViewsError(
                "the teacher answered other views than the recipe's: another [views], or other photographs"
            )
        count = min(recipe.view_count or len(answers.p_person), len(answers.p_person))
        frames = stored("views", lambda: load_views(folder, recipe.views), count)
        source = TaughtViews(frames, answers.targets(recipe.teacher_share)[:count], recipe, answers.digest)
    if recipe.swap_share:
        swaps = stored("swaps", lambda: load_swaps(recipe, train), recipe.swap_count)
        source = WithSwaps(source, swaps, recipe.swap_share)
    val = read_photos(folder, "val")
    return TrainingData(source, train, val, load_frames(val, *size))


def load_views(folder: Path, plan: ViewPlan) -> Views:
    """The views of a plan over the training split and, where the plan draws some, the pictures without a label."""
    photos = read_photos(folder, "train")
    if plan.unlabelled_share:
        with suppress(EmptySplitError):
            more = read_photos(folder, "unlabelled", labelled=False)
            photos = replace(photos, photos=photos.photos + more.photos)
    return Views.load(plan, photos)


def load_swaps(recipe: Recipe, train: Photos) -> Swaps:
    """The swaps of the training split; the same for every run with views of the same seed."""
    return Swaps(recipe.views.seed, train, load_frames(train, *STORED))


def draw_batch(step: int, source: Source, recipe: Recipe) -> Batch:
    """The batch of a step; depends on the seed and the step alone.

    Returns:
        Network input (B, 3, H, W) and targets, P(person) in 0..1 and H hints (NaN where there are none), (B, 1 + H).
    """
    rng = np.random.default_rng((recipe.seed, step))
    frames, targets = source.batch(rng, step)
    mirrored = rng.random(len(frames)) < 0.5
    frames = np.where(mirrored[:, None, None, None], frames[:, :, ::-1], frames)
    inputs = network_input(change_light(rng, frames, recipe.light))
    targets[:, 0] = targets[:, 0] * (1 - recipe.label_smoothing) + recipe.label_smoothing / 2
    blended = np.flatnonzero(rng.random(len(frames)) < recipe.mixup_share)
    if len(blended):
        others = rng.permutation(len(frames))[: len(blended)]
        kept = rng.uniform(0.5, 1, (len(blended), 1)).astype(np.float32)
        targets[blended] = kept * targets[blended] + (1 - kept) * targets[others]
        kept = kept[..., None, None]
        inputs[blended] = kept * inputs[blended] + (1 - kept) * inputs[others]
    return inputs, targets


def batches(first: int, last: int, source: Source, recipe: Recipe) -> Iterator[Batch]:
    """The batches of steps `first` to `last` - 1, each drawn while the one before is learned from."""
    with ThreadPoolExecutor(1) as pool:
        coming = None
        for step in range(first, last):
            batch = (coming or pool.submit(draw_batch, step, source, recipe)).result()
            if step + 1 < last:
                coming = pool.submit(draw_batch, step + 1, source, recipe)
            yield batch
