"""Time for the emitter: real, or as fast as it is asked to pass."""

import asyncio
from dataclasses import dataclass
from typing import ClassVar, Protocol


class Clock(Protocol):
    """Time in microseconds from any origin.

    Attributes:
        virtual: whether time stands still while nobody sleeps; the emitter then waits for the service's answers
            before it goes on, and says itself when they came.
    """

    virtual: ClassVar[bool]

    def now_us(self) -> float:
        """The time now."""
        ...

    async def sleep_until(self, time_us: float) -> None:
        """Returns once it is `time_us` or later, having let other tasks run."""
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
    """Time passes as fast as it is asked to."""

    time_us: float = 0.0

    virtual: ClassVar[bool] = True

    def now_us(self) -> float:
        return self.time_us

    async def sleep_until(self, time_us: float) -> None:
        self.time_us = max(self.time_us, time_us)
        await asyncio.sleep(0)
