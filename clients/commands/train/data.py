"""`rascanet data`: data sets as folders of photographs that `train`, `evaluate` and `calibrate` read."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clients.commands.command_line import CommandLine
from clients.commands.console import console, fail, failing_on

if TYPE_CHECKING:
    from model.training.photos import IndexRow

SHOWN = 20
"""Broken pictures that are named; the others are counted."""

Coco = Annotated[Path | None, typer.Option(help="folder of MS COCO: annotations/, train2017/, val2017/ (or 2014)")]
Year = Annotated[str | None, typer.Option(help="2014 or 2017; the one that is there if not given")]
MinivalIds = Annotated[
    Path | None, typer.Option(help="the public list of minival ids; mscoco_minival_ids.txt in --coco if not given")
]
Folder = Annotated[Path, typer.Argument(help="the data set's folder")]
Out = Annotated[Path | None, typer.Option(help="folder for index.csv; the data set's own if not given")]
Check = Annotated[bool, typer.Option(help="decode every picture and leave out what can't be read")]
ValShare = Annotated[float, typer.Option(min=0, max=1, help="share of the pictures to validate on")]
CalibrationShare = Annotated[float, typer.Option(min=0, max=1, help="share of the pictures to calibrate on")]

HELP = """Makes an index of a data set: Visual Wake Words, Pascal VOC, folders.

Examples:
    rascanet data folder pictures
    rascanet data voc VOCdevkit
"""

group = CommandLine(no_args_is_help=True, help=HELP)


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.add_typer(group, name="data")


@group.command()
def vww(
    coco: Coco = None, year: Year = None, minival_ids: MinivalIds = None, out: Out = None, check: Check = True
) -> None:
    """Visual Wake Words from MS COCO: maxitrain (`train`) and minival (`val`), labels by mask area above 0.5 %.

    Examples:
        rascanet data vww --coco coco
    """
    from model.training.photos import PhotosError
    from model.training.vww import vww_rows

    if coco is None:
        fail("say where MS COCO lies: --coco FOLDER")
    if year not in (None, "2014", "2017"):
        fail(f"--year is 2014 or 2017, not {year}")
    with failing_on(PhotosError, OSError):
        _write(out or coco, vww_rows(coco, year, minival_ids), check)


@group.command()
def voc(
    folder: Folder,
    out: Out = None,
    check: Check = True,
    val_share: ValShare = 0.1,
    calibration_share: CalibrationShare = 0.1,
) -> None:
    """Pascal VOC: VOCdevkit/VOC2007 or VOC2012, person or no person by the boxes in its XML.

    Examples:
        rascanet data voc VOCdevkit
    """
    from model.training.photos import PhotosError
    from model.training.voc import voc_rows

    with failing_on(PhotosError, OSError):
        _write(out or folder, voc_rows(folder, val_share, calibration_share), check)


@group.command(name="folder")
def plain_folder(
    folder: Folder,
    out: Out = None,
    check: Check = True,
    val_share: ValShare = 0.1,
    calibration_share: CalibrationShare = 0.1,
) -> None:
    """Your own pictures: person/ and no_person/, or train/person/, val/person/ and so on.

    Examples:
        rascanet data folder pictures
    """
    from model.training.photos import PhotosError
    from model.training.voc import folder_rows

    with failing_on(PhotosError, OSError):
        _write(out or folder, folder_rows(folder, val_share, calibration_share), check)


def _write(out: Path, rows: "Iterable[IndexRow]", check: bool) -> None:
    from collections import Counter

    from model.training.photos import write_index

    counted: Counter[tuple[str, int]] = Counter()

    def counting() -> "Iterable[IndexRow]":
        for row in rows:
            counted[row.split, row.label] += 1
            yield row

    count, broken = write_index(out, counting(), check=check)
    for line in broken[:SHOWN]:
        console.print(line, soft_wrap=True, highlight=False)
    if len(broken) > SHOWN:
        console.print(f"and {len(broken) - SHOWN} more")
    for split in sorted({split for split, _ in counted}):
        console.print(f"{split}: {counted[split, 1]} with a person, {counted[split, 0]} without")
    console.print(f"{count} pictures in {out / 'index.csv'}, {len(broken)} left out")
