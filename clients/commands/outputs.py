"""Files that commands write: never over another file unasked, never half a file where a whole one was promised."""

import os
import stat
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Annotated, Final

import typer

from clients.commands.console import fail
from clients.commands.names import open_text

Overwrite = Annotated[bool, typer.Option("--overwrite", help="replace files that are there already")]

PROJECT: Final = Path(__file__).resolve().parents[2]
PROJECT_FOLDERS: Final = (".ci", "clients", "deploy", "docs", "model", "sensor_sim", "server", "tests")
"""Folders of the project: a file below one of them came with the project, or was made by `make`."""


def check_outputs(
    *, overwrite: bool, resumed: Collection[Path] = (), resumable: bool = False, remedy: str = "", **files: Path | None
) -> None:
    """Ends the command before it begins where it would write over a file, or two outputs into one file.

    No message advises to replace a file of the project.

    Args:
        overwrite: true if files may be replaced.
        resumed: the files that an earlier run wrote and this one goes on with.
        resumable: true if this command can go on with the file --out of an earlier run.
        remedy: how to keep a file of the project; another name for the output if empty.
        files: by the name of their option; None for one that isn't asked for.
    """
    named = {name.replace("_", "-"): path for name, path in files.items() if path is not None}
    places: dict[str, str] = {}
    for name, path in named.items():
        place = os.path.realpath(path)
        if place in places and is_regular(path):
            fail(f"--{places[place]} and --{name} are the same file: {path}")
        places[place] = name
        if path.is_dir():
            fail(f"{path}: is a folder; --{name} names a file")
        if path.exists() and is_regular(path) and not overwrite and path not in resumed:
            if is_of_project(path):
                fail(f"{path}: comes with the project; {remedy or f'name a file of your own with --{name}'}")
            going_on = "--resume goes on with it, " if resumable and name == "out" else ""
            fail(f"{path}: exists; {going_on}--overwrite replaces it")


def is_of_project(path: Path) -> bool:
    """Says whether a path is in a folder of the project, links followed."""
    place = Path(os.path.realpath(path))
    return any(place.is_relative_to(PROJECT / folder) for folder in PROJECT_FOLDERS)


def is_regular(path: Path) -> bool:
    """Says whether a path is a file that keeps what is written: not a device or pipe."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return True


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Adds the file's name to an error of the operating system that names none, such as that of a full disk.

    Raises:
        OSError: the same error with the name.
    """
    try:
        yield
    except OSError as error:
        if error.filename is not None or error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


@contextmanager
def whole_text(path: Path) -> Iterator[IO[str]]:
    """Opens a file of text that takes its name once it is whole; until then a file of that name stays as it is.

    Raises:
        OSError: it can't be written.
    """
    if not is_regular(path):
        with naming(path), open_text(path, "w") as file:
            yield file
        return
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with naming(path), open_text(unfinished, "w") as file:
            yield file
        unfinished.replace(path)
    finally:
        with suppress(FileNotFoundError):
            unfinished.unlink()
