"""Certificates and promises of weights that nobody calibrated."""

from model.certificate import Certificate, Span
from model.checkpoint import Checkpoint
from model.exit_policy import CalibratedPolicy


def certificate_of(checkpoint: Checkpoint) -> Certificate:
    """Its thresholds let every frame go at once."""
    return Certificate(
        variant=checkpoint.config.name,
        weights=checkpoint.digest,
        person_first=0.5,
        person_last=0.5,
        empty_first=0.5,
        empty_last=0.5,
        loss="disagreement",
        procedure="fixed-sequence",
        condition="marginal",
        risk=0.05,
        delta=0.05,
        pictures=450,
        spans=(Span(0.0, 1.0, 450, 12),),
        processed_ratio=0.5,
        candidates=60,
        tested=20,
        photos_index_sha256="def",
        made_by="rascanet calibrate",
    )


def promised_policy(
    person_first: float, person_last: float, empty_first: float, empty_last: float, *, certificate: str
) -> CalibratedPolicy:
    """Thresholds that a certificate of this digest vouches for, with the usual promise."""
    return CalibratedPolicy(
        person_first,
        person_last,
        empty_first,
        empty_last,
        loss="disagreement",
        condition="marginal",
        risk=0.05,
        delta=0.05,
        certificate=certificate,
    )
