"""`rascanet events`: when a person appeared and left in a stream, and a score against the truth."""

import csv
import io
import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clients.commands.console import SOME_FAILED, console, fail, failing_on
from clients.commands.remarks import tell_remarks
from clients.commands.stream.view import event_words
from clients.python.presence import Hysteresis, Turn, presence_events

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
    enter: Enter = DEFAULT.enter,
    leave: Leave = DEFAULT.leave,
    appear_frames: AppearFrames = DEFAULT.appear_frames,
    leave_frames: LeaveFrames = DEFAULT.leave_frames,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object a line, for programs")] = False,
) -> None:
    """Prints when a person appeared and left in a recorded stream; with --truth, compares this with the truth.

    Examples:
        rascanet events ledger.jsonl
        rascanet events ledger.jsonl --truth windows.csv
    """
    from model.training.event_score import streaming_score

    with failing_on(ValueError, OSError):
        frames, remarks = read_frames(ledger)
        tell_remarks(remarks)
        if not frames:
            fail(f"{ledger}: there is no decided frame in it", SOME_FAILED)
        found = list(presence_events(frames, Hysteresis(enter, leave, appear_frames, leave_frames)))
        score = None
        if truth:
            appeared = [event.time_s for event in found if event.turn is Turn.APPEARED]
            windows, remarks = read_windows(truth)
            tell_remarks(remarks)
            if not windows:
                fail(f"{truth}: there is no usable window in it", SOME_FAILED)
            score = streaming_score(appeared, windows, frames[-1][0])
    for event in found:
        if as_json:
            print(json.dumps({"type": "event"} | asdict(event)))
        else:
            console.print(event_words(event))
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


def read_frames(ledger: Path) -> tuple[list[tuple[float, float]], "list[Remark]"]:
    """Reads time in seconds and P(person) of every decided frame; frames lost on the link say nothing.

    Returns:
        The frames, and the lines that are no entries of a ledger.

    Raises:
        OSError: the file can't be read.
    """
    from model.training.dataset import Remark
    from model.training.text_file import read_text

    frames, left_out = [], []
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
            frames.append((time_s, p_person))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            left_out.append(Remark(f"{ledger}, line {number}", "left out", f"not an entry of a ledger ({error!r})"))
    return frames, left_out


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
