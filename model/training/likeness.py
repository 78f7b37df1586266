"""Likeness of pictures to the pictures of one source, by which a plan draws some kinds of picture more often.

The pictures that a network is judged by are often of one kind, for example everyday scenes, while those it learns from
are of many kinds. A small head on a backbone's features tells the kinds apart. Each picture is judged by a head that
was not trained on it (cross-fitting).
"""

import csv
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from model.training.backbones import Backbone
from model.training.dataset import INDEX
from model.training.photos import LIKENESS, Photos, PhotosError, fill_frames
from model.training.picture_store import names_digest
from model.training.teacher import FOLDS, features_of, fit_head

SIZE = (105, 120)
"""Height and width (px) of the pictures judged: too small to tell a source by its sharpness or its compression."""

PART = 1024
"""Number of pictures decoded at a time."""

Progress = Callable[[int, int], None]
"""Is called with the number of pictures judged and the number of all."""


def likeness(features: Tensor, chosen: npt.NDArray[np.bool_], seed: int = 1) -> npt.NDArray[np.float32]:
    """P(picture is of the source) of each picture, as if half of all pictures were: (N,) float32 in 0..1.

    Args:
        features: features of the pictures, (N, F).
        chosen: mask of the pictures of the source, (N,).
        seed: seed of the folds and the heads.

    Raises:
        PhotosError: fewer than two pictures are of the source, or fewer than two are not.
    """
    rng, folds = np.random.default_rng(seed), np.empty(len(chosen), np.int64)
    for which in (True, False):
        members = np.flatnonzero(chosen == which)
        if len(members) < 2:
            raise PhotosError(
                f"{chosen.sum()} of {len(chosen)} pictures are of the source; it takes two, and two others"
            )
        folds[members] = rng.permutation(len(members)) % FOLDS
    labels = torch.from_numpy(chosen.astype(np.int64))
    found = np.empty(len(chosen), np.float32)
    for fold in range(FOLDS):
        ours, others = (np.flatnonzero((folds != fold) & (chosen == which)) for which in (True, False))
        balanced = np.concatenate((others, np.resize(ours, len(others))))  # each of ours as often as it takes
        head = fit_head(features, labels, torch.from_numpy(balanced), seed + fold, epochs=1)
        found[folds == fold] = head.p_person(features[torch.from_numpy(folds == fold)]).numpy()
    return found


def picture_features(photos: Photos, backbone: Backbone, folder: Path, progress: Progress) -> Tensor:
    """Features (N, F) float16 of pictures at `SIZE`; kept in a folder, so that interrupted work resumes."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"features_{names_digest(photos)[:12]}.npy"
    parts = [torch.from_numpy(np.load(file))] if file.is_file() else []
    done = sum(map(len, parts))
    count = len(photos.photos)
    while done < count:
        numbers = range(done, min(done + PART, count))
        part = Photos(photos.split, photos.photos[numbers.start : numbers.stop], photos.index_digest)
        frames = np.empty((len(numbers), *SIZE, 3), np.uint8)
        fill_frames(frames, part, range(len(numbers)))
        parts.append(features_of(frames, backbone))
        done = numbers.stop
        progress(done, count)
        if done == count or done // PART % 8 == 0:
            parts = [torch.cat(parts)]
            unfinished = file.with_suffix(".partial.npy")
            np.save(unfinished, parts[0].numpy())
            unfinished.replace(file)
    return torch.cat(parts)


def write_likeness(folder: Path, of: Mapping[Path, float]) -> int:
    """Adds the column `likeness` to a folder's index, or replaces it.

    Args:
        folder: folder of photographs with an index.
        of: likeness, 0..1, by `Photo.path`; other pictures get an empty field.

    Returns:
        Number of pictures that got a likeness.

    Raises:
        PhotosError: no index.
    """
    index = folder / INDEX
    if not index.is_file():
        raise PhotosError(f"{index}: no such file; expected a folder of photographs with an index")
    with index.open(newline="") as file:
        reader = csv.DictReader(file)
        rows = list(reader)
        values = [of.get(Path(os.path.normpath(folder / row["file"]))) for row in rows]
        columns = [*(name for name in reader.fieldnames or () if name != LIKENESS), LIKENESS]
    partial = index.with_suffix(".csv.partial")
    with partial.open("w", newline="") as file:
        table = csv.DictWriter(file, columns, lineterminator="\r\n")
        table.writeheader()
        for row, value in zip(rows, values, strict=True):
            table.writerow(row | {LIKENESS: "" if value is None else f"{value:.4f}"})
    partial.replace(index)
    return sum(value is not None for value in values)
