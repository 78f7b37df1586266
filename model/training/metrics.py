"""Figures of merit of a binary classifier, with intervals."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Z_95 = 1.959963984540054


def wilson_interval(successes: int, trials: int, z: float = Z_95) -> tuple[float, float]:
    """Wilson's score interval of a proportion, 0..1 (Wilson 1927)."""
    if trials == 0:
        return 0.0, 1.0
    share = successes / trials
    centre = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials)) / (1 + z * z / trials)
    return max(0.0, centre - half), min(1.0, centre + half)


@dataclass(frozen=True, slots=True)
class BinaryMetrics:
    """Person against no person at the threshold 0.5; all shares in 0..1.

    `interval` is the 95 % interval of the balanced accuracy: the mean of two independent Wilson intervals, combined
    as Newcombe (1998) does for sums.
    """

    persons: int
    empties: int
    persons_found: float
    empties_kept: float
    balanced_accuracy: float
    interval: tuple[float, float]
    auroc: float

    def to_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


def binary_metrics(p_person: npt.NDArray[np.float64], labels: npt.NDArray[np.int64]) -> BinaryMetrics:
    """The figures for P(person) (N,) in 0..1 and labels (N,) of 0 and 1, with both classes present."""
    person = labels == 1
    found, kept = int((p_person[person] >= 0.5).sum()), int((p_person[~person] < 0.5).sum())
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
    )


def auroc(scores: npt.NDArray[np.float64], labels: npt.NDArray[np.int64]) -> float:
    """Chance that a random person picture scores above a random empty one, ties counting half."""
    person, empty = scores[labels == 1], np.sort(scores[labels == 0])
    below = np.searchsorted(empty, person, "left")
    ties = np.searchsorted(empty, person, "right") - below
    return float((below + ties / 2).sum() / (len(person) * len(empty)))


def calibration_error(p_person: npt.NDArray[np.float64], labels: npt.NDArray[np.int64], bins: int = 15) -> float:
    """Expected calibration error, 0..1: how far P(person) is from the share of persons, over bins of equal width.

    Naeini et al. 2015; each bin weighs as much as it has pictures.
    """
    place = np.minimum((p_person * bins).astype(int), bins - 1)
    gaps = np.bincount(place, p_person - labels, bins)
    return float(np.abs(gaps).sum() / len(labels))


def poisson_interval(count: int) -> tuple[float, float]:
    """Exact 95 % interval of the mean of a Poisson count (Garwood 1936), by bisection."""

    def tail(mean: float, most: int) -> float:
        """P(at most so many)."""
        return math.fsum(math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(most + 1))

    def solve(most: int, level: float) -> float:
        low, high = 1e-12, 10.0 * (most + 5)
        while high - low > 1e-9 * high:
            middle = (low + high) / 2
            low, high = (middle, high) if tail(middle, most) > level else (low, middle)
        return low

    return (solve(count - 1, 0.975) if count else 0.0), solve(count, 0.025)
