"""One row a picture: as text, CSV, JSON or a JSON object a line; and how a run goes on where it was."""

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Final

FORMATS: Final = ("text", "csv", "json", "ndjson")
BY_SUFFIX: Final = {".csv": "csv", ".json": "json", ".ndjson": "ndjson", ".jsonl": "ndjson", ".txt": "text"}
RESUMABLE: Final = ("csv", "ndjson")

COLUMNS: Final = (
    "name", "person", "p_person", "exited", "burst_index", "processed", "skipped", "unread", "processed_ratio", "macs",
    "elapsed_us", "code", "message", "variant", "weights", "policy",
)  # fmt: skip
"""Of CSV; JSON has the logits and, where wanted, the curve too."""
SETTINGS: Final = ("variant", "weights", "policy")

Row = dict[str, Any]


class RowsError(ValueError):
    """A file of rows that can't be gone on with."""


class RowWriter:
    """Writes rows as they come.

    Args:
        file: open text.
        kind: one of `FORMATS`.
        settings: what all rows have in common, the `SETTINGS`.
        fresh: whether the file is empty.
    """

    def __init__(self, file: IO[str], kind: str, settings: Mapping[str, Any], *, fresh: bool = True) -> None:
        self._file, self._kind, self._settings = file, kind, settings
        self._count = 0
        self._csv = csv.DictWriter(file, COLUMNS, extrasaction="ignore", lineterminator="\n")
        if kind == "csv" and fresh:
            self._csv.writeheader()
        elif kind == "json":
            file.write(json.dumps(dict(settings))[:-1] + ', "results": [')

    def add(self, row: Row) -> None:
        """Writes one."""
        if self._kind == "text":
            self._file.write(in_words(row, self._settings["bursts_per_frame"]) + "\n")
        elif self._kind == "csv":
            named = {key: self._settings[key] for key in SETTINGS}
            self._csv.writerow(row | named | {"policy": json.dumps(named["policy"])})
        elif self._kind == "json":
            self._file.write(("," if self._count else "") + "\n" + json.dumps(row))
        else:
            self._file.write(json.dumps(row | {key: self._settings[key] for key in SETTINGS}) + "\n")
        self._count += 1
        self._file.flush()  # what is done stays done

    def close(self) -> None:
        """Writes what belongs at the end."""
        if self._kind == "json":
            self._file.write("\n]}\n")
        self._file.flush()


def in_words(row: Row, bursts_per_frame: int) -> str:
    """A row for people."""
    if row.get("code"):
        return f"{row['name']}: {row['message']} ({row['code']})"
    said = "person" if row["person"] else "no person"
    return (
        f"{row['name']}: {said}, P(person) {row['p_person']:.3f}, "
        f"{row['processed']} of {bursts_per_frame} bursts processed"
    )


def read_rows(path: Path, kind: str, settings: Mapping[str, Any]) -> Iterator[Row]:
    """The rows of a run that was interrupted; a last line that was cut off is taken away.

    Raises:
        RowsError: not such a file, or one of other settings.
    """
    _drop_torn_line(path)
    with path.open(newline="") as file:
        found: Iterator[Any] = csv.DictReader(file) if kind == "csv" else map(_parsed, file)
        for number, row in enumerate(found, 1):
            try:
                policy = json.loads(row["policy"]) if kind == "csv" else row["policy"]
                if kind == "csv":
                    row = _typed(row)
                made_with = {"variant": row["variant"], "weights": row["weights"], "policy": policy}
                name = row["name"]
            except (KeyError, TypeError, ValueError) as error:
                raise RowsError(f"{path}: row {number} is not one that this command wrote") from error
            wanted = {key: settings[key] for key in SETTINGS}
            if made_with != wanted:
                other = next(key for key in SETTINGS if made_with[key] != wanted[key])
                raise RowsError(f"{path}: was made with another {other}: {made_with[other]}, not {wanted[other]}")
            yield {"name": name} | row


def _parsed(line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None


def _typed(row: Mapping[str, str]) -> Row:
    kinds = {"p_person": float, "processed_ratio": float}
    numbers = ("burst_index", "processed", "skipped", "unread", "macs", "elapsed_us")
    typed: Row = {key: value for key, value in row.items() if value != ""}
    for key in typed:
        if key in ("person", "exited"):
            typed[key] = typed[key] == "True"
        elif key in kinds or key in numbers:
            typed[key] = kinds.get(key, int)(typed[key])
    return typed


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
