"""Data sets on their way to an index: the usable pictures, and remarks on everything left out or repaired.

No picture gets a label or a split that its annotation doesn't say. Unclear pictures are left out, with a remark.
"""

import csv
import json
import math
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from model.picture import PictureError, picture_fault, read_picture

INDEX: Final = "index.csv"
REMARKS: Final = "index_remarks.csv"
UNKNOWN: Final = -1
"""The label of a picture that nobody has labelled."""
COLUMNS: Final = ("file", "split", "label", "source", "person_boxes")

Box = tuple[float, float, float, float]
"""x, y (upper left corner), width and height, as fractions of the picture."""

SLACK: Final = 0.02
"""Share of the picture's side by which a box may reach past the picture without a remark, since annotators round."""


@dataclass(frozen=True, slots=True)
class IndexRow:
    """A picture as a data set names it.

    Attributes:
        path: path of the file.
        split: one of `model.training.splits.SPLITS`.
        label: 1 person, 0 no person, -1 unknown.
        source: name of the data set.
        boxes: boxes of the people; None where boxes are not known.
    """

    path: Path
    split: str
    label: int
    source: str
    boxes: tuple[Box, ...] | None


@dataclass(frozen=True, slots=True)
class Remark:
    """A file, or a line of one, that was left out or repaired, and the reason."""

    file: str
    what: Literal["left out", "repaired"]
    reason: str

    def __str__(self) -> str:
        return f"{self.file}: {self.what}: {self.reason}"


@dataclass(slots=True)
class DataSet:
    """The content of a data set's files.

    Attributes:
        rows: the usable pictures.
        remarks: one for each file or line left out or repaired.
        drawn: number of pictures whose split was drawn, because no file says it.
    """

    rows: list[IndexRow] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)
    drawn: int = 0

    def leave_out(self, file: Path | str, reason: str) -> None:
        """Notes that a file, or a line of one, is not used."""
        self.remarks.append(Remark(str(file), "left out", reason))

    def repair(self, file: Path | str, reason: str) -> None:
        """Notes that a file, or a line of one, is used after a repair."""
        self.remarks.append(Remark(str(file), "repaired", reason))


class BoxError(ValueError):
    """A box that can't be used: not finite, empty, or outside the picture."""


class UnclearError(ValueError):
    """An annotation that doesn't say what a picture shows."""


def own_size(picture: Path) -> tuple[float, float]:
    """Width and height (px) of a picture, read from its file.

    Raises:
        UnclearError: the file can't be read.
    """
    try:
        return read_picture(picture).size
    except PictureError as error:
        raise UnclearError(f"its size is not given, and it can't be read: {error}") from error


def box_between(
    corners: Sequence[float], width: float, height: float, *, counted_from_one: bool = False
) -> tuple[Box, str]:
    """Makes a box from two corners (px) in a picture of `width` x `height` px; cuts the box to the picture.

    Args:
        corners: x and y of a corner, x and y of the opposite corner; in any order.
        width, height: size of the picture (px).
        counted_from_one: true if the first pixel is number 1 and the corners are pixels within the box.

    Returns:
        The box, and the repairs in words (empty: none).

    Raises:
        BoxError: not four finite numbers, a box without an area, or one outside the picture.
    """
    if len(corners) != 4 or not all(math.isfinite(value) for value in corners):
        raise BoxError("its box is not four numbers")
    (left, right), (top, bottom) = sorted(corners[::2]), sorted(corners[1::2])
    swapped = (left, top) != tuple(corners[:2])
    if counted_from_one:
        left, top = left - 1, top - 1
    sides = (left / width, right / width), (top / height, bottom / height)
    (x, x_end), (y, y_end) = ((min(max(value, 0.0), 1.0) for value in side) for side in sides)
    if x >= x_end or y >= y_end:
        raise BoxError("its box has no area within the picture")
    cut = any(side[0] < -SLACK or side[1] > 1 + SLACK for side in sides)
    repairs = [("its box has swapped corners", swapped), ("its box is cut to the picture", cut)]
    return (x, y, x_end - x, y_end - y), " and ".join(word for word, done in repairs if done)


@dataclass(frozen=True, slots=True)
class IndexSummary:
    """Summary of an index that was written.

    Attributes:
        rows: rows of the index.
        remarks: one for each file or line left out or repaired.
        drawn: number of pictures whose split was drawn.
    """

    rows: tuple[IndexRow, ...]
    remarks: tuple[Remark, ...]
    drawn: int

    def counted(self, what: str) -> int:
        """Number of remarks whose `what` is this."""
        return sum(remark.what == what for remark in self.remarks)


def write_index(folder: Path, data: DataSet, *, check: bool = True) -> IndexSummary:
    """Writes the index of a data set's pictures, which may lie anywhere, and a file of the remarks.

    Without a usable picture no index is written. Pictures that can't be read, or that are named twice with different
    labels, boxes or splits, are left out as well.

    Args:
        folder: folder for index and remarks.
        data: the pictures.
        check: true: decode every picture; false: only check that the file exists.
    """
    folder.mkdir(parents=True, exist_ok=True)
    remarks, rows = list(data.remarks), []
    unique = list(_unique(data.rows, remarks))
    with ThreadPoolExecutor() as pool:
        for row, fault in zip(unique, pool.map(lambda row: _fault(row.path, check), unique), strict=True):
            if fault:
                remarks.append(Remark(str(row.path), "left out", fault))
            else:
                rows.append(row)
    if rows:
        _write(folder / INDEX, COLUMNS, (_fields(row, folder) for row in rows))
    if remarks:
        _write(folder / REMARKS, ("file", "what", "reason"), ((each.file, each.what, each.reason) for each in remarks))
    else:
        (folder / REMARKS).unlink(missing_ok=True)
    return IndexSummary(tuple(rows), tuple(remarks), data.drawn)


def _unique(rows: Iterable[IndexRow], remarks: list[Remark]) -> Iterator[IndexRow]:
    """Yields each picture once; leaves out pictures with contradicting rows, with a remark."""
    said: dict[str, list[IndexRow]] = {}
    for row in rows:
        said.setdefault(os.path.realpath(row.path), []).append(row)
    for first, *others in said.values():
        if any((other.split, other.label, other.boxes) != (first.split, first.label, first.boxes) for other in others):
            remarks.append(Remark(str(first.path), "left out", "it is named again with another label, boxes or split"))
            continue
        if others:
            remarks.append(Remark(str(first.path), "repaired", f"it is named {1 + len(others)} times, and taken once"))
        yield first


def _fields(row: IndexRow, folder: Path) -> tuple[str, ...]:
    boxes = "" if row.boxes is None else json.dumps([[round(side, 6) for side in box] for box in row.boxes])
    label = "" if row.label == UNKNOWN else str(row.label)
    return os.path.relpath(row.path, folder), row.split, label, row.source, boxes


def _write(path: Path, columns: Sequence[str], lines: Iterable[Sequence[str]]) -> None:
    """Writes a CSV file, which appears whole or not at all."""
    partial = path.with_name(path.name + ".partial")
    with partial.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        table = csv.writer(file, lineterminator="\r\n")
        table.writerow(columns)
        table.writerows(lines)
    partial.replace(path)


def _fault(path: Path, check: bool) -> str:
    """The reason why a picture can't be read; empty where the picture can be read."""
    if check:
        return picture_fault(path)
    return "" if path.is_file() else "no such file"
