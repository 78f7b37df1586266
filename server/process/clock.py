"""Clock of the deadlines of clients: it stands still while the service itself does."""

import time
from collections.abc import Callable
from typing import Final

STALL_S: Final = 1.0
"""Time without a reading after which the clock stood still: the process was suspended, or the event loop held up."""


class ServiceClock:
    """Seconds of `time.monotonic`, without those in which the service stood still.

    Deadlines of clients are compared with this clock: a client that waited for a suspended machine did nothing wrong.
    The owner of the event loop calls `beat` several times in `STALL_S`. A clock without beats never stands still. The
    first reading after a standstill takes the time since the last reading away, for all readers.

    Args:
        monotonic: the machine's clock, seconds.
    """

    __slots__ = ("_lost_s", "_monotonic", "_seen")

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        # The machine's time at the last reading; inf until the first beat.
        self._seen = float("inf")
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
        """Notes that the event loop turns."""
        self()
        self._seen = self._monotonic()
