"""From decisions frame by frame to *appeared* and *left*, as voice activity detectors do it; pure.

The page has the same in `clients/browser/src/service/presence.ts`; shared vectors hold the two together.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum


class Turn(StrEnum):
    """What happened to the presence of a person."""

    APPEARED = "appeared"
    LEFT = "left"


@dataclass(frozen=True, slots=True)
class Hysteresis:
    """When frames turn the state.

    Attributes:
        enter, leave: P(person) from which a frame speaks for a person, and up to which against one; a frame between
            them speaks for things as they are.
        appear_frames, leave_frames: so many frames of one mind in a row turn the state: the least duration of a
            presence or an absence that counts, in frames.

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
        turn: which.
        since_s: time of the first of the frames that said so.
        time_s: time of the last of them, when it was known.
    """

    turn: Turn
    since_s: float
    time_s: float


class Presence:
    """Whether a person is there, from frames as they are decided; it remembers one streak of frames."""

    def __init__(self, hysteresis: Hysteresis | None = None) -> None:
        self.hysteresis = hysteresis or Hysteresis()
        self.present = False
        self._streak = 0
        self._since_s = 0.0

    def add(self, p_person: float, time_s: float = 0.0) -> PresenceEvent | None:
        """Takes a frame's P(person), 0..1, and its time in seconds; what turned, if something did."""
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
    """The events of a stream of (time in seconds, P(person))."""
    presence = Presence(hysteresis)
    for time_s, p_person in frames:
        event = presence.add(p_person, time_s)
        if event:
            yield event
