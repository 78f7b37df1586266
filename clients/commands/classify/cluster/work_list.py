"""The list of pictures of a run: from paths as the local command takes them, and from manifests."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Final

import pyarrow as pa
from pyarrow import csv, parquet
from pyarrow.fs import FileSystem

from clients.commands.classify.cluster.addresses import (
    FAILURES,
    PlaceError,
    beside,
    filesystem_of,
    reason_of,
)
from clients.commands.classify.cluster.columns import table_of_pictures
from clients.commands.names import canonical
from clients.commands.sources import Picture, pictures

COLUMN: Final = "path"
"""Column of a manifest that says where the pictures are."""
LEAST: Final = 32
MOST: Final = 4096
SHARE: Final = 64
"""A piece of the list has between `LEAST` and `MOST` pictures, and at most a `SHARE`th of those before it.

A piece is what one task classifies and what one file of results holds. So a short run still has enough pieces for all
processes, and a long one no million of files.
"""


class ManifestError(ValueError):
    """A manifest that can't be read."""


def listed(paths: Iterable[str], manifests: Iterable[str]) -> Iterator[Picture]:
    """Yields all pictures in order: those at the paths, then those of the manifests; local paths are absolute.

    Raises:
        ManifestError: a manifest without the column `path`, or with a row that names nothing.
        PlaceError: a manifest that is not there.
    """
    for picture in pictures(paths):
        yield replace(picture, path=os.path.abspath(picture.path))  # noqa: PTH100 - keeps links
    for manifest in manifests:
        for row, path in enumerate(_paths(manifest), 1):
            if not path:
                raise ManifestError(f"{manifest}: row {row} names no picture; column {COLUMN!r} is empty there")
            name = os.fsdecode(path)
            yield Picture(canonical(name), beside(manifest, name))


def check_manifests(manifests: Iterable[str]) -> None:
    """Looks that each manifest is there and has the column `path`.

    Raises:
        ManifestError, PlaceError: see `listed`.
    """
    for manifest in manifests:
        next(_paths(manifest), None)


def _paths(manifest: str) -> Iterator[bytes | None]:
    filesystem, inside = filesystem_of(manifest)
    try:
        if manifest.lower().endswith((".parquet", ".pq")):
            with filesystem.open_input_file(inside) as file:
                table = parquet.ParquetFile(file)
                _check_column(manifest, table.schema_arrow.names)
                for batch in table.iter_batches(columns=[COLUMN]):
                    yield from batch.column(0).cast(pa.binary()).to_pylist()
        else:
            with filesystem.open_input_stream(inside) as file:
                options = csv.ConvertOptions(column_types={COLUMN: pa.binary()}, check_utf8=False)
                reader = csv.open_csv(file, convert_options=options)
                _check_column(manifest, reader.schema.names)
                place = reader.schema.names.index(COLUMN)
                for batch in reader:
                    yield from batch.column(place).to_pylist()
    except ManifestError:
        raise
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise ManifestError(
            f"{manifest}: not a manifest, which is CSV with a header or Parquet: {reason_of(error)}"
        ) from error
    except FAILURES as error:
        raise PlaceError(f"{manifest}: can't be read: {reason_of(error)}") from error


def _check_column(manifest: str, names: list[str]) -> None:
    if COLUMN not in names:
        found = ", ".join(names)[:100]
        raise ManifestError(f"{manifest}: has no column {COLUMN!r}, which says where the pictures are; it has {found}")


def write_list(filesystem: FileSystem, folder: str, found: Iterable[Picture]) -> int:
    """Writes the list, piece by piece, so that memory stays flat; returns the number of pictures.

    Raises:
        OSError: it can't be written.
    """
    waiting = iter(found)
    count = 0
    while piece := list(islice(waiting, min(MOST, max(LEAST, count // SHARE)))):
        path = f"{folder}/{count:012d}-{len(piece)}.parquet"
        parquet.write_table(table_of_pictures(count, piece), path, filesystem=filesystem)
        count += len(piece)
    return count


def counted_in(path: str) -> int:
    """Returns the number of pictures of a piece of the list, which its name says."""
    return int(path.rpartition("-")[2].removesuffix(".parquet"))
