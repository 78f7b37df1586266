"""The folder of a run's results, on any file system that all its machines see.

_run.json      what the run is: network, weights, policy, options, number of pictures; `--resume` must ask the same
_pictures/     the list of pictures, fixed as the run begins
_checkpoint/   what is done, kept by Ray Data
rows/          the results, one file for each piece of the list
_SUCCESS       written last: the sums and the digest of the weights. Without it, rows are missing
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from pyarrow import parquet
from pyarrow.fs import FileSelector, FileType

from clients.commands.classify.cluster.addresses import FAILURES, PlaceError, filesystem_of, is_address, reason_of
from clients.commands.classify.cluster.columns import INDEX
from clients.commands.classify.rows import Row

PARQUET, NDJSON = "parquet", "ndjson"
KINDS: Final = (PARQUET, NDJSON)
RUN, SUCCESS = "_run.json", "_SUCCESS"
LIST, CHECKPOINT, FILES = "_pictures", "_checkpoint", "rows"
OURS: Final = frozenset({RUN, SUCCESS, LIST, CHECKPOINT, FILES})
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
            if names and not overwrite:
                raise ResultsError(
                    f"{self.place}: holds an earlier run; --resume goes on with it, --overwrite replaces it"
                )
            # What says that the run is whole goes first, what says that it is a run last.
            for name in (SUCCESS, FILES, CHECKPOINT, LIST, RUN):
                self._remove(name)
            if not is_address(self.place):  # object stores have no folders
                for folder in (self.root, self.inside(LIST), self.inside(FILES)):
                    self.filesystem.create_dir(folder, recursive=False)

    def write(self, name: str, value: Mapping[str, Any]) -> None:
        """Writes a file of JSON, whole or not at all.

        Raises:
            PlaceError: it can't be written.
        """
        with failing(self.place, "can't be written"):
            unfinished = self.inside(f"{name}.part")
            with self.filesystem.open_output_stream(unfinished) as file:
                file.write(json.dumps(value, indent=2).encode() + b"\n")
            self.filesystem.move(unfinished, self.inside(name))

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

    def pieces(self) -> list[str]:
        """Returns the paths of the pieces of the list, in order."""
        with failing(self.place, "can't be read"):
            return sorted(found.path for found in self._files(LIST) if found.path.endswith(".parquet"))

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
            for name in (CHECKPOINT, LIST):
                self._remove(name)

    def _names(self) -> set[str]:
        found = self.filesystem.get_file_info(self.root)
        if found.type == FileType.File:
            raise ResultsError(f"{self.place}: is a file; --out names a folder")
        inside = self.filesystem.get_file_info(FileSelector(self.root, allow_not_found=True))
        return {each.base_name.removesuffix(".part") for each in inside}

    def _files(self, name: str) -> list[Any]:
        inside = self.filesystem.get_file_info(FileSelector(self.inside(name), allow_not_found=True))
        return sorted((each for each in inside if each.type == FileType.File), key=lambda each: each.path)

    def _remove(self, name: str) -> None:
        found = self.filesystem.get_file_info(self.inside(name)).type
        if found == FileType.Directory:
            self.filesystem.delete_dir(self.inside(name))
        elif found == FileType.File:
            self.filesystem.delete_file(self.inside(name))
