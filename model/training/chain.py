"""Chains of runs: from random weights to the shipped file, each run starts from the weights of the run before.

Before a run that learns from a teacher, the teacher answers its views. Every part of the work keeps its state in the
chain's folder, so an interrupted chain resumes when it is started again.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from model.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from model.training.answers import Answers
from model.training.backbones import Backbone
from model.training.batches import load_training_data
from model.training.recipe import Recipe, RecipeError, converted, read_toml, recipe_from
from model.training.teacher import Taught, teach
from model.training.train import Progress, RunError, train


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a chain.

    Attributes:
        name: name of the run's folder.
        recipe: the settings of the run.
        answered_views: number of views that the teacher answers for the run; 0: the run learns from labels alone.
    """

    name: str
    recipe: Recipe = field(default_factory=Recipe)
    answered_views: int = 0

    def __post_init__(self) -> None:
        taught = bool(self.recipe.teacher_share or self.recipe.hint_loss)
        if taught != bool(self.answered_views):
            raise RecipeError(
                f"run {self.name!r}: answered_views says how many views a teacher answers, "
                "and goes with teacher_share or hint_loss"
            )

    @property
    def teacher_folder(self) -> str:
        """Name of the folder of the answers; runs that learn from the same views share it."""
        described = json.dumps({"plan": asdict(self.recipe.views), "count": self.answered_views}, sort_keys=True)
        return hashlib.sha256(described.encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Chain:
    """Runs of one variant, in order."""

    runs: tuple[Run, ...] = ()

    def __post_init__(self) -> None:
        if not self.runs:
            raise RecipeError("a chain has at least one [[runs]]")
        if len({run.recipe.variant for run in self.runs}) > 1:
            raise RecipeError("all runs of a chain are of one variant")
        if len({run.name for run in self.runs}) < len(self.runs):
            raise RecipeError("the runs of a chain have different names")

    @property
    def variant(self) -> str:
        return self.runs[0].recipe.variant

    def to_dict(self) -> dict[str, Any]:
        """The tables that `chain_from` reads."""
        return asdict(self)


def chain_from(values: dict[str, Any]) -> Chain:
    """Makes a chain from the tables of a TOML file, or from the provenance of weights.

    Raises:
        RecipeError: an unknown field, or a value that can't be used; the message names the field.
    """
    return converted(values, Chain, "a chain")


def read_chain(path: Path) -> Chain:
    """Reads a chain from TOML: `[[runs]]` with `name`, `answered_views` and a table `recipe` (`Recipe`).

    Raises:
        RecipeError: no such file, not TOML, or a field that can't be used.
    """
    return read_toml(path, Chain, "a chain")


@dataclass(frozen=True, slots=True)
class Teacher:
    """The teacher of a chain: a backbone, its name, and the seed of its heads."""

    name: str
    backbone: Backbone
    seed: int = 1


class Watcher:
    """Hears about the progress of a chain; this class ignores everything."""

    def works(self, what: str, done: int, total: int) -> None:
        """Hears that `done` of `total` pictures are decoded, or views rendered or answered; `what` says which."""

    def taught(self, run: Run, taught: Taught) -> None:
        """Hears that the views of a run are answered."""

    def training(self, run: Run) -> Progress:
        """Returns the listener for the steps of a run."""
        del run
        return lambda **_: None

    def ended(self, run: Run, checkpoint: Checkpoint) -> None:
        """Hears that a run is done, just now or in an earlier call."""


def run_chain(
    chain: Chain,
    photos: Path,
    out: Path,
    watcher: Watcher,
    *,
    teacher: Teacher | None,
    threads: int,
    processes: int = 1,
) -> Checkpoint:
    """Runs a chain, or resumes the chain kept in a folder.

    Args:
        chain: the runs.
        photos: folder of photographs.
        out: folder for the work. It gets `pictures` and `teachers`, which chains of several variants share, and a
            folder for the variant, with a folder for each run and, at the end, `weights.safetensors`.
        watcher: hears about the progress.
        teacher: answers views; None for a chain of which no run needs answers.
        threads: number of torch threads.
        processes: number of processes that render views.

    Returns:
        The weights of the last run; their provenance holds the chain.

    Raises:
        RecipeError: the chain needs a teacher, and there is none.
        RunError, TeachError, OtherViewsError: the folder holds work of another chain.
        PhotosError: photographs that can't be used.
    """
    if teacher is None and any(run.answered_views for run in chain.runs):
        raise RecipeError("the chain learns from a teacher; say where its networks are")
    home = out / chain.variant
    last: Checkpoint | None = None
    for number, run in enumerate(chain.runs, start=1):
        folder = home / f"{number}_{run.name}"
        checkpoint = _finished(folder, run, last)
        if checkpoint is None:
            answers, store = None, None
            if run.answered_views and teacher:
                answers, store = _answers(run, photos, out, watcher, teacher, processes)
            data = load_training_data(
                photos,
                run.recipe,
                answers,
                pictures=out / "pictures",
                store=store,
                processes=processes,
                progress=lambda done, total: watcher.works("views", done, total),
            )
            checkpoint, _ = train(run.recipe, data, folder, watcher.training(run), threads=threads, start=last)
        watcher.ended(run, checkpoint)
        last = checkpoint
    if last is None:
        raise RecipeError("a chain has at least one run")
    last = replace(last, provenance={**last.provenance, "chain": chain.to_dict()})
    save_checkpoint(last, home / "weights.safetensors")
    return last


def _finished(folder: Path, run: Run, start: Checkpoint | None) -> Checkpoint | None:
    """The weights of a run that is done; None if the run isn't done.

    Raises:
        RunError: the weights are of another run.
    """
    file = folder / "weights.safetensors"
    if not file.is_file():
        return None
    checkpoint = load_checkpoint(file)
    noted = checkpoint.provenance
    if recipe_from(noted["recipe"]) != run.recipe or noted["start"] != (start.digest if start else None):
        raise RunError(f"{file} is of another recipe, or of a run from other weights; name another folder")
    return checkpoint


def _answers(
    run: Run, photos: Path, out: Path, watcher: Watcher, teacher: Teacher, processes: int
) -> tuple[Answers, Path]:
    """The teacher's answers to a run's views, and the folder of the answers."""
    folder = out / "teachers" / run.teacher_folder
    file = folder / "answers.npz"
    if not file.is_file():
        taught = teach(
            photos,
            run.recipe.views,
            teacher.backbone,
            folder,
            watcher.works,
            teacher=teacher.name,
            count=run.answered_views,
            seed=teacher.seed,
            pictures=out / "pictures",
            processes=processes,
        )
        taught.answers.save(file)
        watcher.taught(run, taught)
    return Answers.load(file), folder
