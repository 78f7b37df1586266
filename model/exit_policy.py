"""When to stop reading a frame. A policy is a frozen value; its state is an argument; nothing here does I/O."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, ClassVar, NamedTuple, Protocol


class PolicyError(ValueError):
    """A policy that can't be had."""


class Verdict(StrEnum):
    """What to do after a burst."""

    CONTINUE = "continue"
    SKIP_NEXT = "skip_next"
    EXIT = "exit"


class Seen(NamedTuple):
    """What is known after a burst.

    Attributes:
        share: of the frame's bursts that lie behind, above 0 and up to 1.
        p_person: P(person), 0..1.
        confidence: how likely the decision now is the final one, 0..1, as the network thinks.
    """

    share: float
    p_person: float
    confidence: float


State = tuple[float, ...]
"""What a policy remembers of the frame; numbers alone, so that it can travel."""

START: State = ()


class ExitPolicy(Protocol):
    """Decides after each processed burst.

    Attributes:
        name: in the registry and in JSON.
        acts: whether it ever says anything but continue; if not, bursts may be processed many at a time.
        skips: whether it ever leaves out a burst; if not, its exits can be told from a frame's whole curve.
    """

    name: ClassVar[str]
    acts: ClassVar[bool]
    skips: ClassVar[bool]

    def verdict(self, seen: Seen, state: State) -> tuple[Verdict, State]:
        """The verdict on the burst just processed, and the state for the next one (`START` before the first)."""
        ...


def _check(holds: bool, rule: str, found: object) -> None:
    if not holds:
        raise PolicyError(f"{rule}, not {found}")


def _exit_if(leave: bool, state: State = START) -> tuple[Verdict, State]:
    return (Verdict.EXIT if leave else Verdict.CONTINUE), state


@dataclass(frozen=True, slots=True)
class PublishedPolicy:
    """The authors' rule: exit once P(person) >= `exit_threshold`, skip the next burst if it is <= `skip_threshold`.

    Raises:
        PolicyError: thresholds that are not 0 <= skip_threshold < exit_threshold <= 1.
    """

    exit_threshold: float = 0.99
    skip_threshold: float = 0.005

    name: ClassVar[str] = "published"
    acts: ClassVar[bool] = True
    skips: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not 0 <= self.skip_threshold < self.exit_threshold <= 1:
            raise PolicyError(
                "thresholds must be 0 <= skip_threshold < exit_threshold <= 1, not "
                f"skip {self.skip_threshold} and exit {self.exit_threshold}"
            )

    def verdict(self, seen: Seen, state: State) -> tuple[Verdict, State]:
        if seen.p_person >= self.exit_threshold:
            return Verdict.EXIT, state
        if seen.p_person <= self.skip_threshold:
            return Verdict.SKIP_NEXT, state
        return Verdict.CONTINUE, state


@dataclass(frozen=True, slots=True)
class NeverExitPolicy:
    """Reads every frame to its end."""

    name: ClassVar[str] = "never"
    acts: ClassVar[bool] = False
    skips: ClassVar[bool] = False

    def verdict(self, seen: Seen, state: State) -> tuple[Verdict, State]:
        return Verdict.CONTINUE, state


@dataclass(frozen=True, slots=True)
class TwoSidedPolicy:
    """Exits once P(person) >= `exit_above` or <= `exit_below`.

    Raises:
        PolicyError: thresholds that are not 0 <= exit_below < exit_above <= 1.
    """

    exit_above: float = 0.97
    exit_below: float = 0.03

    name: ClassVar[str] = "two_sided"
    acts: ClassVar[bool] = True
    skips: ClassVar[bool] = False

    def __post_init__(self) -> None:
        rule = "thresholds must be 0 <= exit_below < exit_above <= 1"
        _check(0 <= self.exit_below < self.exit_above <= 1, rule, f"{self.exit_below} and {self.exit_above}")

    def verdict(self, seen: Seen, state: State) -> tuple[Verdict, State]:
        return _exit_if(not self.exit_below < seen.p_person < self.exit_above)


@dataclass(frozen=True, slots=True)
class PerBurstPolicy:
    """Exits once the decision is as sure as wanted at that burst; thresholds run linearly from first to last row.

    Attributes:
        person_first, person_last: P(person) that is wanted for an exit with a person, extrapolated to the start of the
            frame and at its end.
        empty_first, empty_last: the same for 1 - P(person) and an exit without one.

    A value above 1 asks for more than there can be: no exit before the line has come down to 1.

    Raises:
        PolicyError: a value outside 0.5..2; nobody should exit on what speaks against the decision.
    """

    person_first: float = 1.0
    person_last: float = 0.7
    empty_first: float = 1.0
    empty_last: float = 0.7

    name: ClassVar[str] = "per_burst"
    acts: ClassVar[bool] = True
    skips: ClassVar[bool] = False

    def __post_init__(self) -> None:
        for key in ("person_first", "person_last", "empty_first", "empty_last"):
            value = getattr(self, key)
            _check(0.5 <= value <= 2, f"{key} must be in 0.5..2", value)

    def verdict(self, seen: Seen, state: State) -> tuple[Verdict, State]:
        person = self.person_first + (self.person_last - self.person_first) * seen.share
        empty = self.empty_first + (self.empty_last - self.empty_first) * seen.share
        return _exit_if(seen.p_person >= person or 1 - seen.p_person >= empty)


@dataclass(frozen=True, slots=True)
class PatiencePolicy:
    """Exits once the answer was the same after `bursts` bursts one after the other (Zhou et al. 2020).

    Attributes:
        bursts: 1 or more.
        from_share: of the frame that has to be behind before, 0..1.
    """

    bursts: float = 6
    from_share: float = 0.3

    name: ClassVar[str] = "patience"
    acts: ClassVar[bool] = True
    skips: ClassVar[bool] = False

    def __post_init__(self) -> None:
        _check(1 <= self.bursts < math.inf and self.bursts % 1 == 0, "bursts must be a count from 1 on", self.bursts)
        _check(0 <= self.from_share <= 1, "from_share must be in 0..1", self.from_share)

    def verdict(self, seen: Seen, state: State) -> tuple[Verdict, State]:
        answer, times = state or (-1.0, 0.0)
        now = float(seen.p_person >= 0.5)
        times = times + 1 if now == answer else 1.0
        return _exit_if(times >= self.bursts and seen.share >= self.from_share, (now, times))


@dataclass(frozen=True, slots=True)
class ConfidencePolicy:
    """Exits once the network's own confidence that its decision is final reaches `threshold` (0..1)."""

    threshold: float = 0.95

    name: ClassVar[str] = "confidence"
    acts: ClassVar[bool] = True
    skips: ClassVar[bool] = False

    def __post_init__(self) -> None:
        _check(0 <= self.threshold <= 1, "threshold must be in 0..1", self.threshold)

    def verdict(self, seen: Seen, state: State) -> tuple[Verdict, State]:
        return _exit_if(seen.confidence >= self.threshold)


@dataclass(frozen=True, slots=True)
class SequentialPolicy:
    """Sums the log odds of a person over the bursts, older ones fading, and exits once the sum is large.

    After Wald's sequential test (1945); the bursts' answers are not independent, so unlike his it promises nothing.

    Attributes:
        evidence: size of the sum at which to exit, above 0.
        decay: what is kept of the sum from one burst to the next, 0..1.
    """

    evidence: float = 8.0
    decay: float = 0.8

    name: ClassVar[str] = "sequential"
    acts: ClassVar[bool] = True
    skips: ClassVar[bool] = False

    def __post_init__(self) -> None:
        _check(0 < self.evidence < math.inf, "evidence must be above 0", self.evidence)
        _check(0 <= self.decay <= 1, "decay must be in 0..1", self.decay)

    def verdict(self, seen: Seen, state: State) -> tuple[Verdict, State]:
        chance = min(max(seen.p_person, 1e-9), 1 - 1e-9)
        total = self.decay * (state[0] if state else 0.0) + math.log(chance / (1 - chance))
        return _exit_if(abs(total) >= self.evidence, (total,))


@dataclass(frozen=True, slots=True)
class FixedRowPolicy:
    """Exits at the same place in every frame, once `share` (0..1) of its bursts lie behind."""

    share: float = 0.5

    name: ClassVar[str] = "fixed_row"
    acts: ClassVar[bool] = True
    skips: ClassVar[bool] = False

    def __post_init__(self) -> None:
        _check(0 <= self.share <= 1, "share must be in 0..1", self.share)

    def verdict(self, seen: Seen, state: State) -> tuple[Verdict, State]:
        return _exit_if(seen.share >= self.share)


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibratedPolicy(PerBurstPolicy):
    """Thresholds per burst that come with a promise (`model.certificate`).

    Attributes:
        risk, delta: the promise: with probability 1 - delta over the calibration set, at most a share `risk` is lost.
        certificate: SHA-256 of the certificate.
    """

    risk: float
    delta: float
    certificate: str

    name: ClassVar[str] = "calibrated"


ChosenPolicy = (
    PublishedPolicy
    | NeverExitPolicy
    | TwoSidedPolicy
    | PerBurstPolicy
    | PatiencePolicy
    | ConfidencePolicy
    | SequentialPolicy
    | FixedRowPolicy
)
"""Policies that anybody may set."""

Policy = ChosenPolicy | CalibratedPolicy

POLICIES: dict[str, type[ChosenPolicy]] = {
    policy.name: policy
    for policy in (
        PublishedPolicy,
        NeverExitPolicy,
        TwoSidedPolicy,
        PerBurstPolicy,
        PatiencePolicy,
        ConfidencePolicy,
        SequentialPolicy,
        FixedRowPolicy,
    )
}
"""Beside these there is `calibrated`, for weights that have a certificate."""


def parse_policy(wanted: Mapping[str, Any], certified: CalibratedPolicy | None = None) -> Policy:
    """A policy from its JSON form, `{"name": ..., parameters}`; parameters not given have their defaults.

    Args:
        wanted: the JSON form.
        certified: what `calibrated` stands for: the policy of the certificate that goes with the weights, if any.

    Raises:
        PolicyError: an unknown name, or parameters that this policy can't have.
    """
    parameters = dict(wanted)
    name = parameters.pop("name", None)
    if name == CalibratedPolicy.name:
        return _certified(parameters, certified)
    if not isinstance(name, str) or name not in POLICIES:
        raise PolicyError(f"the policy {str(name)[:40]!r} is not one of {', '.join(POLICIES)}, calibrated")
    known = describe_policy(POLICIES[name]())
    for key, value in parameters.items():
        if key not in known:
            raise PolicyError(f"the policy {name!r} has no parameter {key[:40]!r}")
        if type(value) not in (int, float):
            raise PolicyError(f"the parameter {key!r} must be a number, not {str(value)[:40]!r}")
    return POLICIES[name](**parameters)


def _certified(parameters: Mapping[str, Any], certified: CalibratedPolicy | None) -> CalibratedPolicy:
    if certified is None:
        raise PolicyError("there is no certificate for these weights; `rascanet calibrate` makes one")
    known = describe_policy(certified)
    for key, value in parameters.items():
        if known.get(key) != value:
            raise PolicyError(
                f"the parameter {key[:40]!r} of the policy 'calibrated' comes from the certificate: "
                f"{known.get(key)!r}, not {str(value)[:80]!r}"
            )
    return certified


def describe_policy(policy: Policy) -> dict[str, Any]:
    """The reverse of `parse_policy`, every parameter named."""
    return {"name": policy.name, **asdict(policy)}
