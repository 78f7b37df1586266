"""`rascanet teach`: what a larger network says of the training pictures, to train ours by."""

from pathlib import Path
from typing import Annotated

import typer

from clients.commands.console import console, failing_on, need_torch


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("teach")(teach)


def teach(
    photos: Annotated[Path, typer.Option(help="folder of photographs with an index.csv")],
    out: Annotated[Path, typer.Option(help="file for the answers, .npz")],
    cuts: Annotated[int, typer.Option(min=1, max=16, help="cuts of each picture")] = 4,
    seed: Annotated[int, typer.Option(min=0, help="of the cuts and of the teacher's head")] = 1,
    threads: Annotated[int, typer.Option(min=1, help="threads of the backbone")] = 2,
) -> None:
    """Writes a teacher's P(person) of cuts of every training picture, and prints how good it is on `val`."""
    need_torch()
    import torch
    from rich.progress import Progress

    from model.training.photos import PhotosError, read_photos
    from model.training.teach import TeacherUnavailableError, efficientnet_lite
    from model.training.teach import teach as run

    torch.set_num_threads(threads)
    with failing_on(PhotosError, TeacherUnavailableError, OSError), Progress(console=console) as bar:
        task = bar.add_task("cuts", total=None)
        figures = run(
            read_photos(photos, "train"),
            read_photos(photos, "val"),
            efficientnet_lite(threads),
            out,
            lambda done, total: bar.update(task, completed=done, total=total),
            per_photo=cuts,
            seed=seed,
        )
    for source, metrics in figures.items():
        low, high = metrics.interval
        console.print(
            f"{source}: balanced accuracy {metrics.balanced_accuracy:.1%} (95 % interval {low:.1%} to {high:.1%}), "
            f"AUROC {metrics.auroc:.3f}, {metrics.persons} + {metrics.empties} pictures"
        )
