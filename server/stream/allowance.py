"""Allowance for websocket frames that carry no message of their own (control frames, fragments), sans I/O."""

from typing import Final

PARTS_PER_S: Final = 1000
"""Control frames and fragments that a client may send a second: about a hundredth of the time of a processor."""

PARTS_AT_ONCE: Final = 2000
"""Control frames and fragments that may come at once, after a pause."""


class Allowance:
    """A token bucket that fills with time; every control frame and fragment takes a token.

    Args:
        now: seconds, by any clock that `spend` uses too.
    """

    __slots__ = ("_at", "_left")

    def __init__(self, now: float) -> None:
        self._at = now
        self._left = float(PARTS_AT_ONCE)

    def spend(self, now: float) -> float:
        """Takes a token for a frame; returns the seconds to wait before the next frame, 0 for none."""
        self._left = min(PARTS_AT_ONCE, self._left + (now - self._at) * PARTS_PER_S) - 1
        self._at = now
        return max(0.0, -self._left / PARTS_PER_S)
