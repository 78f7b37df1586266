"""Answers of a larger network, the teacher, to cuts of the training pictures (distillation, Hinton et al. 2015).

The teacher looks at a few cuts of every picture once; the student is then trained on those cuts.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from model.training.photos import Box, Photo


class AnswersError(ValueError):
    """A file of answers that cannot be used."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What the teacher said.

    Attributes:
        crops: by picture (its file's name), the cuts, (K, 4): x, y, width, height as fractions of the picture.
        labels: by picture, the labels of the cuts worked out from boxes, (K,) of 0 and 1.
        p_person: by picture, the teacher's P(person) of each cut, (K,) in 0..1.
        digest: SHA-256 of the file they were read from; empty before.
    """

    crops: dict[str, npt.NDArray[np.float64]]
    labels: dict[str, npt.NDArray[np.int64]]
    p_person: dict[str, npt.NDArray[np.float64]]
    digest: str = ""

    def draw(self, rng: np.random.Generator, photo: Photo) -> tuple[Box, int, float]:
        """One of the cuts of a picture, its label and the teacher's P(person)."""
        name = photo.path.name
        place = int(rng.integers(len(self.p_person[name])))
        x, y, width, height = (float(value) for value in self.crops[name][place])
        return (x, y, width, height), int(self.labels[name][place]), float(self.p_person[name][place])

    def save(self, path: Path) -> None:
        names = list(self.crops)
        np.savez(
            path,
            names=np.array(names),
            crops=np.stack([self.crops[name] for name in names]),
            labels=np.stack([self.labels[name] for name in names]),
            p_person=np.stack([self.p_person[name] for name in names]),
        )

    @classmethod
    def load(cls, path: Path) -> Self:
        """Reads what `save` wrote.

        Raises:
            AnswersError: no such file, or another kind of file.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                names = [str(name) for name in file["names"]]
                crops, labels, p_person = (
                    dict(zip(names, file[key], strict=True)) for key in ("crops", "labels", "p_person")
                )
        except (OSError, KeyError, ValueError) as error:
            raise AnswersError(f"{path}: not a file of a teacher's answers ({error})") from error
        return cls(crops, labels, p_person, hashlib.sha256(path.read_bytes()).hexdigest())
