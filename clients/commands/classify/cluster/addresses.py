"""Files at addresses: `s3://` and `gs://` by Arrow, `http://` and `https://` by urllib3, other schemes by fsspec.

A picture that is not there is that picture's error. A place (a bucket, a host) that can't be read at all ends the run:
wrong credentials or a lost network must not become a million rows of errors. `--resume` then goes on.
"""

import os
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import urlsplit

import fsspec
import pyarrow
import urllib3
from pyarrow.fs import FileSystem, FileType, FSSpecHandler, LocalFileSystem, PyFileSystem

from server.errors import ServiceError

ARROW: Final = ("s3", "gs")
"""Schemes that Arrow reads and writes itself; credentials, region and endpoint come from the environment."""
WEB: Final = ("http", "https")
GONE: Final = (404, 410)
"""HTTP statuses that say that this one file is not there."""
TIMEOUT_S: Final = 30.0
RETRY: Final = urllib3.Retry(4, backoff_factor=0.5, status_forcelist=(429, 500, 502, 503, 504), raise_on_status=False)

FAILURES: Final = (OSError, pyarrow.ArrowException, urllib3.exceptions.HTTPError, ImportError, ValueError)
"""Errors of the libraries that read addresses."""


class PlaceError(RuntimeError):
    """A bucket, host or folder that can't be used; the message names it."""


class GoneError(Exception):
    """One file that is not where its address says."""


def is_address(path: str) -> bool:
    """Says whether a path is an address with a scheme."""
    return "://" in path and not path.startswith("/")


def place_of(address: str) -> str:
    """Returns the scheme with the bucket or host, without a password."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def beside(file: str, path: str) -> str:
    """Returns where a path that is written in a file leads: relative to the file's folder if it is relative."""
    if is_address(path) or path.startswith("/"):
        return path
    if not is_address(file):
        return os.path.join(os.path.dirname(os.path.abspath(file)), path)  # noqa: PTH100, PTH118, PTH120 - keeps links
    parts = urlsplit(file)
    return parts._replace(path=str(PurePosixPath(parts.path).parent / path)).geturl()


def filesystem_of(path: str) -> tuple[FileSystem, str]:
    """Returns the file system of an address or local path, and the path there.

    Raises:
        PlaceError: there is no such place, or no package for its scheme.
    """
    if not is_address(path):
        return LocalFileSystem(), os.path.abspath(path)  # noqa: PTH100 - keeps links
    scheme, _, rest = path.partition("://")
    if not rest.strip("/"):
        raise PlaceError(f"{path}: names no bucket or host")
    try:
        if scheme in ARROW:
            bucket, _, inside = rest.partition("/")
            return _arrow_filesystem(f"{scheme}://{bucket}"), f"{bucket.rpartition('@')[2]}/{inside}".rstrip("/")
        found, inside = fsspec.core.url_to_fs(path)
        return PyFileSystem(FSSpecHandler(found)), inside.rstrip("/")
    except FAILURES as error:
        raise PlaceError(f"{place_of(path)}: can't be used: {reason_of(error)}") from error


@lru_cache(maxsize=64)
def _arrow_filesystem(place: str) -> FileSystem:
    return FileSystem.from_uri(place)[0]


def reason_of(error: BaseException) -> str:
    """Returns the system's words for an error, or the first line of a library's in a sentence's length."""
    if isinstance(error, OSError) and error.errno and error.errno > 0:
        return os.strerror(error.errno)
    text = str(error).strip()
    return text.splitlines()[0][:300] if text else type(error).__name__


class AddressReader:
    """Reads files at addresses, and tells a file that can't be read from a place that can't.

    A place is believed to work once a file was read there. When another file then fails, the file read last is asked
    for again: if that works, the fault is the other file's.
    """

    def __init__(self) -> None:
        self._pool = urllib3.PoolManager(timeout=TIMEOUT_S, retries=RETRY)
        self._worked: dict[str, str] = {}

    def read(self, address: str, most_bytes: int) -> bytes:
        """Returns the bytes of a file, at most one more than `most_bytes`.

        Raises:
            ServiceError: this file can't be read.
            PlaceError: nothing can be read there.
        """
        place = place_of(address)
        try:
            content = self._content(address, most_bytes + 1)
        except GoneError:
            if place not in self._worked:
                self._check(address)
            raise ServiceError("unreadable_image", "there is no file at the address") from None
        except FAILURES as error:
            known = self._worked.get(place)
            if known is None or not self._works(known):
                raise PlaceError(f"{place}: can't be read: {reason_of(error)}") from error
            raise ServiceError("unreadable_image", "the file at the address can't be read") from error
        self._worked[place] = address
        return content

    def _works(self, address: str) -> bool:
        try:
            self._content(address, 1)
        except (GoneError, *FAILURES):
            return False
        return True

    def _check(self, address: str) -> None:
        """Raises `PlaceError` where not the file is missing but its bucket."""
        if address.partition("://")[0] not in ARROW:
            return
        filesystem, inside = filesystem_of(address)
        bucket = inside.partition("/")[0]
        try:
            missing = filesystem.get_file_info(bucket).type == FileType.NotFound
        except OSError:
            return  # who may read files need not have the right to ask about the bucket
        if missing:
            raise PlaceError(f"{place_of(address)}: there is no such bucket")

    def _content(self, address: str, most_bytes: int) -> bytes:
        if address.partition("://")[0] in WEB:
            with self._pool.request("GET", address, preload_content=False) as answer:
                if answer.status in GONE:
                    raise GoneError
                if answer.status != 200:
                    raise OSError(f"the server answers {answer.status}")
                return answer.read(most_bytes, decode_content=True)
        filesystem, inside = filesystem_of(address)
        try:
            with filesystem.open_input_stream(inside) as file:
                content: bytes = file.read(most_bytes)
        except FileNotFoundError:
            raise GoneError from None
        return content
