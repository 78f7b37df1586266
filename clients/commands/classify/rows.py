"""One row a picture: as text, CSV, JSON or a JSON object a line; and how a run goes on where it was."""

import csv
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Annotated, Any, Final

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from clients.commands.names import cell, open_text, shown, uncelled

FORMATS: Final = ("text", "csv", "json", "ndjson")
BY_SUFFIX: Final = {".csv": "csv", ".json": "json", ".ndjson": "ndjson", ".jsonl": "ndjson", ".txt": "text"}
RESUMABLE: Final = ("csv", "ndjson")

COLUMNS: Final = (
    "name", "person", "p_person", "exited", "burst_index", "processed", "skipped", "unread", "processed_ratio", "macs",
    "elapsed_us", "code", "message", "variant", "weights", "policy",
)  # fmt: skip
"""Columns of CSV; JSON has the logits and, where wanted, the curve too."""
SETTINGS: Final = ("variant", "weights", "policy")

Row = dict[str, Any]


class RowsError(ValueError):
    """A file of rows that can't be gone on with."""


class RowWriter:
    """Writes rows as they come.

    Args:
        file: open text.
        kind: one of `FORMATS`.
        settings: values that all rows have in common, the `SETTINGS`.
        fresh: true if the file is empty.
    """

    def __init__(self, file: IO[str], kind: str, settings: Mapping[str, Any], *, fresh: bool = True) -> None:
        self._file, self._kind, self._settings = file, kind, settings
        self._count = 0
        # RFC 4180 ends lines so; with "\n" alone a name that holds "\r" would not be quoted.
        self._csv = csv.DictWriter(file, COLUMNS, extrasaction="ignore", lineterminator="\r\n")
        if kind == "csv" and fresh:
            self._csv.writeheader()
        elif kind == "json":
            file.write(json.dumps(dict(settings))[:-1] + ', "results": [')

    def add(self, row: Row) -> None:
        """Writes one."""
        if self._kind == "text":
            self._file.write(in_words(row, self._settings["bursts_per_frame"]) + "\n")
        elif self._kind == "csv":
            same = {key: self._settings[key] for key in SETTINGS}
            cells = row | same | {"policy": json.dumps(same["policy"])}
            self._csv.writerow({key: cell(value) if isinstance(value, str) else value for key, value in cells.items()})
        elif self._kind == "json":
            self._file.write(("," if self._count else "") + "\n" + json.dumps(row))
        else:
            named = {"name": row["name"]}  # first, so that a torn line is known as one of ours
            self._file.write(json.dumps(named | row | {key: self._settings[key] for key in SETTINGS}) + "\n")
        self._count += 1
        self._file.flush()  # what is done stays done

    def close(self) -> None:
        """Writes what belongs at the end."""
        if self._kind == "json":
            self._file.write("\n]}\n")
        self._file.flush()


def in_words(row: Row, bursts_per_frame: int) -> str:
    """A row for people."""
    name = shown(row["name"])
    if row.get("code"):
        return f"{name}: {shown(row['message'])} ({shown(row['code'])})"
    said = "person" if row["person"] else "no person"
    return f"{name}: {said}, P(person) {row['p_person']:.3f}, {row['processed']} of {bursts_per_frame} bursts processed"


Count = Annotated[int, Meta(ge=0, lt=2**53)]
Share = Annotated[float, Meta(ge=0, le=1)]


class _Settings(Struct):
    """Values that all rows of a file have in common."""

    variant: str
    weights: str
    policy: dict[str, Any]


class _Decided(_Settings):
    """A row of a picture that was classified, as a file of an earlier run must have it."""

    name: str
    person: bool
    p_person: Share
    exited: bool
    burst_index: Count
    processed: Count
    skipped: Count
    unread: Count
    processed_ratio: Share
    macs: Count
    elapsed_us: Count
    logits: tuple[float, float] | UnsetType = UNSET
    curve: list[Share | None] | UnsetType = UNSET


class _Refused(_Settings):
    """A row of a picture that was not."""

    name: str
    code: str
    message: str


def read_rows(path: Path, kind: str, settings: Mapping[str, Any]) -> Iterator[Row]:
    """Yields the rows of a run that was interrupted; a last line that was cut off is taken away once all are read.

    Raises:
        RowsError: not such a file, or one of other settings; nothing in it is believed unchecked. It stays as it is.
        OSError: it can't be read.
    """
    start = ",".join(COLUMNS) + "\r\n" if kind == "csv" else '{"name": '
    wanted = {key: settings[key] for key in SETTINGS}
    with open_text(path) as file:
        begins = file.read(len(start))
        if begins != start[: len(begins)]:
            raise RowsError(f"{path}: row 1 is not one that this command wrote (another kind of file)")
        file.seek(0)
        lines = _whole_lines(file)
        found_rows = _from_csv(lines) if kind == "csv" else _from_ndjson(lines)
        for number in itertools.count(1):
            try:
                found = next(found_rows, None)
                if found is None:
                    break
                row = msgspec.convert(found, _Refused if found.get("code") else _Decided, strict=kind != "csv")
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError, csv.Error) as error:
                raise RowsError(f"{path}: row {number} is not one that this command wrote ({error})") from error
            made_with = {key: getattr(row, key) for key in SETTINGS}
            if made_with != wanted:
                other = next(key for key in SETTINGS if made_with[key] != wanted[key])
                raise RowsError(f"{path}: was made with another {other}: {made_with[other]}, not {wanted[other]}")
            yield {key: value for key, value in msgspec.to_builtins(row).items() if key not in SETTINGS}
    _drop_torn_line(path)


def _whole_lines(file: IO[str]) -> Iterator[str]:
    """The lines up to the last line feed; a carriage return alone, which names may hold, ends none."""
    waiting: list[str] = []
    for line in file:
        waiting.append(line)
        if line.endswith("\n"):
            yield from waiting
            waiting.clear()


def _from_ndjson(lines: Iterable[str]) -> Iterator[Any]:
    for line in lines:
        row = json.loads(line)
        if not isinstance(row, dict):
            raise TypeError("not an object")
        yield row


def _from_csv(lines: Iterable[str]) -> Iterator[Any]:
    for row in csv.DictReader(lines):
        cells: dict[str, Any] = {key: uncelled(value) for key, value in row.items() if value}
        yield cells | {"policy": json.loads(cells["policy"])}


def _drop_torn_line(path: Path) -> None:
    """Only the end of the file is read."""
    with path.open("r+b") as file:
        size = file.seek(0, 2)
        end = size
        while end:
            start = max(0, end - 65_536)
            file.seek(start)
            newline = file.read(end - start).rfind(b"\n")
            if newline >= 0:
                end = start + newline + 1
                break
            end = start
        if end != size:
            file.truncate(end)
