"""Learn then Test: of policies chosen on one split, those whose risk another split shows to be small enough."""

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Final

import numpy as np

from model.certificate import (
    CONDITIONS,
    LOSSES,
    MOST_PICTURES,
    PROCEDURES,
    Certificate,
    CertificateError,
    Span,
    least_trials,
    p_value,
)
from model.exit_policy import PerBurstPolicy
from model.training.outcomes import Curves, losses, replay

MAX_SPANS: Final = 4
ROOM: Final = 2.0
"""A span is expected to hold so many times the pictures of which none may be lost, so that some may."""

Edges = tuple[float, ...]
"""Ends of spans of the frame, the first at 0."""


def fixed_sequence(p_values: Sequence[float], delta: float) -> list[int]:
    """The hypotheses rejected in their order, up to the first that isn't: no false one with probability 1 - delta."""
    for index, value in enumerate(p_values):
        if value > delta:
            return list(range(index))
    return list(range(len(p_values)))


def holm(p_values: Sequence[float], delta: float) -> list[int]:
    """The hypotheses rejected by Holm's step-down method (1979), whose order doesn't matter: with the same promise."""
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    passed = fixed_sequence([p_values[index] * (len(order) - rank) for rank, index in enumerate(order)], delta)
    return sorted(order[rank] for rank in passed)


TESTS: Final[Mapping[str, Callable[[Sequence[float], float], list[int]]]] = dict(
    zip(PROCEDURES, (fixed_sequence, holm), strict=True)
)


def halt_spans(policy: PerBurstPolicy, val: Curves, pictures: int, needed: int) -> Edges | None:
    """Spans of the frame that pictures left early fall into, as many in each on `val`; the rest is read to its end.

    Args:
        pictures: of the calibration set.
        needed: pictures that a span has to have at least.

    Returns:
        Ends of at most `MAX_SPANS` spans; None where too few pictures are left early for one.
    """
    processed = np.sort(replay(policy, val).processed)
    early = processed[processed < 1]
    spans = min(MAX_SPANS, int(len(early) / len(processed) * pictures / (ROOM * needed)))
    if not spans:
        return None
    ends = np.unique([early[math.ceil(len(early) * (part + 1) / spans) - 1] for part in range(spans)])
    last = 1 - 1 / val.p_person.shape[1]  # after the last burst nothing is early any more
    return (0.0, *map(float, ends[:-1]), last)


def count_spans(policy: PerBurstPolicy, calibration: Curves, loss: str, edges: Edges) -> tuple[Span, ...]:
    """What the calibration pictures say of each span."""
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
    """Tests the candidates on the calibration pictures; of those that are safe, the one that reads least there.

    Args:
        candidates: from careful to bold, chosen without the calibration pictures.
        val: what they were chosen on; gives the spans of a promise by halt time.
        loss, procedure, condition: of `model.certificate.LOSSES`, `PROCEDURES`, `CONDITIONS`.

    Raises:
        CertificateError: an unknown name, or a promise that so few pictures can't bear out; it says how many could.
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
        raise CertificateError(
            f"a risk of {risk:g} at delta {delta:g} needs {needed} calibration pictures or more, there are {pictures}; "
            f"with these a risk of {1 - strictest ** (1 / pictures):.4f} can be promised"
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
    """How many pictures would bear out the promise if all went on as in these spans."""
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
