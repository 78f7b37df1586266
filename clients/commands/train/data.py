"""`rascanet data`: data sets as folders of photographs that `train`, `evaluate` and `calibrate` read."""

from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clients.commands.command_line import CommandLine
from clients.commands.console import SOME_FAILED, console, fail, failing_on, need
from clients.commands.outputs import Overwrite, check_outputs
from clients.commands.remarks import tell_remarks
from clients.commands.table import counted
from clients.commands.train.likeness import likeness
from clients.commands.train.teach import MODELS_FOLDER

if TYPE_CHECKING:
    from model.training.dataset import DataSet

Coco = Annotated[
    Path | None, typer.Option(metavar="FOLDER", help="folder of MS COCO: annotations/, train2017/, val2017/ (or 2014)")
]
Year = Annotated[str | None, typer.Option(metavar="YEAR", help="2014 or 2017; the one that is there if not given")]
MinivalIds = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="the public list of minival ids; mscoco_minival_ids.txt in --coco if not given"),
]
Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="the data set's folder")]
Out = Annotated[
    Path | None, typer.Option(metavar="FOLDER", help="folder for index.csv; the data set's own if not given")
]
Check = Annotated[bool, typer.Option(help="decode every picture and leave out what can't be read")]
ValShare = Annotated[
    float, typer.Option(min=0, max=1, metavar="SHARE", help="share to validate on, of pictures without a split")
]
CalibrationShare = Annotated[
    float,
    typer.Option(
        min=0, max=1, metavar="SHARE", help="share to calibrate on, of pictures without a split (voc: also of train)"
    ),
]

HELP = """Makes an index of a data set: Visual Wake Words, Pascal VOC, folders, COCO's captions.

Examples:
    rascanet data folder pictures
    rascanet data voc VOCdevkit/VOC2012
"""

group = CommandLine(no_args_is_help=True, help=HELP)


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    group.command()(likeness)
    app.add_typer(group, name="data")


@group.command()
def vww(
    coco: Coco = None,
    year: Year = None,
    minival_ids: MinivalIds = None,
    out: Out = None,
    check: Check = True,
    overwrite: Overwrite = False,
) -> None:
    """Makes an index of Visual Wake Words from MS COCO: `val` is the public list minival, `train` all others.

    Examples:
        rascanet data vww --coco coco
    """
    from model.training.vww import read_vww

    if coco is None:
        fail("say where MS COCO lies: --coco FOLDER")
    if year not in (None, "2014", "2017"):
        fail(f"--year is 2014 or 2017, not {year}")
    _write(partial(read_vww, coco, year, minival_ids), out or coco, check=check, overwrite=overwrite)


@group.command()
def voc(
    folder: Folder,
    out: Out = None,
    check: Check = True,
    overwrite: Overwrite = False,
    val_share: ValShare = 0.1,
    calibration_share: CalibrationShare = 0.1,
) -> None:
    """Makes an index of Pascal VOC (VOCdevkit/VOC2007 or VOC2012); the boxes in the XML files give the labels.

    Examples:
        rascanet data voc VOCdevkit/VOC2012
    """
    from model.training.voc import read_voc

    _write(partial(read_voc, folder, val_share, calibration_share), out or folder, check=check, overwrite=overwrite)


@group.command(name="folder")
def plain_folder(
    folder: Folder,
    out: Out = None,
    check: Check = True,
    overwrite: Overwrite = False,
    val_share: ValShare = 0.1,
    calibration_share: CalibrationShare = 0.1,
) -> None:
    """Makes an index of your own pictures in person/, no_person/ and unknown/, or in train/person/, val/person/, ...

    Examples:
        rascanet data folder pictures
    """
    from model.training.picture_folders import read_folders

    _write(partial(read_folders, folder, val_share, calibration_share), out or folder, check=check, overwrite=overwrite)


@group.command()
def captions(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="folder with data/, train.csv and test.csv")],
    photos: Annotated[Path, typer.Option(metavar="FOLDER", help="folder of photographs with an index.csv")],
    models: Annotated[Path, typer.Option(metavar="FOLDER", help=MODELS_FOLDER)],
    out: Annotated[
        Path, typer.Option(metavar="FOLDER", help="folder for the index of both, and the detector's scores")
    ],
    source: Annotated[str, typer.Option(metavar="NAME", help="source of the new pictures in the index")] = "coco-more",
    threads: Annotated[int, typer.Option(min=1, metavar="N", help="torch threads")] = 2,
    check: Check = True,
    overwrite: Overwrite = False,
) -> None:
    """Makes an index of your photographs and of pictures with COCO's classes or captions to learn from.

    A detector checks that people are large enough. Pictures that resemble one of val, calibration or test are left out.

    Examples:
        rascanet data captions exercise --photos photos --models models --out all
    """
    need("torch")
    from rich.progress import Progress

    from model.training.captions import captioned
    from model.training.device import prepare_processor
    from model.training.people import PersonScore
    from model.training.tfjs import GraphModelError

    prepare_processor(threads)
    with failing_on(GraphModelError):
        score = PersonScore(models / "centernet.json")

    def read() -> "DataSet":
        with Progress(console=console) as bar:
            task = bar.add_task("people of pictures", total=None)
            return captioned(
                folder,
                photos,
                source,
                score,
                out / "scores.csv",
                lambda done, total: bar.update(task, completed=done, total=total),
            )

    _write(read, out, check=check, overwrite=overwrite)


def _write(read: "Callable[[], DataSet]", out: Path, *, check: bool, overwrite: bool) -> None:
    """Writes the index of what is read and tells what came of it."""
    from model.training.dataset import INDEX, REMARKS, UNKNOWN, write_index
    from model.training.photos import PhotosError

    check_outputs(overwrite=overwrite, out=out / INDEX)
    with failing_on(PhotosError, OSError):
        summary = write_index(out, read(), check=check)
    tell_remarks(summary.remarks, out / REMARKS)
    if not summary.rows:
        fail(f"nothing usable: {len(summary.remarks)} left out, no index written", SOME_FAILED)
    found = Counter((row.split, row.label) for row in summary.rows)
    for split in sorted({split for split, _ in found}):
        unknown = f", {found[split, UNKNOWN]} not labelled" if found[split, UNKNOWN] else ""
        console.print(f"{split}: {found[split, 1]} with a person, {found[split, 0]} without{unknown}", highlight=False)
        lacking = [words for label, words in ((1, "with"), (0, "without")) if not found[split, label]]
        if lacking:
            missing = f"picture {lacking[0]} a person" if len(lacking) == 1 else "labelled picture"
            console.print(f"{split} has no {missing}: commands that need labels refuse it.")
    if summary.drawn:
        console.print(
            f"The splits of {counted(summary.drawn, 'picture')} were drawn by their names, so each stays where it "
            "is when others come. --val-share and --calibration-share change the shares; folders or lists of splits "
            "choose pictures."
        )
    left_out, repaired = summary.counted("left out"), summary.counted("repaired")
    console.print(
        f"{counted(len(summary.rows), 'picture')} in {out / INDEX}, {left_out} left out, {repaired} repaired",
        soft_wrap=True,
        highlight=False,
    )
