"""Exit policies: rules that say when to stop reading a frame. A policy is a frozen value, its state an argument.

A policy is written once: the class holds the rule, name, label and sentence, and the default, range and label of every
parameter. Checks, `GET /v1/models`, the table of PROTOCOL.md, the page's form, the replay over whole curves and the
settings that calibration tries are made from the class. To add a policy, follow the recipe in CONTRIBUTING.md.
Nothing here does I/O.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from enum import StrEnum
from functools import cache
from typing import (
    Annotated,
    Any,
    ClassVar,
    Final,
    Generic,
    NamedTuple,
    Self,
    TypeGuard,
    TypeVar,
    get_args,
    get_type_hints,
)

import numpy as np

from model.promise import promise_in_words

PERSON_FROM: Final = 0.5
"""A decision is *person* if P(person) is at least this."""


class PolicyError(ValueError):
    """An unknown policy, or parameters that the policy can't have."""


class Verdict(StrEnum):
    """Answer of a policy after a burst: read on, leave out the next burst, or stop."""

    CONTINUE = "continue"
    SKIP_NEXT = "skip_next"
    EXIT = "exit"


T = TypeVar("T")


class Seen(NamedTuple, Generic[T]):
    """Numbers known after a burst; arrays for many bursts at a time in `MemorylessPolicy.leaves`.

    Attributes:
        share: fraction of the frame's bursts that lie behind, above 0 and up to 1.
        p_person: P(person), 0..1.
        confidence: the network's P(the decision now is the final one), 0..1.
    """

    share: T
    p_person: T
    confidence: T


State = tuple[float, ...]
"""Memory of a policy within a frame; numbers alone, so that a resume token can carry the memory."""

START: State = ()


@dataclass(frozen=True, slots=True)
class Parameter:
    """Label and range of a policy's parameter.

    Attributes:
        label: words for people, for example in the page's form.
        low, high: the range, both ends included.
        above_low: true if `low` itself is not in the range.
        whole: true if only whole numbers are in the range.
    """

    label: str
    low: float = 0.0
    high: float = 1.0
    above_low: bool = False
    whole: bool = False

    @property
    def words(self) -> str:
        """The range, such as `in 0..1`."""
        if self.above_low:
            return f"above {self.low:g} and up to {self.high:g}"
        return f"in {self.low:g}..{self.high:g}" + (" and whole" if self.whole else "")

    def check(self, name: str, value: object) -> None:
        """Checks that a value is a number in the range.

        Raises:
            PolicyError: the value isn't.
        """
        if not _is_number(value):
            raise PolicyError(f"the parameter {name!r} must be a number, not {_quoted(value)}")
        fits = self.low <= value <= self.high and (value > self.low or not self.above_low)
        if not fits or (self.whole and value % 1):
            raise PolicyError(f"the parameter {name!r} must be {self.words}, not {_quoted(value)}")


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _quoted(value: object) -> str:
    """A value as an error message quotes it; an integer may have more digits than Python prints."""
    if isinstance(value, int) and abs(value) >= 2**64:
        return "an integer beyond 64 bits"
    return repr(value)[:40]


class ExitPolicy(ABC):
    """Decides after each processed burst.

    Attributes:
        name: name of the policy in the registry and in JSON.
        label: name of the policy for people.
        sentence: the rule in words; `{parameter}` stands for the parameter's value, `{parameter:%}` for a percentage.
        acts: false if every verdict is `continue`; bursts may then be stepped many at a time.
        skips: false if no verdict is `skip_next`; exits can then be worked out from a frame's whole curve.
        ordered: two parameters, the first of which must be below the second; None if any order is allowed.

    Raises:
        PolicyError: a parameter out of its range, or two parameters out of order.
    """

    __slots__ = ()
    name: ClassVar[str]
    label: ClassVar[str]
    sentence: ClassVar[str]
    acts: ClassVar[bool] = True
    skips: ClassVar[bool] = False
    ordered: ClassVar[tuple[str, str] | None] = None

    def __post_init__(self) -> None:
        for key, parameter in parameters_of(type(self)).items():
            parameter.check(key, getattr(self, key))
        if self.ordered:
            (low, high), (below, above) = self.ordered, (getattr(self, key) for key in self.ordered)
            if below >= above:
                raise PolicyError(f"{low} must be below {high}, not {below} and {above}")

    @abstractmethod
    def verdict(self, seen: Seen[float], state: State) -> tuple[Verdict, State]:
        """The verdict after the burst just processed, and the policy's state.

        Args:
            seen: numbers after the burst.
            state: the state that this method returned for the burst before; `START` for the first burst.
        """

    @classmethod
    def settings(cls) -> Iterable[Self]:
        """Settings of the policy to try on pictures, careful ones first; the same for any network."""
        return ()


class MemorylessPolicy(ExitPolicy):
    """A policy whose verdict rests on the last burst alone; the same rule serves arrays of bursts."""

    __slots__ = ()

    @abstractmethod
    def leaves(self, seen: Seen[Any]) -> Any:
        """True to exit: a bool, or an array of bool where `seen` has arrays."""

    def verdict(self, seen: Seen[float], state: State) -> tuple[Verdict, State]:
        return _exit_if(self.leaves(seen), state)


def _exit_if(leave: bool, state: State = START) -> tuple[Verdict, State]:
    return (Verdict.EXIT if leave else Verdict.CONTINUE), state


@cache
def parameters_of(kind: type[ExitPolicy]) -> dict[str, Parameter]:
    """The parameters of a policy class by name, in the order of its fields."""
    return {
        name: parameter
        for name, hint in get_type_hints(kind, include_extras=True).items()
        for parameter in getattr(hint, "__metadata__", ())
        if isinstance(parameter, Parameter)
    }


def defaults_of(kind: type[ExitPolicy]) -> dict[str, float]:
    """The default of each parameter of a policy class; parameters without a default are left out."""
    known = parameters_of(kind)
    return {
        field.name: field.default
        for field in fields(kind)  # type: ignore[arg-type]  # every policy is a dataclass
        if field.name in known and field.default is not MISSING
    }


def describe_kind(kind: type[ExitPolicy]) -> dict[str, Any]:
    """Describes a policy class as JSON, for `GET /v1/models` and the page.

    Returns:
        `name`, `label`, `sentence`; `parameters`: defaults by name; `ranges`: the fields of each `Parameter`;
        `ordered`: two parameters, the first of which must be below the second, or None.
    """
    return {
        "name": kind.name,
        "label": kind.label,
        "sentence": kind.sentence,
        "parameters": defaults_of(kind),
        "ranges": {name: asdict(parameter) for name, parameter in parameters_of(kind).items()},
        "ordered": kind.ordered,
    }


_SURE: Final = np.concatenate([1 - np.geomspace(1e-4, 0.2, 16), np.linspace(0.78, 0.55, 12)])
"""Thresholds on P(the decided side), from careful to bold."""


@dataclass(frozen=True, slots=True)
class PublishedPolicy(ExitPolicy):
    """The authors' rule: exit once P(person) is high, skip the next burst if it is very low."""

    exit_threshold: Annotated[float, Parameter("Exit at P(person) ≥")] = 0.99
    skip_threshold: Annotated[float, Parameter("Skip at P(person) ≤")] = 0.005

    name: ClassVar[str] = "published"
    label: ClassVar[str] = "Published rule"
    sentence: ClassVar[str] = (
        "Exits once P(person) is {exit_threshold} or more; skips the next burst while P(person) is {skip_threshold} or "
        "less."
    )
    skips: ClassVar[bool] = True
    ordered: ClassVar[tuple[str, str] | None] = ("skip_threshold", "exit_threshold")

    def verdict(self, seen: Seen[float], state: State) -> tuple[Verdict, State]:
        if seen.p_person >= self.exit_threshold:
            return Verdict.EXIT, state
        if seen.p_person <= self.skip_threshold:
            return Verdict.SKIP_NEXT, state
        return Verdict.CONTINUE, state

    @classmethod
    def settings(cls) -> Iterable[Self]:
        return [cls(float(value), 0.005) for value in _SURE]


@dataclass(frozen=True, slots=True)
class NeverExitPolicy(MemorylessPolicy):
    """Reads every frame to its end."""

    name: ClassVar[str] = "never"
    label: ClassVar[str] = "Never exit"
    sentence: ClassVar[str] = "Reads every frame to its end."
    acts: ClassVar[bool] = False

    def leaves(self, seen: Seen[Any]) -> Any:
        return seen.p_person > math.inf  # False, in the shape of `seen.p_person`


@dataclass(frozen=True, slots=True)
class TwoSidedPolicy(MemorylessPolicy):
    """Exits once P(person) is high or low enough, the same at every burst."""

    exit_above: Annotated[float, Parameter("Exit at P(person) ≥")] = 0.97
    exit_below: Annotated[float, Parameter("Exit at P(person) ≤")] = 0.03

    name: ClassVar[str] = "two_sided"
    label: ClassVar[str] = "Two-sided"
    sentence: ClassVar[str] = "Exits once P(person) is {exit_above} or more, or {exit_below} or less."
    ordered: ClassVar[tuple[str, str] | None] = ("exit_below", "exit_above")

    def leaves(self, seen: Seen[Any]) -> Any:
        return (seen.p_person >= self.exit_above) | (seen.p_person <= self.exit_below)

    @classmethod
    def settings(cls) -> Iterable[Self]:
        return [cls(float(value), float(1 - value)) for value in _SURE]


ABOVE_ONE: Final = "As long as a threshold is above 1, no frame exits by it."


def line(first: float, last: float, share: Any) -> Any:
    """The threshold once `share` of the frame (0..1, or an array) lies behind: a line from `first` to `last`."""
    return first + (last - first) * share


@dataclass(frozen=True, slots=True)
class PerBurstPolicy(MemorylessPolicy):
    """Exits once the decision is as sure as wanted at that burst; thresholds run linearly from first to last row.

    A threshold above 1 cannot be met, so there is no exit until the line has fallen to 1. One below 0.5 would exit
    on evidence against its own decision.

    Attributes:
        person_first, person_last: least P(person) for an exit as *person*, at the frame's start (extrapolated) and end.
        empty_first, empty_last: least 1 - P(person) for an exit as *no person*, likewise.
    """

    person_first: Annotated[float, Parameter("Sure of a person, at the first row", PERSON_FROM, 2)] = 1.0
    person_last: Annotated[float, Parameter("Sure of a person, at the last row", PERSON_FROM, 2)] = 0.7
    empty_first: Annotated[float, Parameter("Sure of nobody, at the first row", PERSON_FROM, 2)] = 1.0
    empty_last: Annotated[float, Parameter("Sure of nobody, at the last row", PERSON_FROM, 2)] = 0.7

    name: ClassVar[str] = "per_burst"
    label: ClassVar[str] = "Less sure, later"
    sentence: ClassVar[str] = (
        "Exits as person once P(person) reaches a threshold, and as no person once 1 - P(person) reaches another. The "
        "threshold for person goes evenly from {person_first} at the first row to {person_last} at the last row. The "
        "threshold for no person goes in the same way from {empty_first} to {empty_last}. " + ABOVE_ONE
    )

    def leaves(self, seen: Seen[Any]) -> Any:
        person = line(self.person_first, self.person_last, seen.share)
        return (seen.p_person >= person) | (1 - seen.p_person >= line(self.empty_first, self.empty_last, seen.share))

    @classmethod
    def settings(cls) -> Iterable[Self]:
        return [
            cls(first, float(last), first, float(last))
            for first in (1.0, 0.9, 0.8)
            for last in np.linspace(first, 0.5, 12)
        ]


@dataclass(frozen=True, slots=True)
class PatiencePolicy(ExitPolicy):
    """Exits once the decision was the same after `bursts` bursts, one after the other (Zhou et al. 2020)."""

    bursts: Annotated[float, Parameter("Bursts of one mind", 1, 65_535, whole=True)] = 6
    from_share: Annotated[float, Parameter("From this share of the frame on")] = 0.3

    name: ClassVar[str] = "patience"
    label: ClassVar[str] = "Patience"
    sentence: ClassVar[str] = (
        "Exits once {bursts} bursts, one after the other, gave the same decision, but not before {from_share:%} of the "
        "frame is read."
    )

    def verdict(self, seen: Seen[float], state: State) -> tuple[Verdict, State]:
        answer, times = state or (-1.0, 0.0)
        now = float(seen.p_person >= PERSON_FROM)
        times = times + 1 if now == answer else 1.0
        return _exit_if(times >= self.bursts and seen.share >= self.from_share, (now, times))

    @classmethod
    def settings(cls) -> Iterable[Self]:
        return [cls(bursts, share) for share in (0.7, 0.5, 0.3, 0.1) for bursts in (12, 9, 6, 4, 2)]


@dataclass(frozen=True, slots=True)
class ConfidencePolicy(MemorylessPolicy):
    """Exits once the network is confident enough that its decision is final."""

    threshold: Annotated[float, Parameter("Exit at confidence ≥")] = 0.95

    name: ClassVar[str] = "confidence"
    label: ClassVar[str] = "Own confidence"
    sentence: ClassVar[str] = (
        "Exits once the network's confidence is {threshold} or more. The confidence estimates how likely the decision "
        "stays the same."
    )

    def leaves(self, seen: Seen[Any]) -> Any:
        return seen.confidence >= self.threshold

    @classmethod
    def settings(cls) -> Iterable[Self]:
        return [cls(float(value)) for value in 1 - np.geomspace(1e-4, 0.3, 24)]


@dataclass(frozen=True, slots=True)
class SequentialPolicy(ExitPolicy):
    """Sums the log odds of a person over the bursts, older ones fading, and exits once the sum is large.

    After Wald's sequential test (1945). The bursts' answers are not independent, so Wald's error bounds don't hold.
    """

    evidence: Annotated[float, Parameter("Evidence", 0, 1000, above_low=True)] = 8.0
    decay: Annotated[float, Parameter("Kept per burst")] = 0.8

    name: ClassVar[str] = "sequential"
    label: ClassVar[str] = "Summed evidence"
    sentence: ClassVar[str] = (
        "Sums the log odds of a person over the bursts, and exits once the sum reaches {evidence} for either side. "
        "From one burst to the next, {decay:%} of the sum is kept."
    )

    def verdict(self, seen: Seen[float], state: State) -> tuple[Verdict, State]:
        chance = min(max(seen.p_person, 1e-9), 1 - 1e-9)
        total = self.decay * (state[0] if state else 0.0) + math.log(chance / (1 - chance))
        return _exit_if(abs(total) >= self.evidence, (total,))

    @classmethod
    def settings(cls) -> Iterable[Self]:
        return [cls(float(value), decay) for decay in (0.95, 0.8, 0.5) for value in np.geomspace(40, 0.8, 16)]


@dataclass(frozen=True, slots=True)
class FixedRowPolicy(MemorylessPolicy):
    """Exits at the same place in every frame."""

    share: Annotated[float, Parameter("Share of the frame")] = 0.5

    name: ClassVar[str] = "fixed_row"
    label: ClassVar[str] = "Fixed row"
    sentence: ClassVar[str] = "Exits once {share:%} of the frame is read."

    def leaves(self, seen: Seen[Any]) -> Any:
        return seen.share >= self.share

    @classmethod
    def settings(cls) -> Iterable[Self]:
        return [cls(float(value)) for value in np.linspace(0.95, 0.2, 16)]


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibratedPolicy(PerBurstPolicy):
    """Thresholds per burst that a certificate vouches for (`model.certificate`).

    Attributes:
        loss, condition: which pictures are lost, among which pictures the share is taken (`model.promise`).
        risk, delta: with probability 1 - delta over the calibration set, at most a share `risk` of pictures is lost.
        certificate: SHA-256 of the certificate.
    """

    loss: str
    condition: str
    risk: float
    delta: float
    certificate: str

    name: ClassVar[str] = "calibrated"
    label: ClassVar[str] = "Calibrated"
    sentence: ClassVar[str] = PerBurstPolicy.sentence + " The thresholds come from a certificate."

    @property
    def promise(self) -> str:
        """The certificate's promise, a sentence."""
        return promise_in_words(self.loss, self.condition, self.risk, self.delta)

    @classmethod
    def settings(cls) -> Iterable[Self]:
        return ()  # the certificate has chosen the thresholds


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
"""Policies that any client may choose."""

Policy = ChosenPolicy | CalibratedPolicy

POLICIES: Final[dict[str, type[ChosenPolicy]]] = {kind.name: kind for kind in get_args(ChosenPolicy)}
"""Policies that any client may choose, by name; `calibrated` comes beside them for weights with a certificate."""

NAMES: Final = (*POLICIES, CalibratedPolicy.name)

DEFAULT_POLICY: Final = "`calibrated` where the weights have a certificate, else `published`"
"""`default_policy` in words."""

WHOLE_PICTURE_POLICY: Final = NeverExitPolicy()
"""The policy for whole pictures where none is named: all rows are there already, so an exit saves no readout."""


def default_policy(certified: CalibratedPolicy | None) -> Policy:
    """The policy for streams of rows where none is named.

    Args:
        certified: the policy of the weights' certificate; None where there is no certificate.
    """
    return certified or PublishedPolicy()


def parse_policy(wanted: Mapping[str, Any] | None, certified: CalibratedPolicy | None = None) -> Policy:
    """Makes a policy from its JSON form, `{"name": ..., parameters}`; parameters left out have their defaults.

    Args:
        wanted: the JSON form; None for the default policy.
        certified: the policy of the weights' certificate, named `calibrated`; None where there is no certificate.

    Raises:
        PolicyError: an unknown name, or parameters that the named policy can't have.
    """
    if wanted is None:
        return default_policy(certified)
    parameters = dict(wanted)
    if "name" not in parameters:
        raise PolicyError(f"a policy needs a 'name', one of {', '.join(NAMES)}")
    name = parameters.pop("name")
    if name == CalibratedPolicy.name:
        return _certified(parameters, certified)
    if not isinstance(name, str) or name not in POLICIES:
        raise PolicyError(f"the policy {_quoted(name)} is not one of {', '.join(NAMES)}")
    known = parameters_of(POLICIES[name])
    for key in parameters:
        if key not in known:
            raise PolicyError(f"the policy {name!r} has no parameter {key[:40]!r}; it has {', '.join(known) or 'none'}")
    return POLICIES[name](**parameters)


def _certified(parameters: Mapping[str, Any], certified: CalibratedPolicy | None) -> CalibratedPolicy:
    if certified is None:
        raise PolicyError("there is no certificate for these weights; `rascanet calibrate` makes one")
    known = describe_policy(certified)
    for key, value in parameters.items():
        if key not in known:
            raise PolicyError(
                f"the policy 'calibrated' has no parameter {key[:40]!r}; it has {', '.join(list(known)[1:])}"
            )
        if isinstance(value, bool) or known[key] != value:
            raise PolicyError(
                f"the parameter {key!r} of the policy 'calibrated' comes from the certificate: "
                f"{known[key]!r}, not {_quoted(value)}"
            )
    return certified


def describe_policy(policy: Policy) -> dict[str, Any]:
    """The JSON form of a policy with every parameter; the reverse of `parse_policy`."""
    return {"name": policy.name, **asdict(policy)}
