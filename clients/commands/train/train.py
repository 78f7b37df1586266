"""`rascanet train`: a network from a recipe and a folder of photographs."""

from pathlib import Path
from typing import Annotated

import typer

from clients.commands.console import console, failing_on, need


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("train")(train)


def train(
    recipe: Annotated[Path, typer.Argument(help="recipe file, TOML")],
    photos: Annotated[Path, typer.Option(help="folder of photographs with an index.csv")],
    out: Annotated[Path, typer.Option(help="folder of the run; an interrupted run in it goes on")],
    start: Annotated[Path | None, typer.Option(help="weights to begin with")] = None,
    teacher: Annotated[Path | None, typer.Option(help="folder of a teacher's answers, from `rascanet teach`")] = None,
    threads: Annotated[int, typer.Option(min=1, help="torch threads")] = 2,
    processes: Annotated[int, typer.Option(min=1, help="processes that render answered views, once")] = 2,
) -> None:
    """Trains, shows how it goes, and writes the weights to `weights.safetensors` in the run's folder.

    Examples:
        rascanet train recipe.toml --photos folder --out run
        rascanet train recipe.toml --photos folder --out run --teacher taught
    """
    need("torch")
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from model.checkpoint import CheckpointError, load_checkpoint
    from model.training.answers import Answers, AnswersError
    from model.training.batches import OtherViewsError, load_training_data
    from model.training.photos import PhotosError
    from model.training.recipe import RecipeError, read_recipe
    from model.training.train import RunError
    from model.training.train import train as run

    with failing_on(RecipeError, PhotosError, RunError, CheckpointError, AnswersError, OtherViewsError):
        plan = read_recipe(recipe)
        beginning = load_checkpoint(start) if start else None
        if plan.teacher_share and teacher is None:
            raise RunError(f"{recipe} learns from a teacher; name its answers with --teacher")
        answers = Answers.load(teacher / "answers.npz") if teacher else None
        console.print(f"reading {photos}")
        with Progress(console=console) as bar:
            rendering = bar.add_task("views", total=None, visible=answers is not None)
            data = load_training_data(
                photos,
                plan,
                answers,
                store=teacher,
                processes=processes,
                progress=lambda done, count: bar.update(rendering, completed=done, total=count),
            )
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("steps, {task.fields[figures]}, left"),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=console) as bar:
            task = bar.add_task(plan.variant, total=None, figures="")
            balanced = "-"

            def show(*, step: int, steps: int, loss: float, images_per_s: float, val: float | None) -> None:
                nonlocal balanced
                balanced = f"{val:.1%}" if val is not None else balanced
                figures = f"loss {loss:.3f}, val {balanced}, {images_per_s:.0f} images/s"
                bar.update(task, completed=step, total=steps, figures=figures)

            _, metrics = run(plan, data, out, show, threads=threads, start=beginning)
    low, high = metrics.interval
    console.print(
        f"balanced accuracy on val {metrics.balanced_accuracy:.1%} (95 % interval {low:.1%} to {high:.1%}), "
        f"AUROC {metrics.auroc:.3f}; weights in {out / 'weights.safetensors'}"
    )
