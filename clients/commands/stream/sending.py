"""One stream of a command: shots to the service, a view of them, and the account."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from clients.commands.console import INTERRUPTED, SOME_FAILED, console, fail, failing_on
from clients.commands.names import open_text
from clients.commands.outputs import check_outputs, naming
from clients.commands.stream.scenes import Shot
from clients.commands.stream.view import JsonView, LiveView, PlainView, Totals, result_table
from clients.python.presence import Presence
from sensor_sim.wire import encode

if TYPE_CHECKING:
    from clients.python.client import Client
    from sensor_sim.ledger import FrameLedger, FrameReport, StreamLedger

PANEL: Final = "Output"
MOST_IN_TABLE: Final = 32
"""Frames of which the closing table is made; of more, such as a film's, their own lines say enough."""


@dataclass(frozen=True, slots=True)
class OutputChoice:
    """Outputs of a stream: lines to show and files to keep; see the options."""

    as_json: Annotated[
        bool, typer.Option("--json", rich_help_panel=PANEL, help="one JSON object a line, for programs")
    ] = False
    bursts: Annotated[
        bool, typer.Option("--bursts", rich_help_panel=PANEL, help="a line for each burst, not only for each frame")
    ] = False
    events: Annotated[
        bool,
        typer.Option(
            "--events", rich_help_panel=PANEL, help="tell when a person appeared and left (see `rascanet events`)"
        ),
    ] = False
    ledger: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", rich_help_panel=PANEL, help="file for what each frame cost and saved, a JSON object a line"
        ),
    ] = None
    energy: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            rich_help_panel=PANEL,
            help="coefficients for the ledger's estimate of the energy (docs/sensor.md)",
        ),
    ] = None
    overwrite: Annotated[
        bool, typer.Option("--overwrite", rich_help_panel=PANEL, help="replace files that are there already")
    ] = False
    virtual_time: Annotated[
        bool,
        typer.Option(
            "--virtual-time",
            rich_help_panel=PANEL,
            help="stream as fast as possible instead of in real time, with the same results",
        ),
    ] = False

    def check(self) -> None:
        """Ends the command where it would write over a file."""
        check_outputs(overwrite=self.overwrite, ledger=self.ledger)

    def view(self) -> PlainView:
        """Returns what shows the stream: live on a terminal."""
        if self.as_json:
            return JsonView()
        return LiveView(console) if console.is_terminal and not self.bursts else PlainView(bursts=self.bursts)


@dataclass(slots=True)
class _Account:
    """Results of the shots so far."""

    totals: Totals = field(default_factory=Totals)
    reports: "list[tuple[str, FrameReport]]" = field(default_factory=list)
    faults: int = 0
    interrupted: bool = False


def send(shots: Iterator[Shot], output: OutputChoice, open_client: "Callable[..., Client]") -> None:
    """Streams shots, shows them and what turns over them, keeps the ledger, and ends with the sums.

    Args:
        shots: the frames; those that can't be shown are named and counted.
        output: lines to show and files to keep.
        open_client: makes the client, from `clock` and `observer`.

    Raises:
        typer.Exit: some could not be shown, or the stream was interrupted.
    """
    from sensor_sim.clock import VirtualClock
    from sensor_sim.ledger import EnergyError, StreamLedger, read_energy
    from sensor_sim.profiles import ProfileError
    from sensor_sim.scene import SceneError
    from sensor_sim.uplink import StreamError

    view, account = output.view(), _Account()
    presence = Presence() if output.events else None
    with failing_on(StreamError, SceneError, ProfileError, EnergyError, ValueError):
        stream_ledger = StreamLedger(read_energy(output.energy) if output.energy else None)
        first = next(shots, None)  # a scene that can't be shown is told before the service is asked
        if first is None:
            fail("there are no frames to send")
        client = open_client(clock=VirtualClock() if output.virtual_time else None, observer=view.observe)
        burst_rows = 1
        try:
            with _ledger_lines(output.ledger, stream_ledger) as enter, view, client:
                burst_rows = client.geometry.burst_rows
                for shot in chain([first], shots):
                    _send_one(shot, client, view, enter, account, presence)
                summary = client.end()
        except KeyboardInterrupt:
            account.interrupted = True
    if output.as_json:
        if not account.interrupted:
            print(encode(summary))
    else:
        _tell(account, burst_rows)
    if account.interrupted:
        raise typer.Exit(INTERRUPTED)
    if account.faults:
        raise typer.Exit(SOME_FAILED)


def _send_one(
    shot: Shot,
    client: "Client",
    view: PlainView,
    enter: "Callable[[str, FrameLedger], None]",
    account: _Account,
    presence: Presence | None,
) -> None:
    from sensor_sim.emitter import FrameLostError

    if shot.reader is None:
        view.fault(shot.name, shot.fault)
        account.faults += 1
        return
    view.begin(shot.name, client.geometry)
    rows = client.geometry.burst_rows
    try:
        report = client.emit(shot.reader, shot.start_us)
    except FrameLostError as lost:
        view.lost(lost.ledger, lost.reason)
        enter(shot.name, lost.ledger)
        account.totals.add(lost.ledger, None, rows)
        return
    view.end(report)
    turned = presence.add(report.decision.p_person, report.start_us / 1e6) if presence else None
    if turned:
        view.turned(turned)
    if len(account.reports) <= MOST_IN_TABLE:
        account.reports.append((shot.name, report))
    account.totals.add(report, report.decision, rows)
    enter(shot.name, report)


def _tell(account: _Account, burst_rows: int) -> None:
    if 0 < len(account.reports) <= MOST_IN_TABLE:
        result_table(account.reports, burst_rows).show(console)
    lines = account.totals.lines()
    if account.faults:
        lines.append(f"{account.faults} could not be read")
    for line in lines:
        console.print(line, highlight=False)


@contextmanager
def _ledger_lines(path: Path | None, account: "StreamLedger") -> "Iterator[Callable[[str, FrameLedger], None]]":
    """Takes frames into the account and writes a line each; ends with the stream's, however the stream ended."""
    with naming(path) if path else nullcontext(), open_text(path, "w") if path else nullcontext() as lines:

        def enter(name: str, frame: "FrameLedger") -> None:
            entry = account.add(frame)
            if lines:
                print(json.dumps({"photo": name} | entry), file=lines, flush=True)

        try:
            yield enter
        finally:
            if lines:
                print(json.dumps(account.total()), file=lines, flush=True)
