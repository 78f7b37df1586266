"""Clocks for the emitter: real time, or virtual time that passes as fast as possible."""

import asyncio
from dataclasses import dataclass
from typing import ClassVar, Protocol


class Clock(Protocol):
    """Time in microseconds from any origin.

    Attributes:
        virtual: true if time passes only in `sleep_until`. The emitter then waits for each answer of the service before
            it reads on, and dates the answer itself.

    The emitter calls a clock on its own event loop; neither method may block that loop.
    """

    virtual: ClassVar[bool]

    def now_us(self) -> float:
        """Returns the time now."""
        ...

    async def sleep_until(self, time_us: float) -> None:
        """Waits until `time_us` or later; lets other tasks run at least once."""
        ...


class RealClock:
    """Paces in real time."""

    virtual: ClassVar[bool] = False

    def now_us(self) -> float:
        return asyncio.get_running_loop().time() * 1e6

    async def sleep_until(self, time_us: float) -> None:
        await asyncio.sleep(max(0.0, (time_us - self.now_us()) / 1e6))


@dataclass(slots=True)
class VirtualClock:
    """Virtual time: a sleep ends at once, and moves the clock on."""

    time_us: float = 0.0

    virtual: ClassVar[bool] = True

    def now_us(self) -> float:
        return self.time_us

    async def sleep_until(self, time_us: float) -> None:
        self.time_us = max(self.time_us, time_us)
        await asyncio.sleep(0)
