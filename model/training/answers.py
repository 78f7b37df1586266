"""Answers of a larger network, the teacher, to the views of a plan (distillation, Hinton et al. 2015)."""

import hashlib
import json
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self
from zipfile import BadZipFile

import msgspec
import numpy as np
import numpy.typing as npt

from model.training.views import ViewPlan


class AnswersError(ValueError):
    """Answers that cannot be used."""


@dataclass(frozen=True, slots=True)
class Answers:
    """The teacher's answers to views 0 to N - 1 of a plan.

    Attributes:
        plan: the plan by which the views are drawn.
        index_digest: SHA-256 of the index of the photographs that the views are made of.
        labels: (N,) int8: 1 person, 0 no person, -1 unknown.
        p_person: the teacher's P(person), (N,) float32 in 0..1.
        hints: main directions of the teacher's features, (N, H) float16, mean square 1.
        digest: SHA-256 of the file that the answers were read from; empty for answers that were not read.
    """

    plan: ViewPlan
    index_digest: str
    labels: npt.NDArray[np.int8]
    p_person: npt.NDArray[np.float32]
    hints: npt.NDArray[np.float16]
    digest: str = ""

    def targets(self, teacher_share: float, label_doubt: float = 1.0) -> npt.NDArray[np.float32]:
        """Targets of training, (N, 1 + H) float32: P(person) in 0..1, and the hints.

        Args:
            teacher_share: weight of the teacher's answer in P(person), 0..1; the label has the rest. A view without a
                label has the answer alone.
            label_doubt: a label that differs from the answer by more than this counts as none, 0..1.
        """
        mixed = teacher_share * self.p_person + (1 - teacher_share) * self.labels
        doubted = np.abs(self.p_person - self.labels) > label_doubt
        p_person = np.where((self.labels < 0) | doubted, self.p_person, mixed)
        return np.column_stack((p_person, self.hints)).astype(np.float32)

    def save(self, path: Path) -> None:
        """Writes the answers to a NumPy archive (.npz) that `load` reads.

        Raises:
            OSError: the file can't be written.
        """
        np.savez(
            path,
            plan=np.array(json.dumps(asdict(self.plan))),
            index_digest=np.array(self.index_digest),
            labels=self.labels,
            p_person=self.p_person,
            hints=self.hints,
        )

    @classmethod
    def load(cls, path: Path) -> Self:
        """Reads a file that `save` wrote.

        Raises:
            AnswersError: no such file, or another kind of file.
        """
        try:
            with path.open("rb") as content, np.load(content, allow_pickle=False) as file:
                return cls(
                    msgspec.json.decode(str(file["plan"]), type=ViewPlan),
                    str(file["index_digest"]),
                    file["labels"],
                    file["p_person"],
                    file["hints"],
                    hashlib.sha256(path.read_bytes()).hexdigest(),
                )
        except (OSError, KeyError, ValueError, TypeError, EOFError, RecursionError, BadZipFile, zlib.error) as error:
            raise AnswersError(f"{path}: not a file of a teacher's answers ({error})") from error
