"""Plain folders of pictures as labelled photographs: the folder is the label."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from model.picture import SUFFIXES
from model.training.dataset import DataSet, IndexRow
from model.training.photos import PhotosError
from model.training.splits import SPLITS, split_by_name

LABELS: Final = {"no_person": 0, "person": 1}


def read_folders(folder: Path, val_share: float = 0.1, calibration_share: float = 0.1) -> DataSet:
    """Reads the pictures in `person/` and `no_person/`, at any depth; with splits, in `train/person/` and so on.

    Names of folders may have capitals. Pictures outside a split's folder get a split drawn by name.

    Args:
        folder: the folder of these folders.
        val_share, calibration_share: shares of the drawn pictures for these splits, 0..1.

    Raises:
        PhotosError: there is no such folder.
    """
    if not folder.is_dir():
        raise PhotosError(f"{folder}: no such folder")
    data, parts = DataSet(), list(_parts(folder))
    if not parts:
        raise PhotosError(f"{folder}: no folders person/ and no_person/, nor train/person/ and so on")
    looked_at = {part.relative_to(folder).parts[0] for part, _, _ in parts}
    for other in _folders(folder):
        if other.name not in looked_at:
            data.leave_out(
                other, f"its name is neither a label ({', '.join(LABELS)}) nor a split ({', '.join(SPLITS)})"
            )
    for part, split, label in parts:
        for path in _files(part, data):
            if path.suffix.lower() not in SUFFIXES:
                data.leave_out(path, "its name is not that of a picture")
                continue
            place = path.relative_to(folder).as_posix()
            drawn = split or split_by_name(place, val_share, calibration_share)
            data.drawn += split is None
            data.rows.append(IndexRow(path, drawn, label, folder.resolve().name, None if label else ()))
    return data


def _parts(folder: Path) -> Iterator[tuple[Path, str | None, int]]:
    """Yields each folder of one label with its split (None: to be drawn) and the label."""
    for inside in _folders(folder):
        name = inside.name.lower()
        if name in LABELS:
            yield inside, None, LABELS[name]
        elif name in SPLITS:
            for part in _folders(inside):
                if part.name.lower() in LABELS:
                    yield part, name, LABELS[part.name.lower()]


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def _files(folder: Path, data: DataSet) -> Iterator[Path]:
    """Yields the files in a folder at any depth, by name; passes over hidden files and links to folders."""
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
        waiting += [entry.path for entry in reversed(seen) if entry.is_dir(follow_symlinks=False)]
