"""Labelled photographs: a folder with an `index.csv`, its splits, labels and person boxes.

The index has one row a picture with the columns `file`, `split`, `label` (1 person, 0 no person, empty: unlabelled),
`source`, `person_boxes` (JSON list of [x, y, w, h] as fractions of the picture; empty field: not known). The label rule
is that of the index: at least one person whose box covers `MIN_PERSON_AREA` of the picture.
"""

import csv
import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from model.picture import PictureError, picture_fault, read_frame

MIN_PERSON_AREA = 0.005
UNKNOWN = -1
"""The label of a picture that nobody has labelled."""
LABEL_RULE = f"that of Visual Wake Words: a person whose box covers {MIN_PERSON_AREA:.1%} of the picture or more"
SPLITS = ("train", "calibration", "val", "test", "unlabelled")

Box = tuple[float, float, float, float]
"""x, y, width, height as fractions of the picture."""


class PhotosError(ValueError):
    """A folder of photographs that cannot be used."""


class EmptySplitError(PhotosError):
    """A split without labelled pictures."""


@dataclass(frozen=True, slots=True)
class Photo:
    """One picture, label 1 person, 0 no person, -1 unknown; `boxes` is None where the people are not known by box."""

    path: Path
    label: int
    source: str
    boxes: tuple[Box, ...] | None


@dataclass(frozen=True, slots=True)
class Photos:
    """The labelled pictures of one split, with the SHA-256 of the index they come from."""

    split: str
    photos: tuple[Photo, ...]
    index_digest: str

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        return np.array([photo.label for photo in self.photos], np.int64)


@dataclass(frozen=True, slots=True)
class IndexRow:
    """A picture as a data set names it, on its way to an index."""

    path: Path
    split: str
    label: int
    source: str
    boxes: tuple[Box, ...] | None


def write_index(folder: Path, rows: Iterable[IndexRow], *, check: bool = True) -> tuple[int, list[str]]:
    """Writes the index of pictures that may lie anywhere; those that can't be read are left out.

    Args:
        check: decode every picture; else only see that it is there.

    Returns:
        How many pictures the index names, and what is wrong with each of the others.
    """
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / "index.csv.partial"
    count, broken = 0, []
    with partial.open("w", newline="") as file, ThreadPoolExecutor() as pool:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(("file", "split", "label", "source", "person_boxes"))
        rows = list(rows)
        for row, fault in zip(rows, pool.map(lambda row: _fault(row.path, check), rows), strict=True):
            if fault:
                broken.append(f"{row.path}: {fault}")
                continue
            boxes = "" if row.boxes is None else json.dumps([[round(side, 6) for side in box] for box in row.boxes])
            table.writerow((os.path.relpath(row.path, folder), row.split, row.label, row.source, boxes))
            count += 1
    partial.replace(folder / "index.csv")
    return count, broken


def _fault(path: Path, check: bool) -> str:
    """What is wrong with a picture; nothing if empty."""
    if not path.is_file():
        return "no such file"
    return picture_fault(path) if check else ""


def read_photos(folder: Path, split: str, *, labelled: bool = True) -> Photos:
    """The labelled pictures of a split, or those without a label, in the order of the index.

    Raises:
        PhotosError: no index, or a malformed row (named).
        EmptySplitError: no labelled picture in the split.
    """
    index = folder / "index.csv"
    if not index.is_file():
        raise PhotosError(f"{index}: no such file; expected a folder of photographs with an index")
    content = index.read_bytes()
    photos = []
    for number, row in enumerate(csv.DictReader(content.decode().splitlines()), start=2):
        try:
            if row["split"] != split or (row["label"] != "") != labelled:
                continue
            boxes = tuple(_box(box) for box in json.loads(row["person_boxes"])) if row["person_boxes"] else None
            label = {"0": 0, "1": 1, "": UNKNOWN}[row["label"]]
            path = Path(os.path.normpath(folder / row["file"]))
            photos.append(Photo(path, label, row["source"], boxes))
        except (KeyError, ValueError, TypeError) as error:
            raise PhotosError(f"{index}, line {number}: {error!r}") from error
    if not photos:
        wanted = "labelled picture" if labelled else "picture without label"
        raise EmptySplitError(f"{index}: no {wanted} in the split {split!r}; splits are {', '.join(SPLITS)}")
    return Photos(split, tuple(photos), hashlib.sha256(content).hexdigest())


def _box(box: Sequence[float]) -> Box:
    x, y, width, height = map(float, box)
    return x, y, width, height


def load_frames(photos: Photos, height: int, width: int) -> npt.NDArray[np.uint8]:
    """All pictures of a split as frames (N, height, width, 3) uint8.

    Raises:
        PhotosError: a file that is missing or not a picture, by name.
    """
    frames = np.empty((len(photos.photos), height, width, 3), np.uint8)

    def load(index: int) -> None:
        try:
            frames[index] = read_frame(photos.photos[index].path, height, width)
        except PictureError as error:
            raise PhotosError(str(error)) from error

    with ThreadPoolExecutor() as pool:
        list(pool.map(load, range(len(frames))))
    return frames
