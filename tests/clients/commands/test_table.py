"""Tables on terminals that are too narrow, and in files."""

import io
import re

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from clients.commands.table import Table

words = st.from_regex(r"[a-z0-9.%]{1,12}", fullmatch=True)
cells = st.lists(words, min_size=1, max_size=3).map(" ".join)


@st.composite
def tables(draw: st.DrawFn) -> Table:
    columns = draw(st.integers(1, 7))
    row = st.lists(cells, min_size=columns, max_size=columns)
    return Table(draw(cells), draw(row), draw(st.lists(row, min_size=1, max_size=4)), draw(st.lists(cells, max_size=1)))


def _printed(table: Table, width: int, *, terminal: bool) -> str:
    console = Console(file=io.StringIO(), force_terminal=terminal, width=width, color_system=None)
    table.show(console)
    assert isinstance(console.file, io.StringIO)
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", console.file.getvalue())


@settings(max_examples=15)
@given(tables(), st.integers(60, 120))
def test_no_word_is_cut_and_no_line_is_too_long(table: Table, width: int) -> None:
    text = _printed(table, width, terminal=True)
    assert max(map(len, map(str.rstrip, text.splitlines()))) <= width
    found = text.split()
    for cell in (*table.headings, *(each for row in table.rows for each in row)):
        assert set(cell.split()) <= set(found)


@settings(max_examples=15)
@given(tables())
def test_in_a_file_a_row_is_a_line(table: Table) -> None:
    lines = _printed(table, 80, terminal=False).splitlines()
    for row in table.rows:
        assert any(line.split() == " ".join(row).split() for line in lines)


@settings(max_examples=30)
@given(tables())
def test_the_narrower_way_round_says_the_same_in_no_more_columns(table: Table) -> None:
    narrow = table.narrow()
    assert sum(narrow.widest()) <= sum(table.widest())
    assert narrow.narrow() == narrow
    grid = [tuple(table.headings), *map(tuple, table.rows)]
    other = [tuple(narrow.headings), *map(tuple, narrow.rows)]
    assert other in (grid, list(zip(*grid, strict=True)))
    assert (narrow.title, narrow.notes) == (table.title, table.notes)


def test_what_a_cell_says_moves_no_cursor() -> None:
    text = _printed(Table("a", ("b", "c"), [("\x1b[2J", "[red]x[/red]")]), 80, terminal=True)
    assert r"\x1b[2J" in text
    assert "[red]x[/red]" in text
