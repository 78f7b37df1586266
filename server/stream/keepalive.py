"""Pings that tell a silent client from one that is gone, sans I/O."""

from collections.abc import Callable
from typing import Final

GRACE_S: Final = 1.0
"""Additional time for a pong: after a stall, the loop runs timers before it reads, so a pong may already be waiting."""


class Keepalive:
    """Decides when to ping a client, and when to give the client up.

    Args:
        period_s: time between two pings, and for the answer to a ping.
        clock: clock of the deadlines, seconds.

    Attributes:
        deadline: time at which `tick` must be called, by the clock.
        lost: true if a ping was not answered.
    """

    __slots__ = ("_awaited", "_clock", "_late", "_number", "_period_s", "_sent_at", "deadline", "lost")

    def __init__(self, period_s: float, clock: Callable[[], float]) -> None:
        self._period_s, self._clock = period_s, clock
        # Content of the ping whose answer is awaited.
        self._awaited: bytes | None = None
        self._number = 0
        self._sent_at = clock()
        # True while an overdue answer has its additional time.
        self._late = False
        self.deadline = self._sent_at + period_s
        self.lost = False

    def tick(self, *, heard: bool) -> bytes | None:
        """Checks the deadline; returns the content of a ping to send now, or None.

        Args:
            heard: true if every byte that came from the client was read; before that the client is not given up.
        """
        now = self._clock()
        if now < self.deadline:
            return None
        if self._awaited is None:
            self._number += 1
            self._awaited = self._number.to_bytes(4)
            self._sent_at, self._late = now, False
            self.deadline = now + self._period_s
            return self._awaited
        if heard and self._late:
            self.lost = True
            self.deadline = float("inf")
        else:
            self._late = True
            self.deadline = now + GRACE_S
        return None

    def pong(self, content: bytes) -> None:
        """Takes a pong; ignores a pong that answers no ping, or an older ping."""
        if content == self._awaited:
            self._awaited = None
            self.deadline = self._sent_at + self._period_s
