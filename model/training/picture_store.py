"""Decoded pictures in a memory-mapped file: 100,000 of 224 x 256 px take 17 GB, more than a machine's memory.

A run touches a few pictures at a time.
"""

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from model.training.photos import Photos, PhotosError, fill_frames

PART = 2048
"""Pictures after which the note of what is done is written."""

Progress = Callable[[int, int], None]
"""Is told how many of how many pictures are decoded."""


@dataclass(frozen=True, slots=True)
class Pictures:
    """Pictures of several splits, one after the other, each split an array (N, height, width, 3) uint8."""

    parts: Sequence[npt.NDArray[np.uint8]]

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    def __getitem__(self, number: int) -> npt.NDArray[np.uint8]:
        """Picture `number`, (height, width, 3).

        Raises:
            IndexError: no such picture.
        """
        for part in self.parts:
            if 0 <= number < len(part):
                picture: npt.NDArray[np.uint8] = part[number]
                return picture
            number -= len(part)
        raise IndexError(f"there are {len(self)} pictures")


def names_digest(photos: Photos) -> str:
    """SHA-256 of which pictures there are, in which order; by name, so that the folder may be moved."""
    names = "\n".join("/".join(photo.path.parts[-2:]) for photo in photos.photos)
    return hashlib.sha256(os.fsencode(names)).hexdigest()


def stored_frames(
    photos: Photos, size: tuple[int, int], folder: Path, progress: Progress = lambda *_: None
) -> npt.NDArray[np.uint8]:
    """All pictures of a split as frames (N, height, width, 3) uint8 at `size`, mapped from a file in `folder`.

    The file is made if it isn't there; interrupted work goes on.

    Raises:
        PhotosError: a picture that is missing or not readable, or a file of other pictures in the folder; by name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    count = len(photos.photos)
    name = f"{photos.split}_{size[0]}x{size[1]}"
    file, note = folder / f"{name}.npy", folder / f"{name}.json"
    described = {"pictures": names_digest(photos), "count": count}
    done = 0
    if note.is_file():
        noted = json.loads(note.read_text())
        done = noted.pop("done")
        if noted != described:
            raise PhotosError(f"{file} holds other pictures; name another folder, or delete the file and {note.name}")
    if not done:
        np.lib.format.open_memmap(file, "w+", np.uint8, (count, *size, 3))
    if done < count:
        frames = np.lib.format.open_memmap(file, "r+")
        while done < count:
            numbers = range(done, min(done + PART, count))
            fill_frames(frames, photos, numbers)
            frames.flush()
            done = numbers.stop
            note.write_text(json.dumps(described | {"done": done}))
            progress(done, count)
    mapped: npt.NDArray[np.uint8] = np.load(file, mmap_mode="r")
    return mapped
