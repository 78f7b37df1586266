"""Learn then Test (Angelopoulos et al. 2021): policies chosen on one split are tested for their risk on another."""

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Final

import numpy as np

from model.certificate import (
    MOST_PICTURES,
    PROCEDURES,
    WEAKEST,
    Certificate,
    CertificateError,
    Span,
    least_trials,
    p_value,
)
from model.exit_policy import PerBurstPolicy
from model.promise import CONDITIONS, LOSSES
from model.training.outcomes import Curves, losses, replay

MAX_SPANS: Final = 4
ROOM: Final = 2.0
"""Expected pictures of a span, as a multiple of the pictures of which none may be lost; with more, some may be."""

Edges = tuple[float, ...]
"""Ends of spans of the frame, the first at 0."""


def fixed_sequence(p_values: Sequence[float], delta: float) -> list[int]:
    """Indices of the hypotheses rejected in order, up to the first that is not; all true with probability 1 - delta."""
    for index, value in enumerate(p_values):
        if value > delta:
            return list(range(index))
    return list(range(len(p_values)))


def holm(p_values: Sequence[float], delta: float) -> list[int]:
    """Indices of the hypotheses rejected by Holm's step-down method (1979), in any order; the promise is the same."""
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    passed = fixed_sequence([p_values[index] * (len(order) - rank) for rank, index in enumerate(order)], delta)
    return sorted(order[rank] for rank in passed)


TESTS: Final[Mapping[str, Callable[[Sequence[float], float], list[int]]]] = dict(
    zip(PROCEDURES, (fixed_sequence, holm), strict=True)
)


def halt_spans(policy: PerBurstPolicy, val: Curves, pictures: int, needed: int) -> Edges | None:
    """Cuts the frame into spans that hold equal numbers of early exits on `val`.

    Args:
        policy: the policy that exits.
        val: curves of the pictures that choose the spans.
        pictures: number of pictures in the calibration set.
        needed: least number of pictures that a span must have.

    Returns:
        Ends of at most `MAX_SPANS` spans; None where too few pictures exit early for one span.
    """
    processed = np.sort(replay(policy, val).processed)
    early = processed[processed < 1]
    spans = min(MAX_SPANS, int(len(early) / len(processed) * pictures / (ROOM * needed)))
    if not spans:
        return None
    ends = np.unique([early[math.ceil(len(early) * (part + 1) / spans) - 1] for part in range(spans)])
    # An exit after the last burst is not early.
    last = 1 - 1 / val.p_person.shape[1]
    return (0.0, *map(float, ends[:-1]), last)


def count_spans(policy: PerBurstPolicy, calibration: Curves, loss: str, edges: Edges) -> tuple[Span, ...]:
    """Counts the calibration pictures and their losses in each span between `edges`."""
    outcome = replay(policy, calibration)
    lost = losses(outcome, calibration, loss)
    spans = []
    for after, until in pairwise(edges):
        inside = (outcome.processed > after + 1e-9) & (outcome.processed <= until + 1e-9)
        spans.append(Span(after, until, int(inside.sum()), int(lost[inside].sum())))
    return tuple(spans)


def certify(
    candidates: Sequence[PerBurstPolicy],
    val: Curves,
    calibration: Curves,
    *,
    variant: str,
    weights: str,
    index_digest: str,
    risk: float,
    delta: float,
    made_by: str,
    loss: str = "disagreement",
    procedure: str = "fixed-sequence",
    condition: str = "marginal",
) -> Certificate:
    """Tests candidates on the calibration pictures and certifies the safe one that reads least there.

    Args:
        candidates: policies from careful to bold, chosen without the calibration pictures.
        val: curves of the pictures that chose the candidates; they give the spans of a promise by halt time.
        calibration: curves of the calibration pictures.
        variant: name of the network.
        weights: digest of the weights.
        index_digest: SHA-256 of the index of photographs.
        risk, delta: with probability 1 - delta, at most a share `risk` is lost; both above 0, below 1.
        made_by: the command, for the certificate.
        loss, procedure, condition: one of `model.promise.LOSSES`, `model.certificate.PROCEDURES`,
            `model.promise.CONDITIONS`.

    Raises:
        CertificateError: an unknown name, or too few pictures for the promise; the message says how many would do.
    """
    for name, value, known in (
        ("loss", loss, LOSSES),
        ("procedure", procedure, PROCEDURES),
        ("condition", condition, CONDITIONS),
    ):
        if value not in known:
            raise CertificateError(f"the {name} {value!r} is not one of {', '.join(known)}")
    pictures = len(calibration.labels)
    strictest = delta / len(candidates) if procedure == "holm" else delta
    needed = least_trials(risk, strictest)
    if pictures < needed:
        # Rounded up, so that the offer can be kept.
        least = math.ceil(1e4 * (1 - strictest ** (1 / pictures))) / 1e4
        raise CertificateError(
            f"a risk of {risk:g} at delta {delta:g} needs {needed} calibration pictures or more, there are {pictures}"
            + (f"; with these a risk of {least:.4f} can be promised" if least <= WEAKEST else "")
            + "; `rascanet data folder --calibration-share` draws more of a folder"
        )
    spans: list[tuple[PerBurstPolicy, Edges]]
    if condition == "marginal":
        spans = [(policy, (0.0, 1.0)) for policy in candidates]
    else:
        found = [(policy, halt_spans(policy, val, pictures, needed)) for policy in candidates]
        spans = [(policy, edges) for policy, edges in found if edges is not None]
        if not spans:
            share = max(float((replay(policy, val).processed < 1).mean()) for policy in candidates)
            raise CertificateError(
                f"a promise by halt time needs {ROOM * needed:.0f} calibration pictures that are left early, and no "
                f"candidate has so many among {pictures}; "
                + (f"{math.ceil(ROOM * needed / share)} pictures could do" if share else "none exits early at all")
            )
    counted = [count_spans(policy, calibration, loss, edges) for policy, edges in spans]
    p_values = [p_value(each, risk) for each in counted]
    safe = TESTS[procedure](p_values, delta)
    processed = {index: float(replay(spans[index][0], calibration).processed.mean()) for index in safe}
    best = min(processed, key=lambda index: processed[index], default=None)
    if best is None or processed[best] == 1:
        first = next((index for index in range(len(spans)) if index not in safe), None)
        raise CertificateError(
            f"no early exit can be shown to lose at most {risk:g} at delta {delta:g} with {pictures} pictures; "
            + _what_would_do(counted[first] if first is not None else (), risk, strictest, pictures)
        )
    policy = spans[best][0]
    return Certificate(
        variant=variant,
        weights=weights,
        person_first=policy.person_first,
        person_last=policy.person_last,
        empty_first=policy.empty_first,
        empty_last=policy.empty_last,
        loss=loss,
        procedure=procedure,
        condition=condition,
        risk=risk,
        delta=delta,
        pictures=pictures,
        spans=counted[best],
        processed_ratio=processed[best],
        candidates=len(spans),
        tested=len(spans) if procedure == "holm" else min(len(spans), len(safe) + 1),
        photos_index_sha256=index_digest,
        made_by=made_by,
    )


def _what_would_do(spans: Sequence[Span], risk: float, delta: float, pictures: int) -> str:
    """A sentence that says how many pictures would support the promise, if the rates of these spans went on."""
    if any(span.errors >= risk * span.pictures for span in spans if span.errors):
        worst = max(span.errors / span.pictures for span in spans if span.pictures)
        return f"the most careful one that fails loses {worst:.1%} there, so that no number could show it"
    factor = 1.0
    while spans and pictures * factor < MOST_PICTURES:
        factor *= 1.02
        grown = [Span(0, 1, math.floor(each.pictures * factor), math.ceil(each.errors * factor)) for each in spans]
        if p_value(grown, risk) <= delta:
            return f"about {math.ceil(pictures * factor)} pictures could, if they are lost as often"
    return "none of the candidates exits early"
