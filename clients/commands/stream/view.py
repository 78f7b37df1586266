"""How `rascanet stream` shows a frame being read: a live line, plain lines, or JSON."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from types import TracebackType
from typing import Self

import msgspec
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from clients.python.presence import PresenceEvent
from sensor_sim.burst import Rows, SensorGeometry
from sensor_sim.emitter import Event
from sensor_sim.ledger import FrameLedger, FrameReport
from sensor_sim.wire import Decision, Progress, Skip

BAR_CELLS = 30


class PlainView:
    """A line a burst that changes something worth telling, for logs and pipes."""

    def __init__(self) -> None:
        self.name = ""
        self.geometry = SensorGeometry(5, 16)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def begin(self, name: str, geometry: SensorGeometry) -> None:
        """A frame is about to be read."""
        self.name, self.geometry = name, geometry

    def observe(self, event: Event) -> None:
        """Something happened to the frame."""
        if isinstance(event, Progress):
            rows = (event.burst_index + 1) * self.geometry.burst_rows
            print(f"{self.name}: row {rows} of {self.geometry.height}, P(person) {event.p_person:.3f}")
        elif isinstance(event, Skip):
            print(f"{self.name}: burst {event.burst_index} skipped")

    def end(self, report: FrameReport) -> None:
        """The frame is decided."""
        print(f"{self.name}: {in_words(report.decision)}, {report.rows_sent} of {report.rows} rows sent")

    def turned(self, event: PresenceEvent) -> None:
        """A person appeared or left."""
        print(event_words(event))

    def lost(self, ledger: FrameLedger) -> None:
        """The link lost the frame."""
        print(f"{self.name}: lost on the link, {ledger.rows_sent} of {ledger.rows} rows sent")


class JsonView(PlainView):
    """Every message of the service as a JSON object a line, with the picture's name."""

    def observe(self, event: Event) -> None:
        """Something happened to the frame."""
        if not isinstance(event, Rows):
            self._print(msgspec.to_builtins(event))

    def end(self, report: FrameReport) -> None:
        """The frame is decided."""
        self._print({"type": "report"} | msgspec.to_builtins(report))

    def turned(self, event: PresenceEvent) -> None:
        """A person appeared or left."""
        self._print({"type": "event"} | asdict(event))

    def lost(self, ledger: FrameLedger) -> None:
        """The link lost the frame."""
        self._print({"type": "lost"} | msgspec.to_builtins(ledger))

    def _print(self, content: dict[str, object]) -> None:
        print(json.dumps({"photo": self.name} | content), flush=True)


class LiveView(PlainView):
    """One line that moves: a bar of the rows read, and P(person)."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._marks: list[str] = []
        self._p_person = 0.0

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.__exit__(kind, error, trace)

    def begin(self, name: str, geometry: SensorGeometry) -> None:
        """A frame is about to be read."""
        super().begin(name, geometry)
        self._marks, self._p_person = ["·"] * geometry.bursts_per_frame, 0.0

    def observe(self, event: Event) -> None:
        """Something happened to the frame."""
        if isinstance(event, Rows):
            self._marks[event.first_burst] = "█"
        elif isinstance(event, Skip):
            self._marks[event.burst_index] = "░"
        elif isinstance(event, Progress):
            self._p_person = event.p_person
        self._live.update(self._line(), refresh=True)

    def end(self, report: FrameReport) -> None:
        """The frame is decided."""
        self._live.console.print(self._line() + Text(f"  {in_words(report.decision)}"))

    def turned(self, event: PresenceEvent) -> None:
        """A person appeared or left."""
        self._live.console.print(Text(event_words(event), "bold"))

    def lost(self, ledger: FrameLedger) -> None:
        """The link lost the frame."""
        self._live.console.print(self._line() + Text("  lost on the link"))

    def _line(self) -> Text:
        filled = round(self._p_person * BAR_CELLS)
        line = Text(f"{self.name:>16.16}  ")
        line.append("".join(self._marks), "cyan")
        line.append("  P(person) ")
        line.append("━" * filled, "bold green")
        line.append("━" * (BAR_CELLS - filled), "grey30")
        line.append(f" {self._p_person:.3f}")
        return line


def in_words(decision: Decision) -> str:
    """The decision as a phrase."""
    return f"{'person' if decision.person else 'no person'}, {'exited early' if decision.exited else 'read to the end'}"


def event_words(event: PresenceEvent) -> str:
    """The event as a line."""
    return f"{event.time_s:9.2f} s  person {event.turn} (since {event.since_s:.2f} s)"


def result_table(reports: Iterable[tuple[str, FrameReport]]) -> Table:
    """All frames: what was decided and what it cost."""
    table = Table(title="Decisions", title_justify="left")
    for heading in ("photo", "decision", "P(person)", "rows", "ms", "kB sent", "kB saved"):
        table.add_column(heading, justify="left" if heading in ("photo", "decision") else "right", no_wrap=True)
    for name, report in reports:
        decision = report.decision
        table.add_row(
            name,
            "person" if decision.person else "no person",
            f"{decision.p_person:.3f}",
            f"{report.rows_sent}/{report.rows}",
            f"{report.decision_us / 1000:.1f}",
            f"{report.bytes_sent / 1000:.1f}",
            f"{report.bytes_saved / 1000:.1f}",
        )
    return table
