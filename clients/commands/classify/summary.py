"""What a run found, class by class."""

from collections import Counter
from dataclasses import dataclass, field

from rich import box
from rich.table import Table

from clients.commands.classify.rows import Row


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

    def add(self, row: Row) -> None:
        """Counts a row in."""
        if row.get("code"):
            self.errors[row["code"]] += 1
        else:
            (self.persons if row["person"] else self.empties).add(row)

    @property
    def classified(self) -> int:
        return self.persons.pictures + self.empties.pictures

    def table(self, seconds: float, fresh: int) -> Table:
        """For the terminal.

        Args:
            seconds: that the run took.
            fresh: pictures that it looked at.
        """
        rate = f"{fresh / seconds:,.1f} pictures/s" if seconds > 0 and fresh else "nothing new"
        table = Table(box=box.SIMPLE_HEAD, caption=f"{rate}, {seconds:.1f} s", caption_justify="left")
        headings = ("class", "pictures", "share", "mean\nP(person)", "exits", "processed\nratio", "GMAC")
        for index, heading in enumerate(headings):
            table.add_column(heading, justify="right" if index else "left")
        for name, tally in (("person", self.persons), ("no person", self.empties)):
            count = tally.pictures
            mean = max(1, count)
            table.add_row(
                name,
                f"{count:,}",
                f"{count / max(1, self.classified):.1%}",
                f"{tally.p_person / mean:.3f}" if count else "-",
                f"{tally.exits:,}",
                f"{tally.processed_ratio / mean:.3f}" if count else "-",
                f"{tally.macs / 1e9:.3f}",
            )
        for code, count in self.errors.most_common():
            table.add_row(code.replace("_", " "), f"{count:,}", *["-"] * 5)
        return table
