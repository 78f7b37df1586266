"""Columns of the list of pictures and of the results, and the way to them."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import pyarrow as pa

from clients.commands.classify.rows import SETTINGS, Row
from clients.commands.names import ENCODING, ERRORS
from clients.commands.sources import Picture

INDEX: Final = "index"
"""Place of a picture in the list, from 0: the one name that no two pictures share."""

PICTURES: Final = pa.schema(
    [
        pa.field(INDEX, pa.int64(), nullable=False),
        pa.field("name", pa.binary(), nullable=False),
        pa.field("path", pa.binary(), nullable=False),
        pa.field("member", pa.int64()),
        pa.field("code", pa.string()),
        pa.field("message", pa.string()),
    ]
)
"""The list of pictures; names and paths are bytes, since a file's name need not be UTF-8."""

_FOUND: Final[tuple[tuple[str, pa.DataType], ...]] = (
    ("person", pa.bool_()),
    ("p_person", pa.float64()),
    ("logits", pa.list_(pa.float64())),
    ("exited", pa.bool_()),
    ("burst_index", pa.int64()),
    ("processed", pa.int64()),
    ("skipped", pa.int64()),
    ("unread", pa.int64()),
    ("processed_ratio", pa.float64()),
    ("macs", pa.int64()),
    ("elapsed_us", pa.int64()),
    ("code", pa.string()),
    ("message", pa.string()),
    ("curve", pa.list_(pa.float64())),
)
"""What a row says of a picture; null where a row of the local command leaves it out."""
_SAME: Final = pa.dictionary(pa.int32(), pa.string())

ROWS: Final = pa.schema(
    [
        pa.field(INDEX, pa.int64(), nullable=False),
        pa.field("name", pa.string(), nullable=False),
        *(pa.field(name, kind) for name, kind in _FOUND),
        *(pa.field(name, _SAME) for name in SETTINGS),
    ]
)
"""Rows in a Parquet file. A name that is no UTF-8 has `\\xNN` for each such byte."""


def table_of_pictures(first: int, pictures: Iterable[Picture]) -> pa.Table:
    """Returns a piece of the list, whose first picture has the index `first`."""
    rows = [
        {
            INDEX: index,
            "name": picture.name.encode(ENCODING, ERRORS),
            "path": os.fsencode(picture.path),
            "member": picture.member,
            "code": picture.code or None,
            "message": picture.message or None,
        }
        for index, picture in enumerate(pictures, first)
    ]
    return pa.Table.from_pylist(rows, PICTURES)


def pictures_of_table(table: pa.Table) -> Iterator[tuple[int, Picture]]:
    """Yields index and picture of a piece of the list."""
    for row in table.to_pylist():
        name, path = row["name"].decode(ENCODING, ERRORS), os.fsdecode(row["path"])
        yield row[INDEX], Picture(name, path, row["member"], row["code"] or "", row["message"] or "")


def table_of_rows(indexed: Iterable[tuple[int, Row]], settings: Mapping[str, Any]) -> pa.Table:
    """Returns rows as the columns of a Parquet file.

    Args:
        indexed: index and row of each picture.
        settings: values that all rows have in common.
    """
    same = {key: value if isinstance(value := settings[key], str) else json.dumps(value) for key in SETTINGS}
    rows = [
        row | same | {INDEX: index, "name": row["name"].encode(ENCODING, ERRORS).decode(ENCODING, "backslashreplace")}
        for index, row in indexed
    ]
    return pa.Table.from_pylist(rows, ROWS)
