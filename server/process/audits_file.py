"""The file that keeps the counts of audits over restarts of a service."""

import asyncio
import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from server.audit_counts import AuditCounts, Totals
from server.process.file_lock import lock

log = logging.getLogger(__name__)

FORMAT: Final = "rascanet-stream audits/1"
MOST_BYTES: Final = 1_000_000
"""Largest file of counts that is read."""
MOST_COUNT: Final = 2**53


class AuditsFileError(ValueError):
    """A file of counts that can't be used."""


def read_counts(path: Path) -> dict[str, Totals]:
    """Reads the counts of earlier runs by certificate; none where there is no file yet.

    Raises:
        AuditsFileError: a file that can't be read, or is no such file.
    """
    try:
        # A pipe would block.
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
            content = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise AuditsFileError(f"audits_file {path} can't be read ({error.strerror or error})") from error
    try:
        if len(content) > MOST_BYTES:
            raise ValueError(f"more than {MOST_BYTES} bytes")
        document: dict[str, Any] = json.loads(content)
        if document["format"] != FORMAT:
            raise ValueError("another format")
        return {str(digest): _checked(counts) for digest, counts in document["certificates"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise AuditsFileError(
            f"audits_file {path} is no file of audits that this service wrote ({error}); give another path, or remove "
            "the file to begin anew"
        ) from error


def _checked(counts: Mapping[str, Any]) -> Totals:
    totals = Totals(**counts)
    if any(type(value) is not int or not 0 <= value < MOST_COUNT for value in totals) or totals.alarmed > 1:
        raise ValueError("counts must be whole numbers, 0 or more")
    return totals


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Keeps other services away from a file of counts, which would overwrite each other's; ends with the process.

    The lock is on a file beside it, which stays: the file of counts is replaced whenever it is written.

    Raises:
        AuditsFileError: another service keeps its counts there, or there can be no file.
    """
    try:
        beside = open(f"{os.path.realpath(path)}.lock", "ab")  # noqa: PTH123, SIM115 - a link stays one
    except OSError as error:
        raise AuditsFileError(f"audits_file {path} can't be written ({error.strerror or error})") from error
    with beside:
        if not lock(beside):
            raise AuditsFileError(
                f"audits_file {path} is in use by another service that runs; each service needs its own file"
            )
        yield


class AuditsFile:
    """The file that keeps the counts of a service over restarts.

    Args:
        path: the file; it need not be there yet. A link to a file stays a link.
        counts: counts of the service.
        kept: what the file had when the service began; None: it is read.

    Attributes:
        kept: what the file had when this object last read or wrote it.

    Raises:
        AuditsFileError: see `read_counts`.
    """

    def __init__(self, path: Path, counts: AuditCounts, kept: Mapping[str, Totals] | None = None) -> None:
        self._path, self._counts = Path(os.path.realpath(path)), counts
        self.kept = read_counts(path) if kept is None else dict(kept)
        self._failed = False

    def take_over(self) -> None:
        """Begins the counts with those of the file."""
        self._counts.take_over(self.kept)

    def save(self) -> None:
        """Writes the sums, if they changed; those of other certificates are kept. A reader never sees half a file.

        Raises:
            AuditsFileError: the file can't be written.
        """
        now = self.kept | {digest: self._counts.totals(digest) for digest in self._counts.certificates}
        if now == self.kept and self._path.exists():
            return
        document = {"format": FORMAT, "certificates": {digest: totals._asdict() for digest, totals in now.items()}}
        new = self._path.with_name(f"{self._path.name}.{os.getpid()}.new")
        try:
            with new.open("w") as file:
                file.write(json.dumps(document, indent=1) + "\n")
                file.flush()
                os.fsync(file.fileno())  # a machine that loses its power has the old file or the new one
            new.replace(self._path)
        except OSError as error:
            with suppress(OSError):
                new.unlink(missing_ok=True)
            raise AuditsFileError(f"audits_file {self._path} can't be written ({error.strerror or error})") from error
        self.kept = now

    async def keep(self, every_s: float) -> None:
        """Writes the file again and again until cancelled; a file that can't be written is told once in the log."""
        while True:
            await asyncio.sleep(every_s)
            try:
                await asyncio.to_thread(self.save)
                self._failed = False
            except AuditsFileError as error:
                if not self._failed:
                    log.warning("%s", error)
                self._failed = True
