"""A certificate for weights that nobody calibrated."""

from model.certificate import Certificate, Span
from model.checkpoint import Checkpoint


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
