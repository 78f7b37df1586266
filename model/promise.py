"""Promises of certificates in words, written once for commands, service, page and package.

A certificate promises that early exits lose at most a share of the decisions. Its loss says which decisions are lost;
its condition says among which decisions the share is taken.
"""

from typing import Final

LOSSES: Final = {
    "disagreement": "Exits change at most {risk:%} of the decisions",
    "accuracy": "Exits turn at most {risk:%} of the decisions from right to wrong",
}
"""A decision is lost if it differs from the full frame's; or if it differs and is wrong."""

CONDITIONS: Final = {
    "marginal": "",
    "halt-time": ", counted separately for early and for late exits",
}
"""The promise holds over all pictures, or in each of some spans of the frame for the pictures decided there."""

PROMISES: Final = {
    loss: {
        condition: f"{lost}{counted}; the chance that this promise is wrong is {{delta:%}}."
        for condition, counted in CONDITIONS.items()
    }
    for loss, lost in LOSSES.items()
}
"""Sentences by loss and condition; `{risk:%}` and `{delta:%}` stand for percentages."""


def promise_in_words(loss: str, condition: str, risk: float, delta: float) -> str:
    """Returns the sentence that says what a certificate promises.

    Args:
        loss, condition: one of `LOSSES`, one of `CONDITIONS`.
        risk, delta: with probability 1 - delta, at most a share `risk` is lost; 0..1.
    """
    sentence = PROMISES[loss][condition].replace("{risk:%}", f"{100 * risk:g}%")
    return sentence.replace("{delta:%}", f"{100 * delta:g}%")
