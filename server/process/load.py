"""Load of the process: the event loop's delay, and the share of time in which the loop's thread works."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

TICK_S: Final = 0.25
SMOOTHING: Final = 0.1
"""Weight of a tick in the smoothed share, which so covers the last two or three seconds."""


class LoopLoad:
    """Load of the event loop: `run` measures it, admission and shedding read it.

    Args:
        shed_s: delay past which the server is behind.
        busy_limit: busy share past which the server is busy, 0..1.

    Attributes:
        delay_s: delay of the loop's last tick.
        busy_share: share of the time in which the thread works, 0..1, smoothed.
    """

    def __init__(self, shed_s: float, busy_limit: float) -> None:
        self._shed_s, self._busy_limit = shed_s, busy_limit
        self.delay_s = 0.0
        self.busy_share = 0.0

    @property
    def behind(self) -> bool:
        """True if frames that begin now must be shed."""
        return self.delay_s > self._shed_s

    @property
    def busy(self) -> bool:
        """True if no more streams may be admitted."""
        return self.busy_share > self._busy_limit

    def tick(self, wall_s: float, cpu_s: float) -> None:
        """Takes the time since the last tick, and the thread's processor time in it."""
        self.delay_s = max(0.0, wall_s - TICK_S)
        self.busy_share += SMOOTHING * (min(1.0, cpu_s / wall_s) - self.busy_share)

    async def run(self, ticked: Callable[[], None]) -> None:
        """Measures until cancelled; calls `ticked` after each measurement."""
        wall, cpu = time.monotonic(), time.thread_time()
        while True:
            await asyncio.sleep(TICK_S)
            now, used = time.monotonic(), time.thread_time()
            self.tick(now - wall, used - cpu)
            wall, cpu = now, used
            ticked()
