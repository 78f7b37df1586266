"""How many frames a client may send that carry no message of their own, sans I/O."""

from typing import Final

PARTS_PER_S: Final = 1000
"""Control frames and fragments that a client may send a second: about a hundredth of the time of a processor."""

PARTS_AT_ONCE: Final = 2000
"""Of these, as many as may come together."""


class Allowance:
    """A bucket that fills with time and that every such frame takes from.

    Args:
        now: seconds, by any clock; the same as for `spend`.
    """

    __slots__ = ("_at", "_left")

    def __init__(self, now: float) -> None:
        self._at = now
        self._left = float(PARTS_AT_ONCE)

    def spend(self, now: float) -> float:
        """Takes a frame; seconds for which no more may be worked off, 0 where more may come at once."""
        self._left = min(PARTS_AT_ONCE, self._left + (now - self._at) * PARTS_PER_S) - 1
        self._at = now
        return max(0.0, -self._left / PARTS_PER_S)
