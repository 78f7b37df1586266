"""Files, folders, globs and ZIP archives to pictures; nothing of an archive is ever written to disk."""

import fnmatch
import glob
import itertools
import mmap
import os
import re
import stat
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path, PurePath, PurePosixPath
from typing import IO, Final

from clients.commands.console import say
from clients.commands.names import canonical
from model.picture import FORMAT_NAMES, SUFFIXES
from server.errors import ServiceError

STANDARD_INPUT: Final = "-"
MAX_INPUT_BYTES: Final = 4_000_000_000
"""Most bytes of standard input, which is kept on disk while it is read."""
MAX_MEMBERS: Final = 1_000_000
MAX_COMPRESSION: Final = 200
"""Times that a member of more than a megabyte may grow; pictures hardly do."""
LARGE_BYTES: Final = 1_000_000
MOST_NAMED: Final = 3
"""Most paths that a message names."""
RECORDING_SUFFIX: Final = ".rscn"
VIDEO_SUFFIXES: Final = (
    ".3gp", ".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ogv", ".webm", ".wmv",
)  # fmt: skip
"""Endings of video files; a file of another ending is a photograph unless `--scene video` says otherwise."""


_PICTURE_AFTER_PICTURE: Final = re.compile(rb"(?:\xff\xd9|IEND\xaeB`\x82)(?:\xff\xd8\xff|\x89PNG\r\n)")
"""The end of a JPEG or PNG and, right after it, the start of another."""


class SourceError(ValueError):
    """A path that names nothing."""


class NoPicturesError(SourceError):
    """Paths with no picture in them.

    Args:
        paths: the paths, as the user named them.
    """

    code: Final = "no_pictures"

    def __init__(self, paths: Sequence[str]) -> None:
        more = f" and {len(paths) - MOST_NAMED} more" if len(paths) > MOST_NAMED else ""
        super().__init__(
            f"there are no pictures in {', '.join(paths[:MOST_NAMED])}{more}; pictures are files of "
            f"{', '.join(FORMAT_NAMES)}, or in ZIP archives (`rascanet stream` takes films and cameras too)"
        )


@dataclass(frozen=True, slots=True)
class Picture:
    """Place of a picture.

    Attributes:
        name: as the user sees it.
        path: path of the file, or of the archive.
        member: index in the archive; None for a file.
        code, message: why it can't be read, where that is known already.
    """

    name: str
    path: str
    member: int | None = None
    code: str = ""
    message: str = ""

    def read(self, most_bytes: int) -> bytes:
        """Returns the bytes of the picture, at most one more than `most_bytes`.

        Raises:
            ServiceError: it can't be read.
        """
        if self.code:
            raise ServiceError(self.code, self.message)
        try:
            return _file(self.path, most_bytes) if self.member is None else _member(self.path, self.member, most_bytes)
        except OSError as error:
            raise ServiceError("unreadable_image", f"the file can't be read: {error.strerror or error}") from error


def _file(path: str, most_bytes: int) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a pipe would block
    with open(descriptor, "rb", buffering=0) as file:  # noqa: PTH123 - a descriptor
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise ServiceError("unreadable_image", "not a regular file")
        return file.read(min(most_bytes, found.st_size) + 1)  # a buffer of the most would be made for every file


@lru_cache(maxsize=4)
def _archive(path: str) -> zipfile.ZipFile:
    return zipfile.ZipFile(path)


def _member(path: str, index: int, most_bytes: int) -> bytes:
    archive = _archive(path)
    try:
        with archive.open(archive.infolist()[index]) as file:
            return file.read(most_bytes + 1)
    except Exception as error:  # broken archives raise what they like
        raise ServiceError("unreadable_image", f"the archive's entry is damaged ({type(error).__name__})") from error


@contextmanager
def spooled(stream: IO[bytes]) -> Iterator[str]:
    """Keeps standard input in a file of its own, which goes with the run; gives the file's path.

    Raises:
        SourceError: it has no end within `MAX_INPUT_BYTES`.
    """
    with tempfile.NamedTemporaryFile(prefix="rascanet-") as file:
        while part := stream.read(1 << 20):
            file.write(part)
            if file.tell() > MAX_INPUT_BYTES:
                raise SourceError(f"-: more than the {MAX_INPUT_BYTES} bytes that are taken; give it as a file")
        file.flush()
        if file.tell() and not zipfile.is_zipfile(file.name):
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                several = _PICTURE_AFTER_PICTURE.search(content)
            if several:
                say("-: holds several pictures, the first alone is read; name the files, or send a ZIP archive")
        yield file.name


def check_paths(paths: Iterable[str]) -> None:
    """Looks that each path names something.

    Raises:
        SourceError: one doesn't.
    """
    for path in paths:
        if path != STANDARD_INPUT and not os.path.lexists(path) and next(matches(path), None) is None:
            what = "nothing matches" if glob.has_magic(path) else "no such file or folder"
            raise SourceError(f"{path}: {what}")


def matches(pattern: str) -> Iterator[str]:
    """Yields the paths that a pattern names, sorted; `**` stands for any folders below, but follows no links.

    Neither a deep folder nor a circle of links can hold it up: the walk keeps its own list and goes down once.
    """
    parts = PurePath(pattern).parts
    if "**" not in parts:
        yield from sorted(glob.glob(pattern))  # noqa: PTH207 - patterns may be absolute
        return
    fixed = list(itertools.takewhile(lambda part: not glob.has_magic(part), parts))
    wanted = parts[len(fixed) :]
    base = str(PurePath(*fixed)) if fixed else ""
    waiting: list[tuple[tuple[str, ...], str]] = [((), base)]
    while waiting:
        above, folder = waiting.pop()
        below: list[tuple[tuple[str, ...], str]] = []
        for entry in _entries(folder or "."):
            inside = (*above, entry.name)
            path = entry.path if folder else entry.name
            if fits(inside, wanted):
                yield path
            if entry.is_dir(follow_symlinks=False):
                below.append((inside, path))
        waiting += reversed(below)


def fits(path: Sequence[str], pattern: Sequence[str]) -> bool:
    """Says whether the parts of a path fit those of a pattern, where the part `**` fits any number of them.

    Names that begin with a dot fit only a part that does so too, as in a shell.
    """
    reached = {0}  # how many parts of the pattern may be behind
    for part in (*path, None):
        for done in sorted(reached):
            while done < len(pattern) and pattern[done] == "**":
                done += 1
                reached.add(done)
        if part is None:
            return len(pattern) in reached
        hidden = part.startswith(".")
        reached = {
            done if pattern[done] == "**" else done + 1
            for done in reached
            if done < len(pattern)
            and (
                not hidden
                if pattern[done] == "**"
                else (not hidden or pattern[done].startswith(".")) and fnmatch.fnmatchcase(part, pattern[done])
            )
        }
        if not reached:
            return False
    raise AssertionError  # the loop returns at None


def _entries(folder: str) -> list["os.DirEntry[str]"]:
    try:
        with os.scandir(folder) as found:
            return sorted(found, key=lambda entry: entry.name)
    except OSError:
        return []


def pictures(paths: Iterable[str], standard_input: str | None = None) -> Iterator[Picture]:
    """The pictures at the paths, in order, those of a folder by their names.

    Args:
        paths: files, folders (with what is in them), globs, ZIP archives, `-`.
        standard_input: a file with what came there.
    """
    for picture in _pictures(paths, standard_input):
        yield replace(picture, name=canonical(picture.name))


def _pictures(paths: Iterable[str], standard_input: str | None) -> Iterator[Picture]:
    for path in paths:
        if path == STANDARD_INPUT and standard_input:
            yield from _named(standard_input, STANDARD_INPUT)
        elif os.path.lexists(path):
            yield from _named(path, path)
        else:
            for match in matches(path):
                if not Path(match).is_dir():
                    yield from _named(match, match)


def _named(path: str, name: str) -> Iterator[Picture]:
    if Path(path).is_dir():
        yield from _folder(path)
    elif _is_archive(path):
        yield from _members(path, name)
    elif path.lower().endswith(VIDEO_SUFFIXES):
        yield Picture(name, path, code="unreadable_image", message="a film, not a picture: `rascanet stream` takes it")
    elif path.lower().endswith(RECORDING_SUFFIX):
        yield Picture(name, path, code="unreadable_image", message="a recording: `rascanet replay` sends it")
    else:
        yield Picture(name, path)


def _folder(path: str) -> Iterator[Picture]:
    waiting: list[Picture | str] = [path]  # folders, and pictures between them, in order
    while waiting:
        place = waiting.pop()
        if isinstance(place, Picture):
            yield place
            continue
        try:
            with os.scandir(place) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            yield Picture(place, place, code="unreadable_image", message=f"the folder can't be read: {error.strerror}")
            continue
        inside: list[Picture | str] = []
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                inside.append(entry.path)
            elif entry.name.lower().endswith(SUFFIXES):
                inside.append(Picture(entry.path, entry.path))
        waiting += reversed(inside)


def _is_archive(path: str) -> bool:
    if not Path(path).is_file():
        return False
    try:
        return zipfile.is_zipfile(path) or path.lower().endswith(".zip")
    except OSError:
        return False


def _members(path: str, name: str) -> Iterator[Picture]:
    try:
        members = _archive(path).infolist()
        if len(members) > MAX_MEMBERS:
            raise ValueError(f"it has {len(members)} entries, more than {MAX_MEMBERS}")
    except Exception as error:  # broken archives raise what they like
        yield Picture(name, path, code="unreadable_image", message=f"not a readable ZIP archive: {error}")
        return
    for index, member in enumerate(members):
        inside = member.filename
        hidden = any(part.startswith((".", "__MACOSX")) and part != ".." for part in PurePosixPath(inside).parts)
        if member.is_dir() or hidden or not inside.lower().endswith(SUFFIXES):
            continue
        code, message = _objection(member)
        yield Picture(f"{name}:{inside}", path, index, code, message)


def _objection(member: zipfile.ZipInfo) -> tuple[str, str]:
    """The code and the reason why a member is not read; empty where it is."""
    inside = PurePosixPath(member.orig_filename.replace("\\", "/"))
    if inside.is_absolute() or ".." in inside.parts or ":" in inside.parts[0] or "\0" in member.orig_filename:
        return "unreadable_image", "the entry's name leads out of the archive"
    if stat.S_ISLNK(member.external_attr >> 16):
        return "unreadable_image", "the entry is a link"
    if member.flag_bits & 1:
        return "unreadable_image", "the entry is encrypted"
    if member.file_size > LARGE_BYTES and member.file_size > MAX_COMPRESSION * max(1, member.compress_size):
        return "image_too_large", f"the entry grows more than {MAX_COMPRESSION} times: a ZIP bomb"
    return "", ""
