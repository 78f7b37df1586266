"""What a stream shows: widths, totals, and names that would like to be more than names."""

import io
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from clients.commands.names import shown
from clients.commands.stream.view import LiveView, PlainView, Totals, result_table, short
from clients.commands.table import MISSING
from sensor_sim.burst import Rows, SensorGeometry
from sensor_sim.ledger import FrameReport
from sensor_sim.uplink import ServiceChange
from sensor_sim.wire import Decision, Progress

GEOMETRIES = [SensorGeometry(105, 120), SensorGeometry(210, 240)]
WIDTH = 80


def _report(
    *, exited: bool = True, person: bool = False, sent: int = 60, rows: int = 105, late: int = 0, audited: int = 0
) -> FrameReport:
    bursts = rows // 5
    decision = Decision(0, sent // 5 - 1 if exited else bursts - 1, 0.999, person, exited, bursts, 0, 0)
    values: dict[str, Any] = dict.fromkeys(("rows_read", "rows_skipped", "rows_unread", "bursts_sent", "bytes_sent"), 0)
    return FrameReport(
        frame_id=0, rows=rows, rows_sent=sent, bytes_saved=1800 * (rows - sent) // 5, late_bursts=late,
        audited_bursts=audited, start_us=0, end_us=1, next_us=2, decision=decision, decision_us=123_456.7, **values,
    )  # fmt: skip


def _terminal() -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=WIDTH, color_system=None, legacy_windows=False)


def _lines(console: Console) -> list[str]:
    assert isinstance(console.file, io.StringIO)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", console.file.getvalue())
    return re.split(r"[\r\n]+", text)


@pytest.mark.parametrize("geometry", GEOMETRIES)
@given(st.text(max_size=40))
def test_a_frame_takes_one_line_of_the_terminal_whatever_its_name(geometry: SensorGeometry, name: str) -> None:
    console = _terminal()
    view = LiveView(console)
    with view:
        view.begin(name, geometry)
        view.observe(Progress(0, 3, 0.4, 0.5))
        view.end(_report(exited=False, sent=geometry.height, rows=geometry.height))
    lines = _lines(console)
    assert max(map(cell_len, lines)) <= WIDTH
    assert [line for line in lines if line.endswith("no person, whole frame")]


def test_before_the_first_answer_no_figure_is_shown() -> None:
    console = _terminal()
    view = LiveView(console)
    with view:
        for first in ("x", "y"):
            view.begin(first, GEOMETRIES[0])
            view.observe(Rows(0, 0, 1, 0, np.zeros((5, 120, 3), np.uint8)))
            view.observe(Progress(0, 0, 0.75, 0.5))
            view.end(_report())
    figures = [line.split()[-1] for line in _lines(console) if line.startswith(("x ", "y ")) and "at row" not in line]
    assert "0.750" in figures
    assert MISSING in figures
    assert "0.000" not in figures


def test_the_bar_can_be_read_without_colour() -> None:
    console = _terminal()
    view = LiveView(console)
    with view:
        for p_person in (0.0, 0.5, 1.0):
            view.begin("x", GEOMETRIES[0])
            view.observe(Progress(0, 0, p_person, 0.5))
            view.end(_report())
    bars = {line[39:49] for line in _lines(console) if "at row" in line}
    assert len(bars) == 3


@given(st.text(max_size=60), st.integers(2, 30))
def test_a_short_name_has_its_width_and_moves_no_cursor(name: str, cells: int) -> None:
    found = short(name, cells)
    assert cell_len(found) == cells
    assert shown(found) == found


def test_the_table_fits_and_cuts_no_figure() -> None:
    console = _terminal()
    reports = [(f"{'long' * 20}{number}.png", _report(sent=60, late=2)) for number in range(3)]
    result_table(reports, 5).show(console)
    lines = _lines(console)
    assert max(map(cell_len, lines)) <= WIDTH
    assert sum("60/105" in line and "0.999" in line and "123.5" in line and "16.2" in line for line in lines) == 3


def test_totals() -> None:
    totals = Totals()
    assert totals.lines() == ["no frame was streamed"]
    for report in (_report(sent=60, person=True, late=2), _report(sent=105, exited=False, audited=3)):
        totals.add(report, report.decision, 5)
    totals.add(_report(sent=45), None, 5)
    assert totals.lines() == [
        "3 frames: 1 with a person, 1 without, 1 lost",
        "1 early exit; 33% of the rows saved (105 of 315 never sent, 37.8 kB)",
        "with these exits a link carries 1.50 times as many frames",
        "10 of the rows sent were on the way already when the exit came",
        "15 of the rows sent were read on for an audit of their exits",
    ]


def test_names_in_plain_lines_are_one_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    view = PlainView(bursts=True)
    view.begin("a\x1b[2J\n=b\udcff", GEOMETRIES[0])
    view.observe(Progress(0, 3, 0.4, 0.5))
    view.end(_report())
    said = capsys.readouterr().out
    assert said.splitlines()[0] == r"a\x1b[2J\x0a=b\xff: row 20 of 105, P(person) 0.400"
    assert len(said.splitlines()) == 2
    assert "\x1b" not in said


def test_a_lost_service_is_told_beside_the_moving_line() -> None:
    console = _terminal()
    with LiveView(console, "hall") as view:
        view.begin("people.mp4 3", GEOMETRIES[0])
        view.observe(ServiceChange(up=False, reason="the service closed the stream", patience_s=36.3))
        view.observe(ServiceChange(up=True))
    lines = _lines(console)
    assert "hall: the service closed the stream; trying again for up to 36 s" in lines
    assert "hall: the service is back" in lines
