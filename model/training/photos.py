"""Labelled photographs: a folder with an `index.csv`, its splits, labels and person boxes.

The index has one row a picture with the columns `file`, `split`, `label` (1 person, 0 no person, empty: unlabelled),
`source`, `person_boxes` (JSON list of [x, y, w, h] as fractions of the picture; empty field, and an
empty list beside the label 1: not known).
"""

import csv
import hashlib
import io
import json
import logging
import os
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from model.picture import PictureError, read_frame
from model.training.dataset import COLUMNS, INDEX, UNKNOWN, Box, DataSet, IndexRow, Remark
from model.training.splits import SPLITS
from model.training.text_file import decoded

MIN_PERSON_AREA = 0.005
"""Share of the picture, or of a crop, that a person's box has to cover to count."""
LABEL_RULE = (
    f"that of the index; `rascanet data vww` and `voc` ask for a person on {MIN_PERSON_AREA:.1%} of the picture"
)
NOT_KNOWN: Final = ("", "null", "none", "nan")
"""Fields that programs write where a value is missing."""
LABELS: Final = {"0": 0, "0.0": 0, "1": 1, "1.0": 1} | dict.fromkeys(NOT_KNOWN, UNKNOWN)
"""Labels by their spelling in an index; some programs write a column with gaps with decimals."""
LIKENESS: Final = "likeness"
"""Column that `rascanet data likeness` adds to an index."""
BOX_REACH: Final = 0.5
"""Largest reach of a box past the picture, as a share of its side; a box beyond it is given in pixels by mistake."""
NAMED: Final = 20
"""Number of left-out lines that are named in the log; the others are only counted."""

log = logging.getLogger(__name__)


class PhotosError(ValueError):
    """A folder of photographs that cannot be used."""


class EmptySplitError(PhotosError):
    """A split without pictures of the wanted kind: labelled, unlabelled or any."""


@dataclass(frozen=True, slots=True)
class Photo:
    """One picture.

    Attributes:
        path: path of the file.
        label: 1 person, 0 no person, -1 unknown.
        source: name of the data set that the picture is from.
        boxes: boxes of the people; None where boxes are not known.
        likeness: likeness to the pictures of one source, 0..1 (`model.training.likeness`); None: not measured.
    """

    path: Path
    label: int
    source: str
    boxes: tuple[Box, ...] | None
    likeness: float | None = None


@dataclass(frozen=True, slots=True)
class Photos:
    """Pictures of one split: the labelled ones, the unlabelled ones or all.

    Attributes:
        split: name of the split.
        photos: the pictures.
        index_digest: SHA-256 of the index.
        split_counts: number of pictures of each split in the index, of the same kind as `photos`.
        left_out: number of lines of the index that can't be used.
    """

    split: str
    photos: tuple[Photo, ...]
    index_digest: str
    split_counts: dict[str, int] = field(default_factory=dict)
    left_out: int = 0

    @property
    def scope(self) -> str:
        """The part of the index that these pictures are, in words."""
        counts = ", ".join(f"{name} {self.split_counts[name]}" for name in SPLITS if self.split_counts.get(name))
        left_out = f"; {self.left_out} lines can't be used" if self.left_out else ""
        return f"{len(self.photos)} of the {sum(self.split_counts.values())} pictures of the index ({counts}){left_out}"

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """(N,) of 1, 0 and -1."""
        return np.array([photo.label for photo in self.photos], np.int64)


def read_photos(folder: Path, split: str, *, labelled: bool | None = True) -> Photos:
    """Reads the labelled pictures of a split, its unlabelled ones or all, in the order of the index.

    Lines that can't be used are left out, and named in the log.

    Args:
        folder: folder of photographs with an index.
        split: one of `model.training.splits.SPLITS`.
        labelled: true: pictures with a label; false: pictures without; None: all.

    Raises:
        PhotosError: no index, or an index without the required columns.
        EmptySplitError: no such picture in the split.
    """
    index = folder / INDEX
    content = _content(index)
    lines, left_out = _lines(index, content)
    for remark in left_out[:NAMED]:
        said = str(remark)
        # Names of files may hold control characters.
        log.warning("%s", said if said.isprintable() else ascii(said))
    if len(left_out) > NAMED:
        log.warning("%s: %d lines left out in all", index, len(left_out))
    if labelled is not None:
        lines = [line for line in lines if (line.photo.label != UNKNOWN) == labelled]
    counts = Counter(line.split for line in lines)
    photos = tuple(line.photo for line in lines if line.split == split)
    if not photos:
        wanted = {True: "labelled picture", False: "picture without label", None: "picture"}[labelled]
        there = ", ".join(f"{counts[name]} in {name!r}" for name in SPLITS if counts[name]) or "there is none at all"
        raise EmptySplitError(f"{index}: no {wanted} in the split {split!r}; {there}")
    return Photos(split, photos, hashlib.sha256(content).hexdigest(), dict(counts), len(left_out))


def read_index(folder: Path) -> DataSet:
    """Reads all pictures of an index, with remarks on the lines that can't be used.

    Raises:
        PhotosError: no index, or an index without the required columns.
    """
    index = folder / INDEX
    lines, left_out = _lines(index, _content(index))
    rows = [
        IndexRow(line.photo.path, line.split, line.photo.label, line.photo.source, line.photo.boxes) for line in lines
    ]
    return DataSet(rows, left_out)


def read_train_side(folder: Path, *, unlabelled: bool = True) -> list[Photos]:
    """Reads the split `train` and, if wanted and not empty, the split `unlabelled`.

    Raises:
        PhotosError: no index, or an index without the required columns.
        EmptySplitError: no labelled picture in `train`.
    """
    splits = [read_photos(folder, "train")]
    if unlabelled:
        with suppress(EmptySplitError):
            splits.append(read_photos(folder, "unlabelled", labelled=False))
    return splits


def joined(splits: Sequence[Photos]) -> Photos:
    """The pictures of several splits, one after the other, under the name of the first."""
    return replace(splits[0], photos=tuple(photo for each in splits for photo in each.photos))


def drawn(photos: Photos, count: int, seed: int) -> Photos:
    """So many of the pictures, or all if there are no more, drawn by a seed and in their order."""
    most = min(count, len(photos.photos))
    chosen = sorted(np.random.default_rng(seed).choice(len(photos.photos), most, replace=False))
    return replace(photos, photos=tuple(photos.photos[index] for index in chosen))


def _content(index: Path) -> bytes:
    try:
        return index.read_bytes()
    except OSError as error:
        raise PhotosError(
            f"{index}: {(error.strerror or str(error)).lower()}; expected a folder of photographs with an index, "
            "which `rascanet data` makes"
        ) from error


class _Line(NamedTuple):
    split: str
    photo: Photo


def _lines(index: Path, content: bytes) -> tuple[list[_Line], list[Remark]]:
    """The usable lines of an index, and a remark on each of the others.

    Raises:
        PhotosError: columns are missing, or there twice.
    """
    table = csv.DictReader(io.StringIO(decoded(content), newline=""))
    table.fieldnames = [(name or "").strip().lower() for name in table.fieldnames or ()]
    twice = sorted(name for name, count in Counter(table.fieldnames).items() if name and count > 1)
    if twice:
        raise PhotosError(f"{index}: the column {twice[0][:40]!r} is there more than once; each may say something else")
    missing = [column for column in COLUMNS if column not in table.fieldnames]
    if missing:
        raise PhotosError(f"{index}: the columns {', '.join(missing)} are missing; an index has {', '.join(COLUMNS)}")
    found: dict[str, list[_Line]] = {}
    left_out = []
    try:
        for row in table:
            try:
                line = _line(index.parent, row)
                found.setdefault(os.fspath(line.photo.path), []).append(line)
            except ValueError as error:
                left_out.append(Remark(f"{index}, line {table.line_num}", "left out", str(error)))
    except csv.Error as error:
        left_out.append(Remark(f"{index}, line {table.line_num} and after", "left out", str(error)))
    lines = []
    for path, said in found.items():
        if any(line != said[0] for line in said):
            left_out.append(Remark(path, "left out", f"{index} names it again with another label, boxes or split"))
        else:
            lines.append(said[0])
    return lines, left_out


def _line(folder: Path, row: dict[str | Any, str | Any]) -> _Line:
    """Reads a line of the index.

    Raises:
        ValueError: a line that can't be used; the message names the fault.
    """
    if None in row:
        raise ValueError("it has more fields than the first line; a comma within a field needs quotes around it")
    if any(row[column] is None for column in COLUMNS):
        raise ValueError("it has fewer fields than the first line")
    if not row["file"].strip() or "\0" in row["file"]:
        raise ValueError("it names no file")
    split, label = row["split"].strip().lower(), row["label"].strip().lower()
    if split not in SPLITS:
        raise ValueError(f"the split {row['split'][:40]!r} is not one of {', '.join(SPLITS)}")
    if label not in LABELS:
        raise ValueError(f"the label {row['label'][:40]!r} is not 1 (person), 0 (no person) or empty (not labelled)")
    path = Path(os.path.normpath(folder / row["file"]))
    boxes, likeness = _boxes(row["person_boxes"].strip()), _likeness((row.get(LIKENESS) or "").strip())
    if LABELS[label] == 1 and not boxes:  # somebody is there, and no box says where
        boxes = None
    return _Line(split, Photo(path, LABELS[label], row["source"], boxes, likeness))


def _likeness(text: str) -> float | None:
    """The likeness in a field; None where the field is empty.

    Raises:
        ValueError: the field is not a number from 0 to 1.
    """
    if text.lower() in NOT_KNOWN:
        return None
    try:
        likeness = float(text)
    except ValueError:
        likeness = -1.0
    if not 0 <= likeness <= 1:
        raise ValueError(f"the likeness {text[:40]!r} is not a number from 0 to 1")
    return likeness


def _boxes(text: str) -> tuple[Box, ...] | None:
    """The boxes in a field; None where the field is empty or null.

    Raises:
        ValueError: the field holds something else.
    """
    if text.lower() in NOT_KNOWN:
        return None
    try:
        boxes = json.loads(text)
        if boxes is None:
            return None
        read = tuple((float(x), float(y), float(across), float(down)) for x, y, across, down in boxes)
    except (ValueError, TypeError, RecursionError) as error:
        raise ValueError(f"person_boxes is not a list of [x, y, width, height], but {text[:40]!r}") from error
    for x, y, across, down in read:
        sides = (x, y, across, down, x + across, y + down)
        if not (min(across, down) >= 0 and all(-BOX_REACH <= side <= 1 + BOX_REACH for side in sides)):
            raise ValueError(f"a box of person_boxes is not in fractions of the picture: {text[:40]!r}")
    return read


def load_frames(photos: Photos, height: int, width: int) -> npt.NDArray[np.uint8]:
    """Decodes all pictures of a split as frames (N, height, width, 3) uint8.

    Raises:
        PhotosError: a file that is missing or not a picture; the message names the file.
    """
    frames = np.empty((len(photos.photos), height, width, 3), np.uint8)
    fill_frames(frames, photos, range(len(frames)))
    return frames


def fill_frames(frames: npt.NDArray[np.uint8], photos: Photos, numbers: range) -> None:
    """Decodes pictures into their places among frames (N, height, width, 3) uint8.

    Raises:
        PhotosError: a file that is missing or not a picture, by name.
    """
    height, width = frames.shape[1:3]

    def load(index: int) -> None:
        try:
            frames[index] = read_frame(photos.photos[index].path, height, width)
        except PictureError as error:
            raise PhotosError(str(error)) from error

    with ThreadPoolExecutor() as pool:
        list(pool.map(load, numbers))
