"""Streams of a command: shots to the service, a view of them, and the account."""

import asyncio
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import anyio.to_thread
import msgspec
import typer

from clients.commands.console import INTERRUPTED, NOTHING_FOUND, SOME_FAILED, console, fail, failing_on
from clients.commands.names import open_text
from clients.commands.outputs import check_outputs, naming
from clients.commands.stream.announcing import Announcing
from clients.commands.stream.scenes import News, Shot
from clients.commands.stream.view import JsonView, LiveView, PlainView, Totals, result_table, wall_clock
from clients.python.announcement import announce
from clients.python.presence import Presence, PresenceEvent
from sensor_sim.emitter import Observation
from sensor_sim.live import LiveChange
from sensor_sim.uplink import ServiceChange, StreamError
from sensor_sim.wire import encode

if TYPE_CHECKING:
    from clients.python.client import AsyncClient
    from sensor_sim.ledger import FrameReport, StreamLedger

PANEL: Final = "Output"
MOST_IN_TABLE: Final = 32
"""Frames of which the closing table is made; of more, such as a film's, their own lines say enough."""
KEEP_OPEN_SHARE: Final = 1 / 3
"""Share of the service's patience without a picture after which the service is told that the stream lives."""


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
            "--events", rich_help_panel=PANEL, help="print when a person appeared or left (see `rascanet events`)"
        ),
    ] = False
    ledger: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            rich_help_panel=PANEL,
            help="file for the costs and savings of each frame, one JSON object a line",
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
            help="stream as fast as possible instead of in real time; a busy machine costs no picture",
        ),
    ] = False

    def check(self) -> None:
        """Ends the command where it would write over a file."""
        check_outputs(overwrite=self.overwrite, ledger=self.ledger)

    def view(self, region: str, *, alone: bool) -> PlainView:
        """Returns what shows the stream of a region: live on a terminal, where the stream is alone there."""
        if self.as_json:
            return JsonView(region)
        moving = alone and console.is_terminal and not self.bursts
        return LiveView(console, region) if moving else PlainView(region, bursts=self.bursts)


@dataclass(frozen=True, slots=True)
class Feed:
    """One stream to come.

    Attributes:
        region: name of the region that the stream shows; empty for a whole picture.
        shots: the frames, see `News`; those that can't be shown are named and counted.
        open_client: makes the client, from `clock` and `observer`.
        masked_share: share of every frame that is masked, 0 to 1.
        interrupted: is called when the service was lost.
    """

    region: str
    shots: Iterator[News]
    open_client: "Callable[..., AsyncClient]"
    masked_share: float = 0.0
    interrupted: Callable[[], None] = lambda: None


class End:
    """Mark of the end of a stream's shots."""


END: Final = End()


@dataclass(slots=True)
class _Account:
    """Results of the shots of all streams so far."""

    totals: Totals = field(default_factory=Totals)
    reports: "list[tuple[str, FrameReport]]" = field(default_factory=list)
    faults: int = 0
    interrupted: bool = False
    failure: StreamError | None = None
    burst_rows: int = 1
    """Rows of a burst; all streams of a command have one geometry."""


def send(feeds: Sequence[Feed], output: OutputChoice, announcing: Announcing | None = None) -> None:
    """Streams shots, shows and announces what turns over them, keeps the ledger, and ends with the sums.

    Several streams run side by side; each has its own connection, presence and ledger's account.

    Raises:
        typer.Exit: some shots could not be shown, or the streams were interrupted.
    """
    from sensor_sim.ledger import EnergyError, StreamLedger, read_energy
    from sensor_sim.profiles import ProfileError
    from sensor_sim.scene import SceneError

    account = _Account()
    with failing_on(StreamError, SceneError, ProfileError, EnergyError, ValueError):
        energy = read_energy(output.energy) if output.energy else None
        # A scene that can't be shown is told before the service is asked.
        firsts = [next(feed.shots, END) for feed in feeds]
        if END in firsts:
            fail("there are no frames to send", NOTHING_FOUND)
        with _ledger_lines(output.ledger) as enter:
            alone = len(feeds) == 1
            told = announcing or Announcing()
            streams = [_Stream(feed, output, StreamLedger(energy), enter, account, told, alone=alone) for feed in feeds]
            try:
                asyncio.run(_run_all(streams, firsts))
            except KeyboardInterrupt:
                account.interrupted = True
            except StreamError as error:
                account.failure = error
    if not output.as_json and (account.totals.frames or not account.failure):
        _tell(account)
    if account.failure:
        with failing_on(StreamError):
            raise account.failure
    if account.interrupted:
        raise typer.Exit(INTERRUPTED)
    if account.faults:
        raise typer.Exit(SOME_FAILED)


class _Stream:
    """One stream, its view and its account.

    Args:
        feed: the stream to come.
        output: lines to show.
        ledger: account of the stream.
        enter: takes an entry into the ledger's file.
        account: account of all streams.
        announcing: ways out for announcements.
        alone: true if the command has no other stream.
    """

    def __init__(
        self,
        feed: Feed,
        output: OutputChoice,
        ledger: "StreamLedger",
        enter: Callable[[dict[str, object]], None],
        account: _Account,
        announcing: Announcing,
        *,
        alone: bool,
    ) -> None:
        self._feed, self._output, self._ledger, self._account = feed, output, ledger, account
        self._view = output.view(feed.region, alone=alone)
        self._presence = Presence() if output.events or announcing.sinks else None
        self._announcing, self._decided = announcing, 0
        self._told: dict[str, object] = {"region": feed.region} if feed.region else {}
        self._enter = enter
        self._said_s = 0.0

    async def run(self, first: News | End) -> None:
        """Streams the first shot and all that come after it."""
        from sensor_sim.clock import VirtualClock

        clock = VirtualClock() if self._output.virtual_time else None
        try:
            with self._view:
                async with self._feed.open_client(clock=clock, observer=self._observe) as client:
                    self._account.burst_rows = client.geometry.burst_rows
                    news = first
                    while not isinstance(news, End):
                        await self._take(news, client)
                        # A thread waits for the next picture; the connection lives on meanwhile.
                        news = await anyio.to_thread.run_sync(next, self._feed.shots, END)
                    summary = await client.end()
        finally:
            masked = {"masked_share": self._feed.masked_share} if self._feed.masked_share else {}
            self._enter(self._told | self._ledger.total() | masked)
        if self._output.as_json:
            print(json.dumps(self._told | msgspec.json.decode(encode(summary))))

    def _observe(self, event: Observation) -> None:
        if isinstance(event, ServiceChange) and not event.up:
            self._feed.interrupted()
        self._view.observe(event)

    async def _take(self, news: News, client: "AsyncClient") -> None:
        now_s = time.monotonic()
        if isinstance(news, LiveChange):
            self._view.changed(news)
        elif isinstance(news, Shot):
            self._said_s = now_s
            await self._send(news, client)
        elif now_s - self._said_s > KEEP_OPEN_SHARE * client.idle_s:
            self._said_s = now_s
            await client.keep_open()

    async def _send(self, shot: Shot, client: "AsyncClient") -> None:
        from sensor_sim.emitter import FrameLostError
        from sensor_sim.scene import SceneError

        view, totals, rows = self._view, self._account.totals, client.geometry.burst_rows
        if shot.reader is None:
            self._fault(shot.name, shot.fault)
            return
        view.begin(shot.name, client.geometry, shot.taken_s)
        told: dict[str, object] = {"photo": shot.name} | self._told
        if shot.taken_s is not None:
            told["taken_at"] = wall_clock(shot.taken_s)
        try:
            report = await client.emit(shot.reader, shot.start_us)
        except FrameLostError as lost:
            view.lost(lost.ledger, lost.reason)
            self._enter(told | self._ledger.add(lost.ledger))
            totals.add(lost.ledger, None, rows)
            return
        except SceneError as broken:  # a film that breaks off; the frame is given up, and other sources go on
            self._fault(shot.name, str(broken))
            return
        view.end(report)
        turned = self._presence.add(report.decision.p_person, report.start_us / 1e6) if self._presence else None
        if turned and self._output.events:
            view.turned(turned)
        self._announce(turned, report, shot.taken_s or time.time())
        if len(self._account.reports) <= MOST_IN_TABLE:
            self._account.reports.append((view.name, report))
        totals.add(report, report.decision, rows)
        self._enter(told | self._ledger.add(report))

    def _fault(self, name: str, reason: str) -> None:
        self._view.fault(name, reason)
        self._account.faults += 1

    def _announce(self, turned: PresenceEvent | None, report: "FrameReport", taken_s: float) -> None:
        """Tells the ways out what turned; and once that nobody is there, if the stream begins so."""
        presence, region = self._presence, self._feed.region
        self._decided += 1
        # One id, whoever hears of it.
        announcement = turned and announce(turned, report, self._announcing.sensor, region, taken_s)
        for sink in self._announcing.sinks:
            if announcement:
                sink.tell(announcement)
            elif presence and not presence.present and self._decided == presence.hysteresis.leave_frames:
                sink.rest(region)


async def _run_all(streams: Sequence[_Stream], firsts: Sequence[News | End]) -> None:
    """Runs streams side by side; an error of one ends the others."""
    running = [asyncio.create_task(stream.run(first)) for stream, first in zip(streams, firsts, strict=True)]
    try:
        await asyncio.gather(*running)
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def _tell(account: _Account) -> None:
    if 0 < len(account.reports) <= MOST_IN_TABLE:
        result_table(account.reports, account.burst_rows).show(console)
    lines = account.totals.lines()
    if account.faults:
        lines.append(f"{account.faults} could not be read")
    for line in lines:
        console.print(line, highlight=False)


@contextmanager
def _ledger_lines(path: Path | None) -> Iterator[Callable[[dict[str, object]], None]]:
    """Takes entries and writes a line each, where there is a file."""
    with naming(path) if path else nullcontext(), open_text(path, "w") if path else nullcontext() as lines:

        def enter(entry: dict[str, object]) -> None:
            if lines:
                print(json.dumps(entry), file=lines, flush=True)

        yield enter
