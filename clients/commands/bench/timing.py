"""Times of several contenders, taken in turns so that a slow moment of the machine hits them all."""

import gc
import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

Call = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Timing:
    """A contender's times: the median and the 99th percentile of its calls in each round, microseconds."""

    medians_us: tuple[float, ...]
    p99s_us: tuple[float, ...]

    @property
    def median_us(self) -> float:
        """Median of the rounds' medians."""
        return statistics.median(self.medians_us)

    @property
    def p99_us(self) -> float:
        """Median of the rounds' 99th percentiles."""
        return statistics.median(self.p99s_us)

    def faster_than(self, other: "Timing") -> "Spread":
        """Speed as a multiple of another contender's, round by round."""
        return Spread.of(theirs / ours for ours, theirs in zip(self.medians_us, other.medians_us, strict=True))


@dataclass(frozen=True, slots=True)
class Spread:
    """Median, least and most of a figure over the rounds."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Iterable[float]) -> "Spread":
        """Spread of the rounds' values."""
        ordered = sorted(values)
        return cls(statistics.median(ordered), ordered[0], ordered[-1])


def time_in_turns(
    contenders: Mapping[str, Call], *, rounds: int, turn_s: float, least_calls: int = 5
) -> dict[str, Timing]:
    """Calls each contender for `turn_s` (at least `least_calls` times) in each of `rounds` rounds."""
    medians: dict[str, list[float]] = {name: [] for name in contenders}
    p99s: dict[str, list[float]] = {name: [] for name in contenders}
    for call in contenders.values():
        call()
    collecting = gc.isenabled()
    gc.disable()
    try:
        for _ in range(rounds):
            for name, call in contenders.items():
                call()  # back in the caches
                times = _turn(call, turn_s, least_calls)
                medians[name].append(float(np.median(times)) / 1e3)
                p99s[name].append(float(np.percentile(times, 99)) / 1e3)
            gc.collect()
    finally:
        if collecting:
            gc.enable()
    return {name: Timing(tuple(medians[name]), tuple(p99s[name])) for name in contenders}


def _turn(call: Call, turn_s: float, least_calls: int) -> list[int]:
    times: list[int] = []
    now_ns = time.perf_counter_ns
    before = now_ns()
    end = before + int(turn_s * 1e9)
    while before < end or len(times) < least_calls:
        call()
        after = now_ns()
        times.append(after - before)
        before = after
    return times
