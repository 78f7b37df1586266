"""Plain folders of pictures as photographs with labels: the folder is the label."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from model.picture import SUFFIXES
from model.training.dataset import UNKNOWN, DataSet, IndexRow
from model.training.photos import PhotosError
from model.training.splits import SPLITS, split_by_name

LABELS: Final = {"no_person": 0, "person": 1, "unknown": UNKNOWN}
"""Labels by the name of their folder; `unknown`: nobody has looked."""


def read_folders(folder: Path, val_share: float = 0.1, calibration_share: float = 0.1) -> DataSet:
    """Reads the pictures in the folders of `LABELS`, at any depth; with splits, in `train/person/` and so on.

    Names of folders may have capitals. Pictures outside a split's folder get a split drawn by name.

    Args:
        folder: the folder of these folders.
        val_share, calibration_share: shares of the drawn pictures for these splits, 0..1.

    Raises:
        PhotosError: there is no such folder, or none of a label in it; the message says how to sort the pictures.
    """
    if not folder.is_dir():
        raise PhotosError(f"{folder}: no such folder")
    data = DataSet()
    parts = list(_parts(folder, data))
    if not parts:
        raise PhotosError(
            f"{folder}: no folders person/ and no_person/; put pictures that show somebody into person/, pictures that "
            "show nobody into no_person/, and those that nobody has looked at into unknown/ (enough for `calibrate`); "
            "to choose splits yourself, make these folders in train/, val/, calibration/ and test/"
        )
    for part, split, label in parts:
        for path in _files(part, data):
            if path.suffix.lower() not in SUFFIXES:
                data.leave_out(path, "its name is not that of a picture")
                continue
            place = path.relative_to(folder).as_posix()
            drawn = split or split_by_name(place, val_share, calibration_share)
            data.drawn += split is None
            boxes = () if label == LABELS["no_person"] else None
            data.rows.append(IndexRow(path, drawn, label, folder.resolve().name, boxes))
    return data


def _parts(folder: Path, data: DataSet, split: str | None = None) -> Iterator[tuple[Path, str | None, int]]:
    """Yields each folder of one label with its split (None: to be drawn) and the label; notes all else."""
    for inside in sorted(path for path in folder.iterdir() if not path.name.startswith(".")):
        name = inside.name.lower()
        if not inside.is_dir():
            if inside.suffix.lower() in SUFFIXES:
                data.leave_out(inside, f"it lies in none of the folders {', '.join(LABELS)}")
        elif name in LABELS:
            yield inside, split, LABELS[name]
        elif split is None and name in SPLITS:
            yield from _parts(inside, data, name)
        else:
            splits = "" if split else f", nor of a split ({', '.join(SPLITS)})"
            data.leave_out(inside, f"its name is not that of a label ({', '.join(LABELS)}){splits}")


def _files(folder: Path, data: DataSet) -> Iterator[Path]:
    """Yields the files in a folder at any depth, by name; passes over hidden files, notes links to folders."""
    waiting = [os.fspath(folder)]
    # No recursion: folders may lie deeper than Python's stack.
    while waiting:
        place = waiting.pop()
        try:
            entries = sorted(os.scandir(place), key=lambda entry: entry.name)
        except OSError as error:
            data.leave_out(place, f"the folder can't be read: {error.strerror}")
            continue
        seen = [entry for entry in entries if not entry.name.startswith(".")]
        yield from (Path(entry.path) for entry in seen if not entry.is_dir())
        for entry in seen:
            if entry.is_symlink() and entry.is_dir():
                data.leave_out(entry.path, "a link to a folder is not followed")
        waiting += [entry.path for entry in reversed(seen) if entry.is_dir(follow_symlinks=False)]
