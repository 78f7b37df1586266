"""When to stop reading a frame. A policy is a frozen value; its state is an argument; nothing here does I/O."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, ClassVar, Protocol


class PolicyError(ValueError):
    """A policy that can't be had."""


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
    """The authors' rule: exit once P(person) >= `exit_threshold`, skip the next burst if it is <= `skip_threshold`.

    Raises:
        PolicyError: thresholds that are not 0 <= skip_threshold < exit_threshold <= 1.
    """

    exit_threshold: float = 0.99
    skip_threshold: float = 0.005

    name: ClassVar[str] = "published"

    def __post_init__(self) -> None:
        if not 0 <= self.skip_threshold < self.exit_threshold <= 1:
            raise PolicyError(
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


Policy = PublishedPolicy | NeverExitPolicy

POLICIES: dict[str, type[Policy]] = {policy.name: policy for policy in (PublishedPolicy, NeverExitPolicy)}


def parse_policy(wanted: Mapping[str, Any]) -> Policy:
    """A policy from its JSON form, `{"name": ..., parameters}`; parameters not given have their defaults.

    Raises:
        PolicyError: an unknown name, or parameters that this policy can't have.
    """
    parameters = dict(wanted)
    name = parameters.pop("name", None)
    if not isinstance(name, str) or name not in POLICIES:
        raise PolicyError(f"the policy {str(name)[:40]!r} is not one of {', '.join(POLICIES)}")
    known = describe_policy(POLICIES[name]())
    for key, value in parameters.items():
        if key not in known:
            raise PolicyError(f"the policy {name!r} has no parameter {key[:40]!r}")
        if type(value) not in (int, float):
            raise PolicyError(f"the parameter {key!r} must be a number, not {str(value)[:40]!r}")
    return POLICIES[name](**parameters)


def describe_policy(policy: Policy) -> dict[str, Any]:
    """The reverse of `parse_policy`, every parameter named."""
    return {"name": policy.name, **asdict(policy)}
