"""Tables of figures, for the terminal and for Markdown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table as RichTable

MISSING = "-"
MAX_WIDTH = 400


@dataclass(frozen=True, slots=True)
class Table:
    """Headings (of one or two lines) and rows of text; the first column is left-aligned, the others right."""

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()

    def show(self, console: Console) -> None:
        """Prints it to a terminal."""
        table = RichTable(title=self.title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
        for index, heading in enumerate(self.headings):
            table.add_column(heading, justify="right" if index else "left", no_wrap=True)
        for row in self.rows:
            table.add_row(*row)
        natural = Measurement.get(console, console.options.update(max_width=MAX_WIDTH), table).maximum
        Console(file=console.file, width=max(console.width, natural)).print(table)  # figures are never cut off
        for note in self.notes:
            console.print(f"  {note}", highlight=False, soft_wrap=True)

    def markdown(self) -> str:
        """As Markdown, title and notes included."""
        lines = [
            f"**{self.title}**",
            "",
            _line([heading.replace("\n", " ") for heading in self.headings]),
            _line(["--:" if index else "---" for index in range(len(self.headings))]),
            *map(_line, self.rows),
        ]
        for note in self.notes:
            lines += ["", note]
        return "\n".join(lines) + "\n"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def number(value: float | None, digits: int = 3) -> str:
    """A figure with that many significant digits, or a dash."""
    if value is None:
        return MISSING
    if abs(value) >= 10 ** (digits - 1):
        return f"{value:,.0f}"
    return f"{value:.{digits}g}"


def percent(share: float | None) -> str:
    """A share of 0..1 in whole per cent, or a dash."""
    return MISSING if share is None else f"{share:.0%}"


def ratio(row: Mapping[str, Any], other: str) -> str:
    """How many times as fast as another contender a row is: median and range, or a dash."""
    spread = row["against"].get(other)
    if spread is None:
        return MISSING
    return f"{number(spread['median'])} [{number(spread['least'])}..{number(spread['most'])}]"


class PageError(ValueError):
    """A page without the marks that tables go between."""


def refresh_page(page: Path, tables: Mapping[str, Sequence[Table]]) -> None:
    """Puts tables between their two marks of a Markdown page, `<!-- bench step -->` and `<!-- end step -->`.

    Args:
        tables: by the words of the first mark; the second has the last of them.

    Raises:
        PageError: a mark that is missing.
    """
    text = page.read_text()
    for name, content in tables.items():
        begin, end = f"<!-- {name} -->", f"<!-- end {name.split()[-1]} -->"
        before, found, rest = text.partition(begin)
        _, found_end, after = rest.partition(end)
        if not found or not found_end:
            raise PageError(f"{page}: the marks {begin} and {end} are missing")
        text = f"{before}{begin}\n" + "\n".join(table.markdown() for table in content) + f"{end}{after}"
    page.write_text(text)
