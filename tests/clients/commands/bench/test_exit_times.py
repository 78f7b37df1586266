import numpy as np
import pytest

from clients.commands.bench.exit_times import ExitTimes, exit_times
from model.certificate import Certificate, certificate_beside
from model.checkpoint import load_checkpoint, shipped_weights
from model.config import VARIANTS


@pytest.mark.parametrize("variant", VARIANTS)
def test_they_were_measured_under_the_shipped_certificate(variant: str) -> None:
    """After new weights: `python -m clients.commands.bench.exit_times --photos DIR`, part of `make weights-docs`."""
    weights = shipped_weights(variant)
    certificate = Certificate.load(certificate_beside(weights), load_checkpoint(weights).digest)
    times = exit_times(variant)
    assert times.certificate == certificate.digest
    assert len(times.counts) == VARIANTS[variant].bursts_per_frame
    assert times.processed_ratio == pytest.approx(certificate.processed_ratio, abs=0.05), "other pictures, same policy"


def test_draws_have_the_distribution() -> None:
    times = ExitTimes("", (0, 3, 1))
    drawn = times.draw(np.random.default_rng(0), 4000)
    assert set(drawn.tolist()) == {2, 3}
    assert drawn.mean() / 3 == pytest.approx(times.processed_ratio, abs=0.02)
