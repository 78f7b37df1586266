"""Counts of audits by certificate: shared by the workers of a service.

Each worker has a column of its own and adds to that column alone, so no lock is needed, and a worker that is killed
leaves its counts to the one that takes its place. The evidence of a certificate follows from the sums of all columns.
"""

from collections.abc import Iterable, Mapping, MutableSequence, Sequence
from enum import StrEnum
from typing import Final, NamedTuple, Self


class Outcome(StrEnum):
    """Outcome of an audit: agreed or lost, the rest not sent before the next frame, or the connection over."""

    AGREED = "agreed"
    LOST = "lost"
    UNSENT = "unsent"
    INTERRUPTED = "interrupted"


class Totals(NamedTuple):
    """Audits of one certificate.

    Attributes:
        agreed, lost, unsent, interrupted: number of audits by `Outcome`.
        alarmed: 1 once the evidence has reached its bound, else 0.
    """

    agreed: int = 0
    lost: int = 0
    unsent: int = 0
    interrupted: int = 0
    alarmed: int = 0

    @property
    def judged(self) -> int:
        """Number of audits that count as evidence."""
        return self.agreed + self.lost


_FIELDS: Final = len(Totals._fields)
_ALARMED: Final = Totals._fields.index("alarmed")


def cells_of(certificates: Sequence[str], workers: int) -> int:
    """Number of integers that `AuditCounts` needs in memory: a column for each worker, and one for the file's."""
    return _FIELDS * len(certificates) * (workers + 1)


class AuditCounts:
    """Counts of a service, seen from one of its workers.

    Args:
        certificates: digests of the certificates.
        cells: `cells_of` integers, 0 at first, shared by all workers.
        worker: number of the worker, from 0.
    """

    def __init__(self, certificates: Sequence[str], cells: MutableSequence[int], worker: int = 0) -> None:
        self._rows = {digest: number for number, digest in enumerate(certificates)}
        self._cells, self._column = cells, worker + 1

    @classmethod
    def alone(cls, certificates: Sequence[str]) -> Self:
        """Makes the counts of a process that shares them with none."""
        return cls(certificates, [0] * cells_of(certificates, 1))

    @property
    def certificates(self) -> Iterable[str]:
        return self._rows

    def _cell(self, certificate: str, column: int) -> int:
        return _FIELDS * (column * len(self._rows) + self._rows[certificate])

    def add(self, certificate: str, outcome: Outcome) -> None:
        """Counts an audit."""
        self._cells[self._cell(certificate, self._column) + Totals._fields.index(outcome)] += 1

    def raise_alarm(self, certificate: str) -> None:
        """Notes the alarm, for all workers and for good."""
        self._cells[self._cell(certificate, self._column) + _ALARMED] = 1

    def totals(self, certificate: str) -> Totals:
        """The sums over all workers and earlier runs."""
        sums = [0] * _FIELDS
        for cell in range(self._cell(certificate, 0), len(self._cells), _FIELDS * len(self._rows)):
            for field in range(_FIELDS):
                sums[field] += self._cells[cell + field]
        sums[_ALARMED] = min(1, sums[_ALARMED])
        return Totals(*sums)

    def take_over(self, kept: Mapping[str, Totals]) -> None:
        """Begins with the counts of earlier runs."""
        for certificate in self._rows.keys() & kept.keys():
            cell = self._cell(certificate, 0)
            for field, value in enumerate(kept[certificate]):
                self._cells[cell + field] = value
