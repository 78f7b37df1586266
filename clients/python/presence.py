"""Presence of a person: turns decisions on frames into *appeared* and *left*, as voice activity detectors do. Pure.

JavaScript has a twin, `clients/javascript/src/presence.ts`; shared vectors hold the two together.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum


class Turn(StrEnum):
    """Change of the presence of a person."""

    APPEARED = "appeared"
    LEFT = "left"


@dataclass(frozen=True, slots=True)
class Hysteresis:
    """Thresholds at which frames change the state.

    Attributes:
        enter: a frame with at least this P(person) speaks for a person.
        leave: a frame with at most this P(person) speaks against a person; a frame in between keeps the current state.
        appear_frames, leave_frames: number of frames in a row that change the state: the shortest presence, and the
            shortest absence, that counts.

    Raises:
        ValueError: not 0 <= leave <= enter <= 1, or counts below 1.
    """

    enter: float = 0.55
    leave: float = 0.45
    appear_frames: int = 3
    leave_frames: int = 3

    def __post_init__(self) -> None:
        if not 0 <= self.leave <= self.enter <= 1:
            raise ValueError(f"hysteresis must be 0 <= leave <= enter <= 1, not leave {self.leave}, enter {self.enter}")
        if self.appear_frames < 1 or self.leave_frames < 1:
            raise ValueError(f"counts of frames must be 1 or more, not {self.appear_frames} and {self.leave_frames}")


@dataclass(frozen=True, slots=True)
class PresenceEvent:
    """A person appeared or left.

    Attributes:
        turn: the change.
        since_s: time of the first of the frames that changed the state, seconds.
        time_s: time of the last of these frames, seconds.
    """

    turn: Turn
    since_s: float
    time_s: float


class Presence:
    """State of a person's presence, from decisions on frames; remembers one streak of frames."""

    def __init__(self, hysteresis: Hysteresis | None = None) -> None:
        self.hysteresis = hysteresis or Hysteresis()
        self.present = False
        self._streak = 0
        self._since_s = 0.0

    def add(self, p_person: float, time_s: float = 0.0) -> PresenceEvent | None:
        """Takes a frame's P(person), 0..1, and its time in seconds; returns the change, None if there is none."""
        rule = self.hysteresis
        against = p_person <= rule.leave if self.present else p_person >= rule.enter
        if not against:
            self._streak = 0
            return None
        if self._streak == 0:
            self._since_s = time_s
        self._streak += 1
        if self._streak < (rule.leave_frames if self.present else rule.appear_frames):
            return None
        self._streak = 0
        self.present = not self.present
        return PresenceEvent(Turn.APPEARED if self.present else Turn.LEFT, self._since_s, time_s)


def presence_events(
    frames: Iterable[tuple[float, float]], hysteresis: Hysteresis | None = None
) -> Iterator[PresenceEvent]:
    """Yields the events of a stream of (time in seconds, P(person))."""
    presence = Presence(hysteresis)
    for time_s, p_person in frames:
        event = presence.add(p_person, time_s)
        if event:
            yield event
