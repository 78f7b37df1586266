"""Anytime-valid evidence against a promised risk, from audits of decisions as they come (testing by betting).

An audit of a decision tells whether the whole frame would have decided otherwise: *lost*, a loss of 1, or 0. Of the
hypothesis "each audit is lost with a chance of at most `risk`, whatever came before", a bettor with the stake
`theta` > `risk` multiplies a fortune by theta / risk at a loss, else by (1 - theta) / (1 - risk). Under the hypothesis
no bet gains on average, so the chance that the fortune ever reaches 1 / alpha is at most alpha, however often it is
looked at (Ville 1939). The evidence is the mean fortune of several bettors who began with 1 each (a mixture over
stakes), so that no stake has to be guessed. Each stake is fixed beforehand: so the evidence follows from two counts,
and counts of several processes add up. After Timans et al. 2025 (arXiv 2506.16416).

The same bets from below give an upper bound of the risk that holds at all times at once.
"""

import math
from typing import Any, Final

import numpy as np

STAKES: Final = (1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0, 10.0)
"""Bettors' beliefs about the true risk: its odds, in multiples of the odds of the promised risk."""

BOUND_STAKES: Final = (0.1, 0.3, 0.5, 0.65, 0.8, 0.9)
"""The same for the upper bound, whose bettors think that the true risk is lower than the one they bet against."""


def log_evidence(audits: Any, lost: Any, risk: float, stakes: tuple[float, ...] = STAKES) -> Any:
    """The natural logarithm of the evidence that the risk is above `risk`; 0 before the first audit.

    Args:
        audits: number of audits, 0 or more; or an array of such numbers.
        lost: number of these that were lost, or an array of the same shape.
        risk: the promised risk, above 0, below 1.
        stakes: multiples of the odds of `risk`; all above 1 for evidence of a higher risk, all below 1 for evidence of
            a lower one.

    Returns:
        A float; an array for arrays.
    """
    odds = risk / (1 - risk) * np.array(stakes)
    theta = odds / (1 + odds)
    gain, loss = np.log(theta / risk), np.log((1 - theta) / (1 - risk))
    fortunes = np.multiply.outer(lost, gain) + np.multiply.outer(np.subtract(audits, lost), loss)
    return np.logaddexp.reduce(fortunes, axis=-1) - math.log(len(stakes))


def risk_upper_bound(audits: int, lost: int, alpha: float) -> float:
    """The largest risk, 0..1, that the audits have not refuted; 1 before the first audit.

    If the risk stays the same, the chance that the bound is ever below the risk is at most alpha.

    Args:
        audits: number of audits, 0 or more.
        lost: number of these that were lost.
        alpha: above 0, below 1.
    """
    low, high = (lost / audits if audits else 1.0), 1.0
    refuted = -math.log(alpha)
    while high - low > 1e-6:  # the evidence of a risk below `risk` grows with `risk`
        middle = (low + high) / 2
        if log_evidence(audits, lost, middle, BOUND_STAKES) >= refuted:
            high = middle
        else:
            low = middle
    return high


def expected_audits(true_risk: float, risk: float, alpha: float) -> float:
    """Number of audits until the evidence reaches 1 / alpha, for a bettor who knows the true risk, on average.

    Each audit adds the relative entropy of the two risks to the logarithm of that bettor's fortune.

    Args:
        true_risk: above `risk`, below 1.
        risk: the promised risk, above 0.
        alpha: above 0, below 1.
    """
    growth = true_risk * math.log(true_risk / risk) + (1 - true_risk) * math.log((1 - true_risk) / (1 - risk))
    return -math.log(alpha) / growth
