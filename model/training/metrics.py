"""Figures of merit of a binary classifier, with intervals."""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from model.exit_policy import PERSON_FROM

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]

Z_95 = 1.959963984540054


def wilson_interval(successes: int, trials: int, z: float = Z_95) -> tuple[float, float]:
    """Wilson's score interval of a proportion, 0..1 (Wilson 1927)."""
    if trials == 0:
        return 0.0, 1.0
    share = successes / trials
    centre = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials)) / (1 + z * z / trials)
    return max(0.0, centre - half), min(1.0, centre + half)


def share_interval(share: float, trials: int) -> tuple[float, float]:
    """`wilson_interval` of a share (0..1) of `trials`."""
    return wilson_interval(round(share * trials), trials)


@dataclass(frozen=True, slots=True)
class BinaryMetrics:
    """Person against no person at the threshold 0.5; all shares in 0..1.

    Attributes:
        persons, empties: number of pictures with and without a person.
        persons_found: share of the pictures with a person that are decided so.
        empties_kept: share of the pictures without a person that are decided so.
        balanced_accuracy: mean of these two shares.
        interval: 95 % interval of the balanced accuracy: the mean of two independent Wilson intervals, combined as
            Newcombe (1998) does for sums.
        auroc, average_precision, calibration_error: see the functions of these names.
    """

    persons: int
    empties: int
    persons_found: float
    empties_kept: float
    balanced_accuracy: float
    interval: tuple[float, float]
    auroc: float
    average_precision: float
    calibration_error: float

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def binary_metrics(p_person: Floats, labels: Labels) -> BinaryMetrics:
    """The figures for P(person) (N,) in 0..1 and labels (N,) of 0 and 1, with both classes present."""
    person = labels == 1
    found, kept = int((p_person[person] >= PERSON_FROM).sum()), int((p_person[~person] < PERSON_FROM).sum())
    persons, empties = int(person.sum()), int((~person).sum())
    shares = [(found / persons, wilson_interval(found, persons)), (kept / empties, wilson_interval(kept, empties))]
    balanced = sum(share for share, _ in shares) / 2
    below = math.sqrt(sum((share - low) ** 2 for share, (low, _) in shares)) / 2
    above = math.sqrt(sum((high - share) ** 2 for share, (_, high) in shares)) / 2
    return BinaryMetrics(
        persons,
        empties,
        shares[0][0],
        shares[1][0],
        balanced,
        (balanced - below, balanced + above),
        auroc(p_person, labels),
        average_precision(p_person, labels),
        calibration_error(p_person, labels),
    )


def auroc(scores: Floats, labels: Labels) -> float:
    """Area under the ROC curve: P(a random person picture scores above a random empty one), ties counting half."""
    person, empty = scores[labels == 1], np.sort(scores[labels == 0])
    below = np.searchsorted(empty, person, "left")
    ties = np.searchsorted(empty, person, "right") - below
    return float((below + ties / 2).sum() / (len(person) * len(empty)))


def average_precision(scores: Floats, labels: Labels) -> float:
    """Mean precision over the persons in order of their scores, 0..1; pictures of equal score enter at once.

    The area under the steps of precision over recall, as in scikit-learn and in PASCAL VOC from 2010 on.
    """
    order = np.argsort(-scores, kind="stable")
    found = np.cumsum(labels[order] == 1)
    # True at the last picture of each score.
    last = np.append(np.diff(scores[order]) != 0, True)
    precision, recalled = (found / np.arange(1, len(order) + 1))[last], found[last]
    return float((np.diff(recalled, prepend=0) * precision).sum() / found[-1])


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Pictures whose P(person) lies from `low` to `high`.

    Attributes:
        low, high: ends of the bin, 0..1.
        pictures: number of pictures.
        persons: number of these that show a person.
        p_person: mean of P(person); NaN without pictures.
    """

    low: float
    high: float
    pictures: int
    persons: int
    p_person: float


def reliability(p_person: Floats, labels: Labels, bins: int = 15) -> list[ReliabilityBin]:
    """Reliability diagram (DeGroot, Fienberg 1983): P(person) against the share of persons, in bins of equal width."""
    place = np.minimum((p_person * bins).astype(int), bins - 1)
    counts = np.bincount(place, minlength=bins)
    sums, persons = np.bincount(place, p_person, bins), np.bincount(place, labels, bins)
    return [
        ReliabilityBin(
            index / bins,
            (index + 1) / bins,
            int(counts[index]),
            int(persons[index]),
            float(sums[index] / counts[index]) if counts[index] else math.nan,
        )
        for index in range(bins)
    ]


def calibration_error(p_person: Floats, labels: Labels, bins: int = 15) -> float:
    """Expected calibration error (Naeini et al. 2015), 0..1.

    The mean distance of P(person) from the share of persons over bins of equal width, weighted by the bins' pictures.
    """
    filled = [each for each in reliability(p_person, labels, bins) if each.pictures]
    return sum(abs(each.p_person * each.pictures - each.persons) for each in filled) / len(labels)


def bootstrap_interval(
    statistic: Callable[[Floats, Labels], float], p_person: Floats, labels: Labels, draws: int = 400, seed: int = 0
) -> tuple[float, float]:
    """95 % percentile interval of a statistic, by bootstrap within each class (Efron, Tibshirani 1993)."""
    rng = np.random.default_rng(seed)
    classes = [np.flatnonzero(labels == label) for label in (0, 1)]
    values = []
    for _ in range(draws):
        drawn = np.concatenate([rng.choice(members, len(members)) for members in classes])
        values.append(statistic(p_person[drawn], labels[drawn]))
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


@dataclass(frozen=True, slots=True)
class AurocChange:
    """Area under the ROC curve, beside that of other scores of the same pictures.

    Attributes:
        auroc: the area, 0..1.
        change: the area less that of the other scores.
        interval: 95 % interval of the change (paired bootstrap within each class).
    """

    auroc: float
    change: float
    interval: tuple[float, float]

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.change:+z.3f} ({low:+z.3f} to {high:+z.3f})"


def auroc_change(before: Floats, after: Floats, labels: Labels) -> AurocChange:
    """The area of `after`, and its change from `before`: scores (N,) of the same pictures."""

    def change(both: Floats, drawn: Labels) -> float:
        return auroc(both[:, 1], drawn) - auroc(both[:, 0], drawn)

    both = np.stack((before, after), 1)
    return AurocChange(auroc(after, labels), change(both, labels), bootstrap_interval(change, both, labels))


def mean_interval(values: Floats) -> tuple[float, float]:
    """95 % interval of a mean, by the normal approximation."""
    half = Z_95 * float(values.std(ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else math.inf
    return float(values.mean()) - half, float(values.mean()) + half


def mcnemar(first_right: npt.NDArray[np.bool_], second_right: npt.NDArray[np.bool_]) -> tuple[int, int, float]:
    """McNemar's exact test (1947) of whether two deciders differ on the same pictures.

    Returns:
        Number of pictures that only the first got right, number that only the second got right, and the two-sided
        binomial p-value.
    """
    first, second = int((first_right & ~second_right).sum()), int((~first_right & second_right).sum())
    trials = first + second
    tail = math.fsum(math.comb(trials, count) for count in range(min(first, second) + 1)) / 2**trials
    return first, second, min(1.0, 2 * tail)


def poisson_interval(count: int) -> tuple[float, float]:
    """Exact 95 % interval of the mean of a Poisson count (Garwood 1936), by bisection."""

    def tail(mean: float, most: int) -> float:
        """P(a count of at most `most`)."""
        return math.fsum(math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(most + 1))

    def solve(most: int, level: float) -> float:
        low, high = 1e-12, 10.0 * (most + 5)
        while high - low > 1e-9 * high:
            middle = (low + high) / 2
            low, high = (middle, high) if tail(middle, most) > level else (low, middle)
        return low

    return (solve(count - 1, 0.975) if count else 0.0), solve(count, 0.025)
