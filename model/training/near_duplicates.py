"""Pictures that are nearly the same: what is judged by must not be learned from."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from model.picture import PictureError, read_picture

SIDE_PX: Final = 32
BLOCK: Final = 2048
"""Pictures compared at a time, so that the matrix of all pairs is never in memory."""

Thumbnails = npt.NDArray[np.float32]
"""(N, `SIDE_PX`, `SIDE_PX`): small grey pictures, of mean 0 and length 1; an even surface is all 0."""


def thumbnails(paths: Sequence[Path]) -> tuple[Thumbnails, list[str]]:
    """Thumbnails of pictures, and for each the reason why it can't be read (then it is all 0), or ""."""
    small, faults = np.zeros((len(paths), SIDE_PX, SIDE_PX), np.float32), [""] * len(paths)

    def load(number: int) -> None:
        try:
            grey = read_picture(paths[number]).convert("L")
            small[number] = np.asarray(grey.resize((SIDE_PX, SIDE_PX), Image.Resampling.BOX))
        except PictureError as error:
            faults[number] = str(error)

    with ThreadPoolExecutor() as pool:
        list(pool.map(load, range(len(paths))))
    small -= small.mean((1, 2), keepdims=True)
    small /= np.maximum(np.linalg.norm(small, axis=(1, 2), keepdims=True), 1e-3)
    return small, faults


def most_alike(pictures: Thumbnails, others: Thumbnails) -> npt.NDArray[np.float32]:
    """For each picture, its highest correlation with one of the others, mirrored or not, (N,) -1..1."""
    both = np.concatenate([others, others[:, :, ::-1]]).reshape(-1, SIDE_PX * SIDE_PX)
    flat = pictures.reshape(-1, SIDE_PX * SIDE_PX)
    blocks = [(flat[start : start + BLOCK] @ both.T).max(1) for start in range(0, len(flat), BLOCK)]
    return np.concatenate(blocks) if blocks else np.empty(0, np.float32)
