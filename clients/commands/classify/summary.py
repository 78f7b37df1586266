"""Summary of a run, class by class."""

from collections import Counter
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Final

from clients.commands.classify.rows import Row
from clients.commands.table import MISSING, Table, counted

SHORTEST_S: Final = 1.0
"""Seconds from which a rate says something."""


@dataclass(slots=True)
class Tally:
    """Sums over the pictures of a class."""

    pictures: int = 0
    p_person: float = 0.0
    exits: int = 0
    processed_ratio: float = 0.0
    macs: int = 0

    def add(self, row: Row) -> None:
        """Counts a row in."""
        self.pictures += 1
        self.p_person += row["p_person"]
        self.exits += row["exited"]
        self.processed_ratio += row["processed_ratio"]
        self.macs += row["macs"]


@dataclass(slots=True)
class Summary:
    """Sums over a run."""

    persons: Tally = field(default_factory=Tally)
    empties: Tally = field(default_factory=Tally)
    errors: Counter[str] = field(default_factory=Counter)
    _fresh: int = 0
    _uncounted: int = 0
    _began_s: float = 0.0
    _last_s: float = 0.0

    def clock(self, count: int = 1, took_s: float | None = None) -> None:
        """Notes that pictures were looked at now; the first ones start the clock, so that no start-up counts.

        Args:
            count: number of the pictures.
            took_s: time that they took (s), where it is known: then the clock starts before the first ones.
        """
        self._last_s = monotonic()
        if not self._fresh:
            self._began_s = self._last_s - (took_s or 0)
            self._uncounted = count if took_s is None else 0
        self._fresh += count

    def add(self, row: Row) -> None:
        """Counts a row in."""
        if row.get("code"):
            self.errors[row["code"]] += 1
        else:
            (self.persons if row["person"] else self.empties).add(row)

    @property
    def classified(self) -> int:
        return self.persons.pictures + self.empties.pictures

    def in_short(self) -> dict[str, Any]:
        """Returns the counts, for a file."""
        return {"person": self.persons.pictures, "no_person": self.empties.pictures, "errors": dict(self.errors)}

    def table(self) -> Table:
        """Returns the sums, for the terminal."""
        rows: list[tuple[str, ...]] = []
        for name, tally in (("person", self.persons), ("no person", self.empties)) if self.classified else ():
            count = tally.pictures
            mean = max(1, count)
            rows.append(
                (
                    name,
                    f"{count:,}",
                    f"{count / max(1, self.classified):.1%}",
                    f"{tally.p_person / mean:.3f}" if count else MISSING,
                    f"{tally.exits:,}",
                    f"{tally.processed_ratio / mean:.3f}" if count else MISSING,
                    f"{tally.macs / 1e9:.3f}",
                )
            )
        rows += [(code.replace("_", " "), f"{count:,}", *[MISSING] * 5) for code, count in self.errors.most_common()]
        headings = ("class", "pictures", "share", "mean\nP(person)", "exits", "processed\nratio", "GMAC")
        return Table("", headings, rows, [self._rate()])

    def _rate(self) -> str:
        seconds = self._last_s - self._began_s
        if not self._fresh:
            return "nothing new"
        if self._fresh == self._uncounted or seconds < SHORTEST_S:
            return counted(self._fresh, "picture")
        rate = (self._fresh - self._uncounted) / seconds
        return f"{counted(self._fresh, 'picture')}, {rate:,.0f} pictures/s without the start"
