"""`rascanet events`: when a person appeared and left in a stream, and a score against the truth."""

import csv
import io
import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clients.commands.console import SOME_FAILED, console, fail, failing_on
from clients.commands.remarks import tell_remarks
from clients.commands.stream.view import event_words, place_words, wall_clock
from clients.commands.suggestions import no_such
from clients.python.presence import Hysteresis, PresenceEvent, Turn, presence_events

if TYPE_CHECKING:
    from model.training.dataset import Remark

Enter = Annotated[
    float, typer.Option(min=0, max=1, metavar="P", help="a frame counts as *person* if its P(person) is this or more")
]
Leave = Annotated[
    float,
    typer.Option(min=0, max=1, metavar="P", help="a frame counts as *no person* if its P(person) is this or less"),
]
AppearFrames = Annotated[int, typer.Option(min=1, metavar="N", help="frames in a row until a person appeared")]
LeaveFrames = Annotated[int, typer.Option(min=1, metavar="N", help="frames in a row until the person left")]
DEFAULT = Hysteresis()


class StreamFileError(ValueError):
    """A ledger or a file of windows that can't be used."""


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("events")(events)


def events(
    ledger: Annotated[Path, typer.Argument(metavar="LEDGER", help="file that `rascanet stream --ledger` wrote")],
    truth: Annotated[
        Path | None, typer.Option(metavar="FILE", help="CSV with start_s,end_s: the times in which a person is there")
    ] = None,
    region: Annotated[
        str | None, typer.Option(metavar="NAME", help="region whose events are printed; if not given: all of them")
    ] = None,
    enter: Enter = DEFAULT.enter,
    leave: Leave = DEFAULT.leave,
    appear_frames: AppearFrames = DEFAULT.appear_frames,
    leave_frames: LeaveFrames = DEFAULT.leave_frames,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object a line, for programs")] = False,
) -> None:
    """Prints when a person appeared and left, from the ledger of a stream; with --truth, compares this with the truth.

    Examples:
        rascanet events ledger.jsonl
        rascanet events ledger.jsonl --truth windows.csv
    """
    from model.training.event_score import streaming_score

    with failing_on(ValueError, OSError):
        hysteresis = Hysteresis(enter, leave, appear_frames, leave_frames)
        streams, remarks = read_streams(ledger)
        if remarks and not streams:
            fail(f"{ledger}: not a ledger; `rascanet stream --ledger FILE` writes one")
        tell_remarks(remarks)
        if not streams:
            fail(f"{ledger}: there is no decided frame in it", SOME_FAILED)
        if region is not None:
            if region not in streams:
                fail(f"{ledger}: {no_such('region', region, filter(None, streams))}")
            streams = {region: streams[region]}
        if truth and len(streams) > 1:
            fail(f"the truth is that of one region; choose one with --region: {', '.join(streams)}")
        found = [
            (place, event, taken_s)
            for place, frames in streams.items()
            for event, taken_s in _events(frames, hysteresis)
        ]
        score = None
        if truth:
            appeared = [event.time_s for _, event, _ in found if event.turn is Turn.APPEARED]
            windows, remarks = read_windows(truth)
            tell_remarks(remarks)
            if not windows:
                fail(f"{truth}: there is no usable window in it", SOME_FAILED)
            (frames,) = streams.values()
            score = streaming_score(appeared, windows, frames[-1].time_s)
    for place, event, taken_s in sorted(found, key=lambda each: each[1].time_s):
        if as_json:
            where = {"region": place} if place else {}
            at = {} if taken_s is None else {"taken_at": wall_clock(taken_s)}
            print(json.dumps({"type": "event"} | where | at | asdict(event)))
        else:
            console.print(place_words(place) + event_words(event, taken_s), highlight=False, markup=False)
    if score and as_json:
        print(json.dumps({"type": "score"} | asdict(score) | {"false_per_hour": score.false_per_hour}))
    elif score:
        low, high = score.recall_interval
        least, most = score.false_per_hour_interval
        delay = "" if score.delay_s is None else f", {score.delay_s:.2f} s after the start on average"
        console.print(f"{score.found} of {score.windows} found ({low:.0%} to {high:.0%}){delay}")
        console.print(
            f"{score.false_alarms} false in {score.hours:.3g} h: "
            f"{score.false_per_hour:.3g} per hour ({least:.3g} to {most:.3g})"
        )


@dataclass(frozen=True, slots=True)
class DecidedFrame:
    """A frame of a ledger.

    Attributes:
        time_s: start of the readout, seconds since the stream began.
        p_person: P(person), 0 to 1.
        taken_s: time at which a camera's picture arrived, seconds since 1970; None if there was no camera.
    """

    time_s: float
    p_person: float
    taken_s: float | None


def _events(frames: list[DecidedFrame], hysteresis: Hysteresis) -> Iterator[tuple[PresenceEvent, float | None]]:
    """Yields the events of a stream, each with the time at which the picture of its last frame arrived."""
    taken = {frame.time_s: frame.taken_s for frame in frames}
    for event in presence_events([(frame.time_s, frame.p_person) for frame in frames], hysteresis):
        yield event, taken[event.time_s]


def read_streams(ledger: Path) -> tuple[dict[str, list[DecidedFrame]], "list[Remark]"]:
    """Reads the decided frames of a ledger; frames lost on the link say nothing.

    Returns:
        The frames of each region (the whole picture has an empty name), and the lines that are no entries of a ledger.

    Raises:
        OSError: the file can't be read.
    """
    from model.training.dataset import Remark
    from model.training.text_file import read_text

    streams: dict[str, list[DecidedFrame]] = {}
    left_out: list[Remark] = []
    for number, line in enumerate(read_text(ledger).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
            if entry["type"] != "frame" or entry["lost"]:
                continue
            time_s, p_person = float(entry["start_us"]) / 1e6, float(entry["decision"]["p_person"])
            if not (math.isfinite(time_s) and 0 <= p_person <= 1):
                raise ValueError(f"the time {time_s} s or P(person) {p_person} can't be")
            taken_at = entry.get("taken_at")
            taken_s = None if taken_at is None else datetime.fromisoformat(taken_at).timestamp()
            streams.setdefault(str(entry.get("region", "")), []).append(DecidedFrame(time_s, p_person, taken_s))
        except (ValueError, KeyError, TypeError, RecursionError):
            left_out.append(Remark(f"{ledger}, line {number}", "left out", "not an entry of a ledger"))
    return streams, left_out


def read_windows(truth: Path) -> tuple[list[tuple[float, float]], "list[Remark]"]:
    """Reads the rows of a CSV with the columns start_s and end_s.

    Returns:
        The windows, each once, and the lines that are none or were repaired.

    Raises:
        StreamFileError: other columns.
        OSError: the file can't be read.
    """
    from model.training.dataset import Remark
    from model.training.text_file import read_text

    table = csv.DictReader(io.StringIO(read_text(truth), newline=""))
    table.fieldnames = [(name or "").strip().lower() for name in table.fieldnames or ()]
    missing = {"start_s", "end_s"} - set(table.fieldnames)
    if missing:
        raise StreamFileError(f"{truth}: expected a CSV with start_s,end_s; {' and '.join(sorted(missing))} is missing")
    windows: list[tuple[float, float]] = []
    remarks: list[Remark] = []
    for row in table:
        place = f"{truth}, line {table.line_num}"
        try:
            start_s, end_s = float(row["start_s"]), float(row["end_s"])
        except (ValueError, TypeError):
            start_s = end_s = math.nan
        if not (math.isfinite(start_s) and math.isfinite(end_s)):
            remarks.append(Remark(place, "left out", "start_s and end_s are not two numbers"))
            continue
        if start_s > end_s:
            remarks.append(Remark(place, "repaired", f"it ends before it starts; {end_s} s to {start_s} s is taken"))
            start_s, end_s = end_s, start_s
        if (start_s, end_s) in windows:
            remarks.append(Remark(place, "left out", "the same window stands above"))
        else:
            windows.append((start_s, end_s))
    return windows, remarks
