"""Pings that tell a silent client from one that is gone, sans I/O."""

from collections.abc import Callable
from typing import Final

GRACE_S: Final = 1.0
"""A loop that was held up calls timers before it reads: a pong may have come in time and not be seen yet."""


class Keepalive:
    """When to ping, and when to give up.

    Args:
        period_s: between two pings, and for the answer to one.
        clock: seconds that count against a client.

    Attributes:
        deadline: when `tick` is to be called, by the clock.
        lost: whether a ping was not answered.
    """

    __slots__ = ("_awaited", "_clock", "_late", "_number", "_period_s", "_sent_at", "deadline", "lost")

    def __init__(self, period_s: float, clock: Callable[[], float]) -> None:
        self._period_s, self._clock = period_s, clock
        self._awaited: bytes | None = None  # content of the ping under way
        self._number = 0
        self._sent_at = clock()
        self._late = False  # whether the answer is overdue and gets a little longer
        self.deadline = self._sent_at + period_s
        self.lost = False

    def tick(self, *, heard: bool) -> bytes | None:
        """Looks whether something is due: the content of a ping to send now, or None.

        Args:
            heard: whether all that came from the client has been read; nobody is given up while it has not.
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
        """Takes an answer; one to no ping of ours, or to an older one, is nothing."""
        if content == self._awaited:
            self._awaited = None
            self.deadline = self._sent_at + self._period_s
