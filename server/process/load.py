"""How busy the process is: the event loop's delay, and the share of the time in which its thread works."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

TICK_S: Final = 0.25
SMOOTHING: Final = 0.1
"""Weight of a tick in the share: it follows the last two or three seconds."""


class LoopLoad:
    """Measured by `run`, read by whoever admits or sheds.

    Args:
        shed_s: delay past which the server is behind.
        busy_limit: share past which it is busy.

    Attributes:
        delay_s: by which the loop's last tick came late.
        busy_share: 0..1, smoothed.
    """

    def __init__(self, shed_s: float, busy_limit: float) -> None:
        self._shed_s, self._busy_limit = shed_s, busy_limit
        self.delay_s = 0.0
        self.busy_share = 0.0

    @property
    def behind(self) -> bool:
        """Whether frames that begin now are to be shed."""
        return self.delay_s > self._shed_s

    @property
    def busy(self) -> bool:
        """Whether no more streams are to be admitted."""
        return self.busy_share > self._busy_limit

    def tick(self, wall_s: float, cpu_s: float) -> None:
        """Takes what passed since the last tick: time, and the thread's processor time."""
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
