"""Time as clients are charged for it: it stands still while the service itself does."""

import time
from collections.abc import Callable
from typing import Final

STALL_S: Final = 1.0
"""A clock that nobody read for this long stood still: the process was suspended, or its event loop held up."""


class ServiceClock:
    """Seconds, as `time.monotonic` counts them, less those in which nobody could be served.

    Deadlines of clients are compared with this clock: a client that waited for a suspended machine did nothing wrong.
    Whoever runs the event loop calls `beat` several times in `STALL_S`. A clock that never beats is never stopped.
    Whoever reads the clock first after a standstill takes the time since it was last read away, for all.

    Args:
        monotonic: the machine's time, seconds.
    """

    __slots__ = ("_lost_s", "_monotonic", "_seen")

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._seen = float("inf")  # the machine's time when the clock was last read; inf until it beats
        self._lost_s = 0.0

    def __call__(self) -> float:
        """The time now, seconds."""
        now = self._monotonic()
        if now >= self._seen:
            if now - self._seen > STALL_S:
                self._lost_s += now - self._seen
            self._seen = now
        return now - self._lost_s

    def beat(self) -> None:
        """Says that the event loop turns."""
        self()
        self._seen = self._monotonic()
