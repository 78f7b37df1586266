"""Views of a frame being read by `rascanet stream`: a live line, plain lines, or JSON."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import pairwise
from types import TracebackType
from typing import Final, Self

import msgspec
from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.live import Live
from rich.text import Text

from clients.commands.console import say
from clients.commands.names import shown
from clients.commands.table import MISSING, Table, counted
from clients.python.presence import PresenceEvent
from sensor_sim.burst import Rows, SensorGeometry
from sensor_sim.emitter import Observation
from sensor_sim.ledger import FrameLedger, FrameReport
from sensor_sim.live import LiveChange, LiveState
from sensor_sim.uplink import ServiceChange
from sensor_sim.wire import Decision, Progress, Skip

NAME_CELLS: Final = 14
MARKS: Final = 21
BAR_CELLS: Final = 10
"""Cells of the terminal for the name, the rows and P(person): with the decision's words a line takes 80 at most."""
TABLE_NAME_CELLS: Final = 24


class PlainView:
    """A line a frame, for logs and pipes.

    Args:
        region: name of the region that the stream shows, with which every line begins; empty: none.
        bursts: a line for each burst too.

    Attributes:
        name: name of the frame, behind that of its region.
        geometry: geometry of the frame.
        taken_s: time at which a live source's picture came, seconds since 1970.
    """

    def __init__(self, region: str = "", *, bursts: bool = False) -> None:
        self.region = region
        self._place = place_words(region)
        self.name = ""
        self.geometry = SensorGeometry(5, 16)
        self.taken_s: float | None = None
        self._bursts = bursts

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def begin(self, name: str, geometry: SensorGeometry, taken_s: float | None = None) -> None:
        """Takes the name of the frame that is about to be read, and when its picture came if the source is live."""
        self.name, self.geometry, self.taken_s = self._place + name, geometry, taken_s

    def observe(self, event: Observation) -> None:
        """Takes what happened to the frame, or to the service."""
        if isinstance(event, ServiceChange):
            self.service_changed(event)
        if not self._bursts or not isinstance(event, Progress | Skip):
            return
        rows = (event.burst_index + 1) * self.geometry.burst_rows
        if isinstance(event, Progress):
            self._line(f"row {rows} of {self.geometry.height}, P(person) {event.p_person:.3f}")
        else:
            self._line(f"rows {rows - self.geometry.burst_rows + 1} to {rows} skipped")

    def end(self, report: FrameReport) -> None:
        """Takes the account of the frame, which is decided."""
        decision = report.decision
        self._line(
            f"{in_words(decision, self.geometry)}, P(person) {decision.p_person:.3f}, "
            f"{report.rows_sent} of {report.rows} rows sent{', for an audit' if report.audited_bursts else ''}"
        )

    def turned(self, event: PresenceEvent) -> None:
        """Takes that a person appeared or left."""
        print(self._place + event_words(event, self.taken_s), flush=True)

    def changed(self, change: LiveChange) -> None:
        """Takes that a live source was lost or is back."""
        say(live_words(change))

    def service_changed(self, change: ServiceChange) -> None:
        """Takes that the service was lost or is back."""
        say(self._place + service_words(change))

    def lost(self, ledger: FrameLedger, who: str) -> None:
        """Takes that the link lost the frame, or the service did not look at it."""
        self._line(f"{who}, {ledger.rows_sent} of {ledger.rows} rows sent")

    def fault(self, name: str, reason: str) -> None:
        """Takes that a frame can't be shown to the sensor."""
        say(self._place + (reason if name in reason else f"{name}: {reason}"))

    def _line(self, text: str) -> None:
        print(f"{shown(self.name)}: {text}", flush=True)


class JsonView(PlainView):
    """The service's messages about frames as a JSON object a line, with the names of picture and region."""

    def begin(self, name: str, geometry: SensorGeometry, taken_s: float | None = None) -> None:
        """Takes the name of the frame that is about to be read, and when its picture came if the source is live."""
        self.name, self.geometry, self.taken_s = name, geometry, taken_s

    def observe(self, event: Observation) -> None:
        """Takes what happened to the frame, or to the service."""
        if isinstance(event, ServiceChange):
            self.service_changed(event)
        elif not isinstance(event, Rows):
            self._print(msgspec.to_builtins(event))

    def end(self, report: FrameReport) -> None:
        """Takes the account of the frame, which is decided."""
        self._print({"type": "report"} | msgspec.to_builtins(report))

    def turned(self, event: PresenceEvent) -> None:
        """Takes that a person appeared or left."""
        self._print({"type": "event"} | asdict(event))

    def changed(self, change: LiveChange) -> None:
        """Takes that a live source was lost or is back."""
        at = {"at": wall_clock(change.at_s), "reason": change.reason}
        print(json.dumps({"type": "camera", "camera": change.name, "state": change.state} | at), flush=True)

    def service_changed(self, change: ServiceChange) -> None:
        """Takes that the service was lost or is back."""
        place = {"region": self.region} if self.region else {}
        print(json.dumps({"type": "service"} | asdict(change) | place), flush=True)

    def lost(self, ledger: FrameLedger, who: str) -> None:
        """Takes that the link lost the frame, or the service did not look at it."""
        self._print({"type": "lost"} | msgspec.to_builtins(ledger))

    def _print(self, content: dict[str, object]) -> None:
        place = {"photo": self.name}
        if self.region:
            place["region"] = self.region
        if self.taken_s is not None:
            place["taken_at"] = wall_clock(self.taken_s)
        print(json.dumps(place | content), flush=True)


class LiveView(PlainView):
    """One line that moves: the rows read, and P(person) as a bar and a figure."""

    def __init__(self, console: Console, region: str = "") -> None:
        super().__init__(region)
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._marks: list[str] = []
        self._p_person: float | None = None

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.__exit__(kind, error, trace)

    def begin(self, name: str, geometry: SensorGeometry, taken_s: float | None = None) -> None:
        """Takes the name of the frame that is about to be read, and when its picture came if the source is live."""
        super().begin(name, geometry, taken_s)
        self._marks, self._p_person = ["·"] * geometry.bursts_per_frame, None

    def observe(self, event: Observation) -> None:
        """Takes what happened to the frame, or to the service."""
        if isinstance(event, ServiceChange):
            self.service_changed(event)
        elif isinstance(event, Rows):
            self._marks[event.first_burst] = "█"
        elif isinstance(event, Skip):
            self._marks[event.burst_index] = "░"
        elif isinstance(event, Progress | Decision):
            self._p_person = event.p_person
        self._live.update(self._moving(), refresh=True)

    def end(self, report: FrameReport) -> None:
        """Takes the account of the frame, which is decided."""
        self._live.console.print(self._moving() + Text(f"  {in_words(report.decision, self.geometry)}"))

    def turned(self, event: PresenceEvent) -> None:
        """Takes that a person appeared or left."""
        self._live.console.print(Text(self._place + event_words(event, self.taken_s), "bold"))

    def changed(self, change: LiveChange) -> None:
        """Takes that a live source was lost or is back."""
        self._live.console.print(Text(shown(live_words(change)), "red"))

    def service_changed(self, change: ServiceChange) -> None:
        """Takes that the service was lost or is back."""
        self._live.console.print(Text(self._place + shown(service_words(change)), "red"))

    def lost(self, ledger: FrameLedger, who: str) -> None:
        """Takes that the link lost the frame, or the service did not look at it."""
        self._live.console.print(self._moving() + Text(f"  {who}"))

    def fault(self, name: str, reason: str) -> None:
        """Takes that a frame can't be shown to the sensor."""
        self._live.console.print(Text(shown(reason if name in reason else f"{name}: {reason}"), "red"))

    def _moving(self) -> Text:
        line = Text(short(self.name, NAME_CELLS), no_wrap=True)
        line.append("  ")
        line.append(_squeezed(self._marks), "cyan")
        line.append("  ")
        filled = round((self._p_person or 0.0) * BAR_CELLS)
        line.append("━" * filled, "bold green")
        line.append("╌" * (BAR_CELLS - filled), "grey50")
        line.append(f" {MISSING:>5}" if self._p_person is None else f" {self._p_person:.3f}")
        return line


def _squeezed(marks: list[str]) -> str:
    """The marks of a frame's bursts in `MARKS` cells at most; a cell shows the last of its bursts that was read."""
    cells = min(MARKS, len(marks))
    edges = [round(index * len(marks) / cells) for index in range(cells + 1)]
    groups = (marks[first:last] for first, last in pairwise(edges))
    return "".join(next((mark for mark in reversed(group) if mark != "·"), "·") for group in groups)


def short(name: str, cells: int) -> str:
    """Returns a name in an exact number of terminal cells; of a longer name the end."""
    name = shown(name)
    if cell_len(name) <= cells:
        return set_cell_size(name, cells)
    while cell_len(name) > cells - 1:
        name = name[1:]
    return set_cell_size(f"…{name}", cells)


def in_words(decision: Decision, geometry: SensorGeometry) -> str:
    """Returns the decision as a phrase."""
    said = "person" if decision.person else "no person"
    row = (decision.burst_index + 1) * geometry.burst_rows
    return f"{said} at row {row}" if decision.exited else f"{said}, whole frame"


def place_words(region: str) -> str:
    """Returns the words with which every line of a region begins; none for the whole picture."""
    return f"{shown(region)}: " if region else ""


def event_words(event: PresenceEvent, taken_s: float | None = None) -> str:
    """Returns the event as a line, with the local time where the source is live."""
    clock = "" if taken_s is None else f", {datetime.fromtimestamp(taken_s).astimezone():%Y-%m-%d %H:%M:%S}"
    return f"{event.time_s:9.2f} s  person {event.turn} (since {event.since_s:.2f} s){clock}"


def live_words(change: LiveChange) -> str:
    """Returns a live source's change as a line."""
    if change.state is LiveState.BACK:
        return f"{change.name}: back"
    return f"{change.name}: lost ({change.reason}); connecting again until it is back"


def service_words(change: ServiceChange) -> str:
    """Returns the service's change as a line."""
    if change.up:
        return "the service is back"
    return f"{change.reason}; trying again for up to {change.patience_s:.0f} s"


def wall_clock(unix_s: float) -> str:
    """Returns a time as ISO 8601 in UTC, to the millisecond."""
    return datetime.fromtimestamp(unix_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(slots=True)
class Totals:
    """Sums over the frames of a stream."""

    frames: int = 0
    persons: int = 0
    exits: int = 0
    lost: int = 0
    rows: int = 0
    rows_sent: int = 0
    rows_late: int = 0
    rows_audited: int = 0
    bytes_saved: int = 0

    def add(self, ledger: FrameLedger, decision: Decision | None, burst_rows: int) -> None:
        """Counts a frame in; without a decision it was lost."""
        self.frames += 1
        self.rows += ledger.rows
        self.rows_sent += ledger.rows_sent
        self.bytes_saved += ledger.bytes_saved
        if decision is None:
            self.lost += 1
            return
        self.persons += decision.person
        self.exits += decision.exited
        self.rows_late += ledger.late_bursts * burst_rows
        self.rows_audited += ledger.audited_bursts * burst_rows

    def lines(self) -> list[str]:
        """Returns the sums in words."""
        if not self.frames:
            return ["no frame was streamed"]
        decided = self.frames - self.lost
        said = [
            f"{counted(self.frames, 'frame')}: {self.persons} with a person, {decided - self.persons} without"
            + (f", {self.lost} lost" if self.lost else ""),
            f"{counted(self.exits, 'early exit')}; {1 - self.rows_sent / self.rows:.0%} of the rows saved "
            f"({self.rows - self.rows_sent:,} of {self.rows:,} never sent, {self.bytes_saved / 1000:,.1f} kB)"
            if self.rows_sent < self.rows
            else "no row saved: every frame was sent to its end",
        ]
        if self.rows_sent < self.rows:
            times = self.rows / self.rows_sent if self.rows_sent else float("inf")
            said.append(f"with these exits a link carries {times:.2f} times as many frames")
        if self.rows_late:
            said.append(f"{self.rows_late:,} of the rows sent were on the way already when the exit came")
        if self.rows_audited:
            said.append(f"{self.rows_audited:,} of the rows sent were read on for an audit of their exits")
        return said


def result_table(reports: Iterable[tuple[str, FrameReport]], burst_rows: int) -> Table:
    """Returns a table of the frames, with their decisions and costs."""
    rows = [
        (
            short(name, TABLE_NAME_CELLS).rstrip(),
            "person" if report.decision.person else "no person",
            f"{report.decision.p_person:.3f}",
            str((report.decision.burst_index + 1) * burst_rows) if report.decision.exited else MISSING,
            f"{report.rows_sent}/{report.rows}",
            f"{report.decision_us / 1000:.1f}",
            f"{report.bytes_saved / 1000:.1f}",
        )
        for name, report in reports
    ]
    headings = ("picture", "decision", "P(person)", "exit\nat row", "rows\nsent", "ms", "kB\nsaved")
    return Table("Decisions", headings, rows)
