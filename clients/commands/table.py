"""Tables of figures, for the terminal and for Markdown."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from clients.commands.console import Terminal
from clients.commands.names import shown

MISSING = "-"
GAP = 3
"""Columns of the terminal between two columns of a table."""


def shown_lines(text: str) -> list[str]:
    """Returns the lines of a cell or heading, each safe on a terminal."""
    return [shown(line) for line in text.split("\n")]


@dataclass(frozen=True, slots=True)
class Table:
    """Headings (of one or two lines) and rows of text; the first column is left-aligned, the others right."""

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()

    def show(self, console: Console) -> None:
        """Prints it. A terminal that is too narrow gets folded cells or a block a row, never a figure that is cut."""
        widths = self._widths(console.width if console.is_terminal else None)
        if widths is None:
            self._show_blocks(console)
        else:
            table = RichTable(
                title=self.title or None, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False
            )
            for index, heading in enumerate(self.headings):
                table.add_column(heading, justify="right" if index else "left", width=widths[index])
            for row in self.rows:
                table.add_row(*(Text(shown(cell)) for cell in row))
            Terminal(file=console.file, width=max(console.width, sum(widths) + GAP * len(widths))).print(table)
        for note in self.notes:
            console.print(Text(f"  {note}"), soft_wrap=not console.is_terminal)

    def _widths(self, most: int | None) -> list[int] | None:
        """Cells of each column within a width, folded at spaces alone; None if they don't fit so."""
        columns = zip(self.headings, *self.rows, strict=True)
        least = [max(cell_len(word) for cell in column for word in shown(cell).split() or [""]) for column in columns]
        widths = self.widest()
        if most is None:
            return widths
        while sum(widths) + GAP * (len(widths) - 1) > most:
            slack = [width - floor for width, floor in zip(widths, least, strict=True)]
            if not any(slack):
                return None
            widest = max((index for index in range(len(widths)) if slack[index]), key=lambda index: widths[index])
            widths[widest] -= 1
        return widths

    def _show_blocks(self, console: Console) -> None:
        headings = [heading.replace("\n", " ") for heading in self.headings]
        room = max(map(cell_len, headings)) + 2
        console.print(Text(self.title, "italic"))
        for row in self.rows:
            console.print()
            for index, (heading, cell) in enumerate(zip(headings, row, strict=True)):
                line = Text.assemble(f"  {heading:<{room}}", (shown(cell), "" if index else "bold"))
                console.print(line)

    def narrow(self) -> "Table":
        """The table, or the same with a column for each of its rows, whichever takes fewer columns of a terminal."""
        cells = [[heading.replace("\n", " ") for heading in self.headings], *self.rows]
        first, *others = zip(*cells, strict=True)
        turned = Table(self.title, first, others, self.notes)
        return min(self, turned, key=lambda table: sum(table.widest()))

    def widest(self) -> list[int]:
        """Cells of the terminal that the widest line of each column takes."""
        columns = zip(self.headings, *self.rows, strict=True)
        return [max(cell_len(line) for cell in column for line in shown_lines(cell)) for column in columns]

    def pick(self, columns: Sequence[str], rows: Callable[[Sequence[str]], bool] = lambda _row: True) -> "Table":
        """The same table with some of its columns and rows, without notes.

        Args:
            columns: headings, each on one line.
            rows: returns true for a row that stays; asked with all of its cells.
        """
        headings = [heading.replace("\n", " ") for heading in self.headings]
        places = [headings.index(column) for column in columns]
        picked = [tuple(row[place] for place in places) for row in self.rows if rows(row)]
        return Table(self.title, [self.headings[place] for place in places], picked)

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


def counted(count: int, noun: str) -> str:
    """Returns a count with its noun."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


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
    """Speed of a row as a multiple of another contender's: median and range, or a dash."""
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
    text = page.read_text(encoding="utf-8")
    for name, content in tables.items():
        begin, end = f"<!-- {name} -->", f"<!-- end {name.split()[-1]} -->"
        before, found, rest = text.partition(begin)
        _, found_end, after = rest.partition(end)
        if not found or not found_end:
            raise PageError(f"{page}: the marks {begin} and {end} are missing")
        text = f"{before}{begin}\n" + "\n".join(table.markdown() for table in content) + f"{end}{after}"
    page.write_text(text, encoding="utf-8")
