"""Score of streams, after MLPerf Tiny's streaming wakeword: detections in windows, false detections an hour."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from model.training.metrics import poisson_interval, wilson_interval

GRACE_S = 1.0
"""Time after a window's end in which a detection still counts for the window, as in MLPerf Tiny."""
DEBOUNCE_S = 1.0
"""Time after a false detection in which further ones count as the same one."""

Window = tuple[float, float]
"""Start and end of a person's presence, in seconds."""


@dataclass(frozen=True, slots=True)
class StreamingScore:
    """Score of the detections in a stream; intervals are 95 %.

    Attributes:
        windows: number of windows.
        found: number of windows with a detection from their start to `grace_s` after their end.
        recall_interval: interval of found / windows (Wilson).
        delay_s: mean time from a window's start to its first detection; None if no window was found.
        false_alarms: number of detections outside windows; those within `debounce_s` of the one before count as one.
        hours: length of the stream.
        false_per_hour_interval: interval of false_alarms / hours (exact Poisson).
    """

    windows: int
    found: int
    recall_interval: tuple[float, float]
    delay_s: float | None
    false_alarms: int
    hours: float
    false_per_hour_interval: tuple[float, float]

    @property
    def missed(self) -> int:
        return self.windows - self.found

    @property
    def false_per_hour(self) -> float:
        return self.false_alarms / self.hours


def streaming_score(
    detections: Iterable[float],
    windows: Sequence[Window],
    length_s: float,
    *,
    grace_s: float = GRACE_S,
    debounce_s: float = DEBOUNCE_S,
) -> StreamingScore:
    """Scores detections (times in seconds) against the windows of a stream.

    A detection that lies in two windows, because of the grace, counts for the later window.

    Raises:
        ValueError: windows that end before they start, overlap or are out of order, or no length.
    """
    if not 0 < length_s < math.inf:
        raise ValueError(f"a stream must have a length in seconds, not {length_s}")
    before = -math.inf
    for start, end in windows:
        if not before <= start <= end:
            raise ValueError(f"windows must be in order and apart, but {start}..{end} s comes after {before} s")
        before = end
    delays: dict[int, float] = {}
    false_alarms, last_false = 0, -math.inf
    for time_s in sorted(detections):
        within = [index for index, (start, end) in enumerate(windows) if start <= time_s <= end + grace_s]
        if within:
            delays.setdefault(within[-1], time_s - windows[within[-1]][0])
            continue
        false_alarms += time_s - last_false > debounce_s
        last_false = time_s
    hours = length_s / 3600
    low, high = poisson_interval(false_alarms)
    return StreamingScore(
        len(windows),
        len(delays),
        wilson_interval(len(delays), len(windows)),
        sum(delays.values()) / len(delays) if delays else None,
        false_alarms,
        hours,
        (low / hours, high / hours),
    )
