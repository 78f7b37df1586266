"""`rascanet data likeness`: which pictures to learn from look like those to be judged by."""

from pathlib import Path
from typing import Annotated

import typer

from clients.commands.console import console, fail, failing_on, need
from clients.commands.table import counted


def likeness(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="folder of photographs with an index.csv")],
    store: Annotated[
        Path,
        typer.Option(metavar="FOLDER", help="folder for the pictures' features; an interrupted run in it continues"),
    ],
    source: Annotated[str, typer.Option(metavar="NAME", help="the source whose likeness counts")] = "coco",
    threads: Annotated[int, typer.Option(min=1, metavar="N", help="torch threads")] = 2,
) -> None:
    """Adds to an index how much each picture of `train` and `unlabelled` looks like those of one source.

    Examples:
        rascanet data likeness photos --store runs/likeness
    """
    need("torch")
    import numpy as np
    from rich.progress import Progress

    from model.training.backbones import EfficientNetLite, TeacherUnavailableError
    from model.training.device import prepare_processor
    from model.training.likeness import likeness as measure
    from model.training.likeness import picture_features, write_likeness
    from model.training.photos import PhotosError, joined, read_train_side

    prepare_processor(threads)
    with failing_on(PhotosError, TeacherUnavailableError, OSError):
        photos = joined(read_train_side(folder))
        sources = np.array([photo.source for photo in photos.photos])
        if source not in sources:
            there = ", ".join(sorted(set(sources.tolist())))
            fail(f"--source {source}: there are no pictures of it; the sources are {there}")
        with Progress(console=console) as bar:
            task = bar.add_task("features of pictures", total=len(sources))
            features = picture_features(
                photos, EfficientNetLite(), store, lambda done, _: bar.update(task, completed=done)
            )
        found = measure(features, sources == source)
        paths = [photo.path for photo in photos.photos]
        count = write_likeness(folder, dict(zip(paths, found.tolist(), strict=True)))
    for name in sorted(set(sources), key=lambda name: -float(np.median(found[sources == name]))):
        its_own = found[sources == name]
        low, middle, high = np.quantile(its_own, (0.1, 0.5, 0.9))
        console.print(f"{name}: {counted(len(its_own), 'picture')}, likeness {middle:.2f} ({low:.2f} to {high:.2f})")
    console.print(f"likeness of {counted(count, 'picture')} in {folder / 'index.csv'}")
