"""The log: one JSON object a line on standard error, for every logger; logging never delays the event loop.

The logging thread only formats the line and puts it into a queue; another thread writes it. If the reader of standard
error is slow or gone, the queue fills, and lines are dropped and counted. No client can fill a disk: lines of one kind
are bounded in rate, and the number of left-out lines is logged.
"""

import json
import logging
import os
import queue
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from time import monotonic
from typing import Any, Final

QUEUED_LINES: Final = 2_000
LINE_BYTES: Final = 16_384
"""Longest line; a longer one, for example with a traceback, is cut."""
FLUSH_S: Final = 1.0
"""Longest wait for queued lines when the process ends."""

BURST_LINES: Final = 500
LINES_A_SECOND: Final = 20.0
"""Lines of one kind at once, and lines a second in the long run (about 500 MB a day)."""
KINDS: Final = 256
SUMMARY_S: Final = 10.0
"""Time between two lines that tell the numbers of left-out lines."""

Kind = tuple[str, str]
"""Name of the logger, and the message without its arguments."""


class AsJson(logging.Formatter):
    """Formats a record as a JSON object; `extra={"facts": ...}` becomes fields of the object."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            "event": record.getMessage(),
            "logger": record.name,
            "level": record.levelname.lower(),
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(),
        }
        entry |= getattr(record, "facts", {})
        if record.exc_info:
            exception = self.formatException(record.exc_info)
            entry["exception"] = (
                exception if len(exception) < LINE_BYTES // 2 else f"...{exception[-LINE_BYTES // 2 :]}"
            )
        return json.dumps(entry, default=str)


class Rates:
    """A token bucket for each kind of line.

    Args:
        clock: seconds.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._buckets: dict[Kind, tuple[float, float]] = {}
        self._left_out: dict[Kind, int] = {}
        self._told = clock()

    def admits(self, kind: Kind) -> bool:
        """True if another line of the kind may be written; counts the line as left out if not."""
        if kind not in self._buckets and len(self._buckets) >= KINDS:
            kind = ("", "")  # kinds are messages in the source: so many that somebody makes them up
        now = self._clock()
        left, since = self._buckets.get(kind, (float(BURST_LINES), now))
        left = min(float(BURST_LINES), left + (now - since) * LINES_A_SECOND)
        self._buckets[kind] = (left - 1 if left >= 1 else left, now)
        if left < 1:
            self._left_out[kind] = self._left_out.get(kind, 0) + 1
        return left >= 1

    def left_out(self) -> dict[Kind, int]:
        """Numbers of lines left out since the last call that gave some; empty until `SUMMARY_S` have passed."""
        now = self._clock()
        if now - self._told < SUMMARY_S:
            return {}
        found, self._left_out, self._told = self._left_out, {}, now
        return found


class QueuedLines(logging.Handler):
    """Writes lines from a thread of its own.

    Args:
        write: writes bytes; may block.
        rates: bounds of each kind of line.

    Attributes:
        dropped: number of lines that found the queue full or that could not be written.
    """

    def __init__(self, write: Callable[[bytes], None], rates: Rates) -> None:
        super().__init__()
        self._write, self._rates = write, rates
        self._lines: queue.Queue[bytes | threading.Event | None] = queue.Queue(QUEUED_LINES)
        self.dropped = 0
        threading.Thread(target=self._work, name="log", daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        """Queues a line, or drops it."""
        if self._rates.admits((record.name, str(record.msg))):
            self._put(record)

    def _put(self, record: logging.LogRecord) -> None:
        line = self.format(record).encode(errors="backslashreplace")[:LINE_BYTES] + b"\n"
        try:
            self._lines.put_nowait(line)
        except queue.Full:
            self.dropped += 1

    def _work(self) -> None:
        while True:
            try:
                item = self._lines.get(timeout=SUMMARY_S / 2)
            except queue.Empty:
                item = b""
            if item is None:
                return
            for (name, message), count in self._rates.left_out().items():
                text = "%d lines were left out: %s"
                self._put(logging.LogRecord(name, logging.WARNING, "", 0, text, (count, message), None))
            if isinstance(item, threading.Event):
                item.set()
                continue
            try:
                if item:
                    self._write(item)
            except OSError:  # the reader is gone, or the disk is full
                self.dropped += 1

    def flush(self) -> None:
        """Waits until the queued lines are written, at most `FLUSH_S`."""
        written = threading.Event()
        with suppress(queue.Full):
            self._lines.put_nowait(written)
            written.wait(FLUSH_S)

    def close(self) -> None:
        """Ends the writing thread, unless it is blocked."""
        self.flush()
        with suppress(queue.Full):
            self._lines.put_nowait(None)
        super().close()


def write_to_descriptor(descriptor: int, data: bytes) -> None:
    """Writes all bytes, past the buffers of `sys.stderr`: a blocked thread would keep them locked at the end."""
    while data:
        data = data[os.write(descriptor, data) :]


class ForPeople(logging.Formatter):
    """Formats a record as a line for a terminal: time, level, message; without characters that move the cursor."""

    def format(self, record: logging.LogRecord) -> str:
        exception = record.exc_info[1] if record.exc_info else None
        reason = f" ({type(exception).__name__}: {exception})" if exception else ""
        text = f"{record.levelname.lower()}: {record.getMessage()}{reason}"
        printable = "".join(each if each.isprintable() else "?" for each in text)
        return f"{datetime.fromtimestamp(record.created):%H:%M:%S} {printable}"


def log_as_json() -> None:
    """Sets up the standard library's logging, once in a process; Python's warnings go there too."""
    _set_up(AsJson(), logging.INFO)


def log_for_people() -> None:
    """Sets up logging for a terminal: warnings and errors, and the networks served; one readable line each."""
    _set_up(ForPeople(), logging.WARNING)
    logging.getLogger("server.networks").setLevel(logging.INFO)


def _set_up(formatter: logging.Formatter, level: int) -> None:
    descriptor = sys.stderr.fileno()
    handler = QueuedLines(lambda data: write_to_descriptor(descriptor, data), Rates())
    handler.setFormatter(formatter)
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    # uvicorn tells of every connection; streams tell when they end
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    # of every form that can't be read; whoever sent the form is told
    logging.getLogger("python_multipart").setLevel(logging.ERROR)


def lines_dropped() -> int:
    """Number of lines that this process could not write."""
    return sum(handler.dropped for handler in logging.getLogger().handlers if isinstance(handler, QueuedLines))
