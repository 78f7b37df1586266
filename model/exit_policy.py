"""When to stop reading a frame. A policy is a frozen value; its state is an argument; nothing here does I/O."""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Protocol


class Verdict(StrEnum):
    """What to do after a burst."""

    CONTINUE = "continue"
    SKIP_NEXT = "skip_next"
    EXIT = "exit"


class ExitPolicy(Protocol):
    """Decides after each processed burst."""

    name: ClassVar[str]

    @property
    def acts(self) -> bool:
        """Whether it ever says anything but continue; if not, bursts may be processed many at a time."""
        ...

    def verdict(self, p_person: float) -> Verdict:
        """The verdict on P(person) in 0..1 after the burst just processed."""
        ...


@dataclass(frozen=True, slots=True)
class PublishedPolicy:
    """The authors' rule: exit once P(person) >= `exit_threshold`; skip the next burst while P(person) <= `skip_threshold`.

    Raises:
        ValueError: thresholds that are not 0 <= skip_threshold < exit_threshold <= 1.
    """

    exit_threshold: float = 0.99
    skip_threshold: float = 0.005

    name: ClassVar[str] = "published"

    def __post_init__(self) -> None:
        if not 0 <= self.skip_threshold < self.exit_threshold <= 1:
            raise ValueError(
                "thresholds must be 0 <= skip_threshold < exit_threshold <= 1, not "
                f"skip {self.skip_threshold} and exit {self.exit_threshold}"
            )

    @property
    def acts(self) -> bool:
        return True

    def verdict(self, p_person: float) -> Verdict:
        if p_person >= self.exit_threshold:
            return Verdict.EXIT
        if p_person <= self.skip_threshold:
            return Verdict.SKIP_NEXT
        return Verdict.CONTINUE


@dataclass(frozen=True, slots=True)
class NeverExitPolicy:
    """Reads every frame to its end."""

    name: ClassVar[str] = "never"

    @property
    def acts(self) -> bool:
        return False

    def verdict(self, p_person: float) -> Verdict:
        return Verdict.CONTINUE


POLICIES: dict[str, type[PublishedPolicy] | type[NeverExitPolicy]] = {
    policy.name: policy for policy in (PublishedPolicy, NeverExitPolicy)
}
