"""Decoded pictures in a memory-mapped file: 100,000 pictures of 224 x 256 px take 17 GB, more than most memories.

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
"""Number of pictures after which progress is noted on disk."""

Progress = Callable[[int, int], None]
"""Is called with the number of pictures decoded and the number of all."""


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
    """SHA-256 of the pictures' names in their order; folders don't count, so the pictures may be moved."""
    names = "\n".join("/".join(photo.path.parts[-2:]) for photo in photos.photos)
    return hashlib.sha256(os.fsencode(names)).hexdigest()


def stored_frames(
    photos: Photos, size: tuple[int, int], folder: Path, progress: Progress = lambda *_: None
) -> npt.NDArray[np.uint8]:
    """All pictures of a split as frames (N, height, width, 3) uint8 at `size`, mapped from a file in `folder`.

    Makes the file if it is missing; interrupted work resumes.

    Raises:
        PhotosError: a picture that can't be read, or a file of other pictures in the folder; the message names it.
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
