"""`rascanet train`: a network from a recipe, or from a chain of recipes, and a folder of photographs."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clients.commands.console import console, fail, failing_on, need
from clients.commands.train.teach import DETECTORS_HELP, MODELS_HELP

if TYPE_CHECKING:
    from rich.progress import Progress as Bars

    from model.checkpoint import Checkpoint
    from model.training.metrics import BinaryMetrics
    from model.training.train import Progress


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("train")(train)


def train(
    photos: Annotated[Path, typer.Option(metavar="FOLDER", help="folder of photographs with an index.csv")],
    out: Annotated[
        Path, typer.Option(metavar="FOLDER", help="folder of the run or the chain; an interrupted run in it continues")
    ],
    recipe: Annotated[Path | None, typer.Argument(metavar="RECIPE", help="recipe file, TOML")] = None,
    chain: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="instead of a recipe: a file that lists recipes, which run one after the other"
        ),
    ] = None,
    start: Annotated[Path | None, typer.Option(metavar="FILE", help="for a recipe: weights to begin with")] = None,
    teacher: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="for a recipe: folder of a teacher's answers, from `rascanet teach`"),
    ] = None,
    models: Annotated[Path | None, typer.Option(metavar="FOLDER", help=f"for --chain: {MODELS_HELP}")] = None,
    detector: Annotated[list[str] | None, typer.Option(metavar="NAME", help=f"for --chain: {DETECTORS_HELP}")] = None,
    pictures: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="for a recipe: folder for decoded pictures; without it, they are kept in memory"
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="seed of the run, instead of the recipe's")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, metavar="N", help="torch threads")] = 2,
    processes: Annotated[
        int, typer.Option(min=1, metavar="N", help="processes that render the answered views, before training")
    ] = 2,
) -> None:
    """Trains a network, shows the progress, and writes `weights.safetensors` into the folder of the run.

    Examples:
        rascanet train recipe.toml --photos folder --out run
        rascanet train recipe.toml --photos folder --out run --teacher taught
        rascanet train --chain chain.toml --photos folder --out runs --models models
    """
    need("torch")
    from model.checkpoint import CheckpointError
    from model.training.answers import AnswersError
    from model.training.backbones import TeacherUnavailableError
    from model.training.batches import OtherViewsError
    from model.training.device import prepare_processor
    from model.training.photos import PhotosError
    from model.training.recipe import RecipeError
    from model.training.teacher import TeachError
    from model.training.tfjs import GraphModelError
    from model.training.train import RunError

    if (recipe is None) == (chain is None):
        fail("give either a recipe, or --chain FILE")
    if chain and (start or teacher or pictures or seed is not None):
        fail("--start, --teacher, --pictures and --seed are for a single recipe; a chain has its own")
    if recipe and (models or detector):
        fail("--models and --detector are for --chain; a single recipe learns from the answers in --teacher FOLDER")
    prepare_processor(threads)
    errors = (RecipeError, PhotosError, RunError, CheckpointError, AnswersError, OtherViewsError)
    with failing_on(*errors, TeachError, TeacherUnavailableError, GraphModelError, OSError):
        if chain:
            _chain(chain, photos, out, models, detector, threads, processes)
        elif recipe:
            _single(recipe, photos, out, start, teacher, pictures, seed, threads, processes)


def _single(
    recipe: Path,
    photos: Path,
    out: Path,
    start: Path | None,
    teacher: Path | None,
    pictures: Path | None,
    seed: int | None,
    threads: int,
    processes: int,
) -> None:
    """One run."""
    from model.checkpoint import load_checkpoint
    from model.training.answers import Answers
    from model.training.batches import load_training_data
    from model.training.recipe import read_recipe
    from model.training.train import RunError
    from model.training.train import train as run

    plan = read_recipe(recipe)
    plan = plan if seed is None else replace(plan, seed=seed)
    beginning = load_checkpoint(start) if start else None
    if plan.teacher_share and teacher is None:
        raise RunError(f"{recipe} learns from a teacher; name its answers with --teacher")
    answers = Answers.load(teacher / "answers.npz") if teacher else None
    console.print(f"reading {photos}")
    with _bars() as bars:
        working = _Working(bars)
        data = load_training_data(
            photos,
            plan,
            answers,
            pictures=pictures,
            store=teacher,
            processes=processes,
            progress=lambda done, total: working("views", done, total),
        )
        _, metrics = run(plan, data, out, _Steps(bars, plan.variant), threads=threads, start=beginning)
    console.print(f"{_words(metrics)}; weights in {out / 'weights.safetensors'}")


def _chain(
    file: Path,
    photos: Path,
    out: Path,
    models: Path | None,
    detectors: list[str] | None,
    threads: int,
    processes: int,
) -> None:
    """All runs of a chain."""
    from clients.commands.train.teach import teacher_from
    from model.training.chain import Run, Teacher, Watcher, read_chain, run_chain
    from model.training.teacher import Taught

    chain = read_chain(file)
    name, load = teacher_from(models, detectors)
    # Loaded before the first run, which may take hours, so that a network that is missing is said at once.
    teacher = Teacher(name, load()) if any(run.answered_views for run in chain.runs) else None

    class Shown(Watcher):
        """Bars for what goes on, a line for what is done."""

        def __init__(self, bars: "Bars") -> None:
            self.bars, self.working = bars, _Working(bars)

        def works(self, what: str, done: int, total: int) -> None:
            self.working(what, done, total)

        def taught(self, run: Run, taught: Taught) -> None:
            for source, metrics in taught.val.items():
                console.print(f"teacher of {run.name}, {source}: {_words(metrics)}")

        def training(self, run: Run) -> "Progress":
            return _Steps(self.bars, f"{run.recipe.variant}, {run.name}")

        def ended(self, run: Run, checkpoint: "Checkpoint") -> None:
            noted = checkpoint.provenance["val"]
            console.print(
                f"{run.name}: balanced accuracy on val {noted['balanced_accuracy']:.1%}, AUROC {noted['auroc']:.3f}"
            )

    with _bars() as bars:
        run_chain(
            chain,
            photos,
            out,
            Shown(bars),
            teacher=teacher,
            threads=threads,
            processes=processes,
        )
    console.print(f"weights in {out / chain.variant / 'weights.safetensors'}")


def _bars() -> "Bars":
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[figures]}"),
        TimeRemainingColumn(),
    )
    return Progress(*columns, console=console)


class _Working:
    """A bar for what is made before the training: pictures, views, answers."""

    def __init__(self, bars: "Bars") -> None:
        self.bars, self.task = bars, bars.add_task("", total=None, figures="", visible=False)

    def __call__(self, what: str, done: int, total: int) -> None:
        self.bars.update(self.task, description=what, completed=done, total=total, visible=done < total)


class _Steps:
    """A bar for the steps of a run."""

    def __init__(self, bars: "Bars", name: str) -> None:
        self.bars, self.balanced = bars, "-"
        self.task = bars.add_task(name, total=None, figures="")

    def __call__(self, *, step: int, steps: int, loss: float, images_per_s: float, val: float | None) -> None:
        self.balanced = f"{val:.1%}" if val is not None else self.balanced
        figures = f"steps, loss {loss:.3f}, val {self.balanced}, {images_per_s:.0f} images/s, left"
        self.bars.update(self.task, completed=step, total=steps, figures=figures)


def _words(metrics: "BinaryMetrics") -> str:
    low, high = metrics.interval
    return (
        f"balanced accuracy on val {metrics.balanced_accuracy:.1%} (95 % interval {low:.1%} to {high:.1%}), "
        f"AUROC {metrics.auroc:.3f}"
    )
