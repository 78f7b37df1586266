"""Training data of a run: views in batches, by step, in changing light; and the pictures that the run is judged by."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from model.preprocess import pixel_table
from model.training.answers import Answers
from model.training.detail import compress, soften
from model.training.device import training_device
from model.training.light import Dice, change_light
from model.training.photos import Photos, joined, load_frames, read_photos, read_train_side
from model.training.picture_store import Pictures, stored_frames
from model.training.recipe import Recipe
from model.training.views import STORED, RenderedViews, ViewPlan, Views, stored_views

BLOCK_VIEWS = 4096
"""Number of views in a block of views that are used several times: 0.2 GB at 105x120, 0.6 GB at 210x240."""


class OtherViewsError(ValueError):
    """A teacher's answers to other views than the recipe's, or no folder for the frames of the views."""


class Source(Protocol):
    """A source of training frames, drawn by step."""

    @property
    def digest(self) -> str | None:
        """SHA-256 of the file of the teacher's answers; None without a teacher."""

    @property
    def hints(self) -> int:
        """Number of hints of a view, H."""

    @property
    def in_memory(self) -> bool:
        """True if batches need no prefetching."""

    def batch(self, dice: Dice, step: int) -> tuple[Tensor, Tensor]:
        """Draws the frames and targets of a step.

        Returns:
            Frames (B, height, width, 3) uint8; targets (B, 1 + H) float32, P(person) in 0..1 and H hints.
        """


class LabelledViews:
    """Views with their labels as targets; each is rendered once and used `view_uses` times.

    The views come in blocks. All views of a block are used once, then all of them in another order, and so on, before
    the next block begins. So a step's batch depends on nothing that was drawn before.
    """

    digest: str | None = None
    hints: int = 0
    in_memory: bool = False

    def __init__(self, views: Views, recipe: Recipe) -> None:
        self.views, self.recipe = views, recipe
        self.block_steps = max(1, BLOCK_VIEWS // recipe.batch)
        self._block = -1
        self._rendered = RenderedViews.empty(0, self.size)
        self._is_rendered = np.zeros(0, bool)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the frames."""
        return self.recipe.config.height, self.recipe.config.width

    def batch(self, dice: Dice, step: int) -> tuple[Tensor, Tensor]:
        frames, labels, _ = self._views_of(step)
        targets = torch.from_numpy(labels.astype(np.float32)[:, None])
        return torch.from_numpy(frames).to(dice.device), targets.to(dice.device)

    def _views_of(self, step: int) -> RenderedViews:
        batch = self.recipe.batch
        if self.recipe.view_uses == 1:
            return self.views.render(np.arange(step * batch, (step + 1) * batch), self.size)
        use, place = divmod(step, self.block_steps)
        block, use = divmod(use, self.recipe.view_uses)
        count = self.block_steps * batch
        if block != self._block:
            self._block = block
            self._rendered, self._is_rendered = RenderedViews.empty(count, self.size), np.zeros(count, bool)
        order = np.random.default_rng((self.recipe.seed, block, use)).permutation(count)
        chosen = order[place * batch : (place + 1) * batch]
        # A run that resumes in the middle of a block renders what it needs of the block anew.
        missing = chosen[~self._is_rendered[chosen]]
        self._rendered.put(missing, self.views.render(block * count + missing, self.size))
        self._is_rendered[missing] = True
        return self._rendered.at(chosen)


@dataclass(frozen=True)
class TaughtViews:
    """Views that a teacher has answered, drawn again and again: frames (N, height, width, 3) uint8, targets (N, 1 + H).

    On a GPU, all frames lie in the GPU's memory.
    """

    frames: Tensor
    targets: Tensor
    recipe: Recipe
    digest: str | None

    @property
    def hints(self) -> int:
        return self.targets.shape[1] - 1

    @property
    def in_memory(self) -> bool:
        return self.frames.is_cuda

    def batch(self, dice: Dice, step: int) -> tuple[Tensor, Tensor]:
        # Sorted, since the frames lie on disk in this order.
        numbers = dice.integers(len(self.targets), self.recipe.batch).sort().values
        return self.frames[numbers], self.targets[numbers]


@dataclass(frozen=True, slots=True)
class TrainingData:
    """Views that a run learns from, and pictures that it is judged by.

    Attributes:
        source: the views to learn from.
        train: the training split.
        val: the split that the run is judged by.
        val_frames: the frames of `val`, (N, H, W, 3) uint8 at the network's size.
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
    pictures: Path | None = None,
    store: Path | None = None,
    processes: int = 1,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> TrainingData:
    """Reads the splits `train` and `val` of a folder of photographs.

    Args:
        folder: folder of photographs with an index.
        recipe: the run.
        answers: a teacher's answers to the recipe's views; None: the labels alone.
        pictures: folder from which the decoded pictures are mapped; None: pictures are decoded into memory.
        store: folder for the frames of answered views, which are rendered once for each size.
        processes: number of processes that render.
        progress: called with the number of pictures decoded (or views rendered) and the number of all.

    Raises:
        OtherViewsError: the answers are to other views, or there is no `store` for the frames of answered views.
        PhotosError: photographs that can't be used.
    """
    size = (recipe.config.height, recipe.config.width)
    train = read_photos(folder, "train")
    source: Source
    if answers is None:
        if recipe.teacher_share or recipe.hint_loss:
            raise OtherViewsError("the recipe learns from a teacher; name its answers")
        labelled = replace(recipe.views, unlabelled_share=0.0)
        source = LabelledViews(load_views(folder, labelled, pictures, progress), recipe)
    else:
        if answers.plan != recipe.views or answers.index_digest != train.index_digest:
            raise OtherViewsError(
                "the teacher answered other views than the recipe's: another [views], or other photographs"
            )
        if store is None:
            raise OtherViewsError("answered views need a folder to be stored in")
        views = partial(load_views, folder, recipe.views, pictures, progress)
        frames = stored_views(views, len(answers.p_person), size, store, progress, processes).frames
        targets = answers.targets(recipe.teacher_share, recipe.label_doubt)
        source = TaughtViews(_on_device(frames), _on_device(targets), recipe, answers.digest)
    val = read_photos(folder, "val")
    return TrainingData(source, train, val, load_frames(val, *size))


def _on_device(array: npt.NDArray[Any]) -> Tensor:
    """The array as a tensor on the training device; on a processor the tensor shares the array's memory."""
    return torch.from_numpy(array).to(training_device())


def load_views(
    folder: Path, plan: ViewPlan, pictures: Path | None = None, progress: Callable[[int, int], None] = lambda *_: None
) -> Views:
    """The views of a plan over the training split and, where the plan draws some, the pictures without a label.

    Args:
        folder: folder of photographs with an index.
        plan: the plan of the views.
        pictures: folder for the decoded pictures; None: pictures are decoded into memory.
        progress: called with the number of pictures of a split that are decoded and the number of all.
    """
    splits = read_train_side(folder, unlabelled=bool(plan.unlabelled_share))
    parts = [
        stored_frames(each, STORED, pictures, progress) if pictures else load_frames(each, *STORED) for each in splits
    ]
    return Views(plan, joined(splits), Pictures(parts))


@cache
def _inputs_of_pixels(device: torch.device) -> Tensor:
    """Network input of each pixel value: (256,) float32; cached, so that no batch waits for a copy to the GPU."""
    return torch.from_numpy(pixel_table()).to(device)


def draw_batch(step: int, source: Source, recipe: Recipe) -> tuple[Tensor, Tensor]:
    """Draws the batch of a step; the batch depends on the seed and the step alone.

    Returns:
        Network input (B, 3, H, W) and targets, P(person) in 0..1 and H hints, (B, 1 + H); float32.
    """
    # One word of the sequence, since torch takes 32 bits of a seed.
    seed = int(np.random.SeedSequence((recipe.seed, step)).generate_state(1)[0])
    dice = Dice(torch.Generator(training_device()).manual_seed(seed))
    frames, targets = source.batch(dice, step)
    mirrored = dice.uniform(0, 1, len(frames)) < 0.5
    frames = torch.where(mirrored[:, None, None, None], frames.flip(2), frames)
    frames = change_light(dice, soften(dice, frames, recipe.detail), recipe.light)
    frames = compress(dice, frames, recipe.detail).permute(0, 3, 1, 2)
    inputs = _inputs_of_pixels(dice.device)[frames.int()]
    targets[:, 0] = targets[:, 0] * (1 - recipe.label_smoothing) + recipe.label_smoothing / 2
    if recipe.mixup_share:
        blended, others = (dice.some(len(frames), recipe.mixup_share) for _ in range(2))
        kept = dice.uniform(0.5, 1, len(blended), 1)
        targets[blended] = kept * targets[blended] + (1 - kept) * targets[others]
        kept = kept[..., None, None]
        inputs[blended] = kept * inputs[blended] + (1 - kept) * inputs[others]
    return inputs, targets


def batches(first: int, last: int, source: Source, recipe: Recipe) -> Iterator[tuple[Tensor, Tensor]]:
    """Yields the batches of steps `first` to `last` - 1; each is drawn while the network learns from the one before."""
    if source.in_memory:
        yield from (draw_batch(step, source, recipe) for step in range(first, last))
        return
    with ThreadPoolExecutor(1) as pool:
        coming = None
        for step in range(first, last):
            batch = (coming or pool.submit(draw_batch, step, source, recipe)).result()
            if step + 1 < last:
                coming = pool.submit(draw_batch, step + 1, source, recipe)
            yield batch
