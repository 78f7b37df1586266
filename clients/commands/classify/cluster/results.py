"""The folder of a run's results, on any file system that all its machines see.

_run.json      what the run is: network, weights, policy, options, number of pictures; `--resume` must ask the same. And
               `run`, the name of the command that works on it: a later one takes over, the earlier one ends
_pictures/     the list of pictures, fixed as the run begins
_unfinished/   files that are being written; each is moved to its place when it is whole
rows/          the results, one file for each piece of the list: a piece whose file is there is done
_SUCCESS       written last: the sums and the digest of the weights. Without it, rows are missing
"""

import io
import json
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import Any, Final

from pyarrow import parquet
from pyarrow.fs import FileSelector, FileType

from clients.commands.classify.cluster.addresses import FAILURES, PlaceError, filesystem_of, is_address, reason_of
from clients.commands.classify.cluster.columns import INDEX, PICTURES, pictures_of_table, table_of_rows
from clients.commands.classify.rows import Row, RowWriter
from clients.commands.sources import Picture

PARQUET, NDJSON = "parquet", "ndjson"
KINDS: Final = (PARQUET, NDJSON)
RUN, SUCCESS = "_run.json", "_SUCCESS"
LIST, UNFINISHED, FILES = "_pictures", "_unfinished", "rows"
OURS: Final = frozenset({RUN, SUCCESS, LIST, UNFINISHED, FILES})
SUMMED: Final = (INDEX, "person", "p_person", "exited", "processed_ratio", "macs", "code")


class ResultsError(ValueError):
    """A folder of results that can't be begun, gone on with, or trusted."""


@contextmanager
def failing(place: str, fault: str) -> Iterator[None]:
    """Turns errors of file systems into one sentence about a place.

    Raises:
        PlaceError: instead of such an error.
    """
    try:
        yield
    except (PlaceError, ResultsError):
        raise
    except FAILURES as error:
        raise PlaceError(f"{place}: {fault}: {reason_of(error)}") from error


class ResultFolder:
    """The folder.

    Args:
        place: local path or address.
        kind: format of the rows, one of `KINDS`.

    Raises:
        PlaceError: there is no such place.
    """

    def __init__(self, place: str, kind: str) -> None:
        self.kind = kind
        self.filesystem, self.root = filesystem_of(place)
        self.place = place if is_address(place) else self.root

    def inside(self, name: str) -> str:
        """Returns the path of something in the folder, for its file system."""
        return f"{self.root}/{name}"

    def begin(self, *, overwrite: bool) -> None:
        """Makes the folder, empty.

        Raises:
            ResultsError: it holds something that must stay.
            PlaceError: it can't be written.
        """
        with failing(self.place, "can't be written"):
            names = self._names()
            others = sorted(names - OURS)
            if others:
                raise ResultsError(f"{self.place}: holds other files, such as {others[0]!r}; name a folder of its own")
            # A list alone is of a run that did not begin, as one with a wrong manifest.
            if not overwrite and (names & {RUN, SUCCESS} or self.has_rows):
                raise ResultsError(
                    f"{self.place}: holds an earlier run; --resume goes on with it, --overwrite replaces it"
                )
            # What says that the run is whole goes first, what says that it is a run last.
            for name in (SUCCESS, FILES, UNFINISHED, LIST, RUN):
                self._remove(name)
            if not is_address(self.place):  # object stores have no folders
                for folder in (self.root, *map(self.inside, (LIST, UNFINISHED, FILES))):
                    self.filesystem.create_dir(folder, recursive=False)

    def write(self, name: str, value: Mapping[str, Any]) -> None:
        """Writes a file of JSON, whole or not at all.

        Raises:
            PlaceError: it can't be written.
        """
        self._put(name, json.dumps(value, indent=2).encode() + b"\n")

    def read(self, name: str) -> dict[str, Any] | None:
        """Returns a file of JSON; None if there is none.

        Raises:
            PlaceError: it can't be read.
            ResultsError: it is not one of ours.
        """
        with failing(self.place, "can't be read"):
            try:
                with self.filesystem.open_input_stream(self.inside(name)) as file:
                    value = json.loads(file.read())
            except FileNotFoundError:
                return None
            except ValueError as error:
                raise ResultsError(f"{self.inside(name)}: not a file that this command wrote ({error})") from error
            if not isinstance(value, dict):
                raise ResultsError(f"{self.inside(name)}: not a file that this command wrote")
            return value

    def check_run(self, run: str) -> None:
        """Looks that no other command has begun or gone on with a run in the folder; the last one has it.

        Raises:
            PlaceError: one has, or the folder can't be read.
            ResultsError: see `read`.
        """
        found = self.read(RUN)
        if found is None or found.get("run") != run:
            raise PlaceError(f"{self.place}: another command has taken over this folder; this one ends")

    @property
    def has_rows(self) -> bool:
        """True if files of rows are there.

        Raises:
            PlaceError: the folder can't be read.
        """
        with failing(self.place, "can't be read"):
            return bool(self._files(FILES))

    def write_rows(self, piece: str, rows: Iterable[tuple[int, Row]], settings: Mapping[str, Any]) -> None:
        """Writes the rows of a piece, whole or not at all; a file that is there already is replaced.

        Args:
            piece: path of the piece.
            rows: index and row of each of its pictures.
            settings: values that all rows have in common.

        Raises:
            PlaceError: they can't be written.
        """
        if self.kind == PARQUET:
            file = io.BytesIO()
            parquet.write_table(table_of_rows(rows, settings), file)
            content = file.getvalue()
        else:
            text = io.StringIO()
            writer = RowWriter(text, self.kind, settings)
            for index, row in rows:
                writer.add(row | {INDEX: index})
            content = text.getvalue().encode()
        self._put(f"{FILES}/{_stem(piece)}.{self.kind}", content)

    def waiting(self) -> list[str]:
        """Returns the paths of the pieces of the list that have no rows yet.

        The largest come first, so that no process works alone at the end.

        Raises:
            PlaceError: they can't be read.
        """
        with failing(self.place, "can't be read"):
            done = {_stem(found.path) for found in self._files(FILES)}
            return [found.path for found in reversed(self._files(LIST)) if _stem(found.path) not in done]

    def pictures(self, piece: str) -> Iterator[tuple[int, Picture]]:
        """Yields index and picture of a piece of the list.

        Raises:
            PlaceError: it can't be read.
        """
        with failing(piece, "can't be read"):
            table = parquet.read_table(piece, filesystem=self.filesystem, schema=PICTURES)
        yield from pictures_of_table(table)

    def rows(self) -> Iterator[list[Row]]:
        """Yields what the sums need of all rows, some at a time.

        Raises:
            PlaceError: they can't be read.
            ResultsError: a file of rows is damaged.
        """
        for found in self._files(FILES):
            with failing(found.path, "can't be read"), self.filesystem.open_input_file(found.path) as file:
                try:
                    if self.kind == PARQUET:
                        yield parquet.read_table(file, columns=list(SUMMED)).to_pylist()
                    else:
                        yield [json.loads(line) for line in file.read().splitlines()]
                except ValueError as error:  # of Arrow and of JSON alike
                    raise ResultsError(f"{found.path}: is damaged ({reason_of(error)})") from error

    def done(self) -> None:
        """Removes what only a run that goes on needs."""
        with failing(self.place, "can't be written"):
            for name in (UNFINISHED, LIST):
                self._remove(name)

    def _put(self, name: str, content: bytes) -> None:
        """Writes a file, whole or not at all; two processes may write the same one."""
        with failing(self.place, "can't be written"):
            unfinished = self.inside(f"{UNFINISHED}/{uuid.uuid4().hex}")
            with self.filesystem.open_output_stream(unfinished) as file:
                file.write(content)
            self.filesystem.move(unfinished, self.inside(name))

    def _names(self) -> set[str]:
        found = self.filesystem.get_file_info(self.root)
        if found.type == FileType.File:
            raise ResultsError(f"{self.place}: is a file; --out names a folder")
        inside = self.filesystem.get_file_info(FileSelector(self.root, allow_not_found=True))
        return {each.base_name for each in inside}

    def _files(self, name: str) -> list[Any]:
        inside = self.filesystem.get_file_info(FileSelector(self.inside(name), allow_not_found=True))
        return sorted((each for each in inside if each.type == FileType.File), key=lambda each: each.path)

    def _remove(self, name: str) -> None:
        found = self.filesystem.get_file_info(self.inside(name)).type
        if found == FileType.Directory:
            self.filesystem.delete_dir(self.inside(name))
        elif found == FileType.File:
            self.filesystem.delete_file(self.inside(name))


def _stem(path: str) -> str:
    return PurePosixPath(path).stem
