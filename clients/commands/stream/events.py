"""`rascanet events`: when a person appeared and left in a stream, and a score against the truth."""

import csv
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from clients.commands.console import console, failing_on
from clients.commands.stream.view import event_words
from clients.python.presence import Hysteresis, Turn, presence_events

Enter = Annotated[float, typer.Option(min=0, max=1, help="P(person) from which a frame speaks for a person")]
Leave = Annotated[float, typer.Option(min=0, max=1, help="P(person) up to which a frame speaks against one")]
AppearFrames = Annotated[int, typer.Option(min=1, help="frames in a row until a person appeared")]
LeaveFrames = Annotated[int, typer.Option(min=1, help="frames in a row until the person left")]
DEFAULT = Hysteresis()


class StreamFileError(ValueError):
    """A ledger or a file of windows that can't be used."""


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("events")(events)


def events(
    ledger: Annotated[Path, typer.Argument(help="file that `rascanet stream --ledger` wrote")],
    truth: Annotated[
        Path | None, typer.Option(help="CSV with start_s,end_s: when a person is there; gives a score")
    ] = None,
    enter: Enter = DEFAULT.enter,
    leave: Leave = DEFAULT.leave,
    appear_frames: AppearFrames = DEFAULT.appear_frames,
    leave_frames: LeaveFrames = DEFAULT.leave_frames,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object a line, for programs")] = False,
) -> None:
    """Prints the events of a recorded stream and, with --truth, detections in windows and false ones per hour.

    Examples:
        rascanet events ledger.jsonl
        rascanet events ledger.jsonl --truth windows.csv
    """
    from model.training.event_score import streaming_score

    with failing_on(ValueError, OSError):
        frames = list(read_frames(ledger))
        found = list(presence_events(frames, Hysteresis(enter, leave, appear_frames, leave_frames)))
        score = None
        if truth:
            appeared = [event.time_s for event in found if event.turn is Turn.APPEARED]
            score = streaming_score(appeared, read_windows(truth), frames[-1][0])
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


def read_frames(ledger: Path) -> Iterator[tuple[float, float]]:
    """Time in seconds and P(person) of every decided frame; frames lost on the link say nothing.

    Raises:
        StreamFileError: a line that is no entry of a ledger, or no decided frame.
    """
    decided = 0
    with ledger.open() as lines:
        for number, line in enumerate(lines, start=1):
            try:
                entry = json.loads(line)
                if entry["type"] != "frame" or entry["lost"]:
                    continue
                frame = float(entry["start_us"]) / 1e6, float(entry["decision"]["p_person"])
            except (ValueError, KeyError, TypeError) as error:
                raise StreamFileError(f"{ledger}, line {number}: not an entry of a ledger ({error!r})") from error
            decided += 1
            yield frame
    if not decided:
        raise StreamFileError(f"{ledger}: there is no decided frame in it")


def read_windows(truth: Path) -> list[tuple[float, float]]:
    """The rows of a CSV with the columns start_s and end_s.

    Raises:
        StreamFileError: other columns, or no numbers.
    """
    try:
        rows = csv.DictReader(truth.read_text().splitlines())
        return [(float(row["start_s"]), float(row["end_s"])) for row in rows]
    except (KeyError, ValueError, TypeError) as error:
        raise StreamFileError(f"{truth}: expected a CSV with start_s,end_s ({error!r})") from error
