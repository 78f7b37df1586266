"""Calibration with a guarantee: by repeating it on data whose truth is known."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.certificate import Certificate, CertificateError, binomial_p_value
from model.exit_policy import PerBurstPolicy
from model.runtime import load_runtime
from model.training.candidates import per_burst_path
from model.training.certify import certify, count_spans, fixed_sequence, halt_spans, holm
from model.training.metrics import wilson_interval
from model.training.outcomes import Curves, losses, read_curves, replay
from tests.model.training.random_curves import random_curves

RISK = DELTA = 0.1
PHOTOS = Path(__file__).parents[4] / "shared" / "photos"


def promise(
    candidates: list[PerBurstPolicy],
    val: Curves,
    calibration: Curves,
    *,
    risk: float = RISK,
    loss: str = "disagreement",
    procedure: str = "fixed-sequence",
    condition: str = "marginal",
) -> Certificate:
    return certify(
        candidates,
        val,
        calibration,
        variant="v",
        weights="w",
        index_digest="i",
        risk=risk,
        delta=DELTA,
        loss=loss,
        procedure=procedure,
        condition=condition,
        made_by="test",
    )


class Truth:
    """A population of pictures, of which calibration sees a few, and the true risk of policies on it."""

    def __init__(self, population: Curves, loss: str) -> None:
        self.population, self.loss = population, loss
        self.known: dict[tuple[PerBurstPolicy, tuple[float, ...]], float] = {}

    def risk(self, policy: PerBurstPolicy, edges: tuple[float, ...]) -> float:
        """Over all pictures; with more than one span, the largest of the spans."""
        if (policy, edges) not in self.known:
            spans = count_spans(policy, self.population, self.loss, edges)
            self.known[policy, edges] = max(span.errors / span.pictures for span in spans)
        return self.known[policy, edges]


def broken_promises(
    population: Curves, draws: int, pictures: int, loss: str, procedure: str, condition: str
) -> tuple[int, int]:
    """How many of the certificates from so many calibrations are wrong, and how many draws there were.

    A calibration that refuses promises nothing, so it counts as a draw that broke none.
    """
    rng = np.random.default_rng(5)
    truth = Truth(population, loss)
    val = population.chosen(rng.integers(0, len(population.labels), 300))
    candidates = per_burst_path(val, 90)[::5]
    assert truth.risk(candidates[-1], (0.0, 1.0)) > 1.2 * RISK  # not all are to be had
    broken = made = 0
    for _ in range(draws):
        calibration = population.chosen(rng.integers(0, len(population.labels), pictures))
        try:
            found = promise(candidates, val, calibration, loss=loss, procedure=procedure, condition=condition)
        except CertificateError:
            continue
        made += 1
        policy = PerBurstPolicy(found.person_first, found.person_last, found.empty_first, found.empty_last)
        edges = (0.0, *(span.until for span in found.spans))
        broken += truth.risk(policy, edges) > RISK
    assert made > draws / 2  # the test is of promises, not of refusals
    return broken, draws


def by_guess(errors: int, trials: int, risk: float) -> float:
    """No valid p-value: the observed share alone."""
    return 0.0 if errors <= risk * trials else 1.0


KINDS = [
    ("disagreement", "fixed-sequence", "marginal", 500),
    ("disagreement", "holm", "marginal", 100),
    ("accuracy", "fixed-sequence", "marginal", 100),
    ("disagreement", "fixed-sequence", "halt-time", 100),
]
PopulationKind = tuple[str, str, str, int]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: "-".join(kind[:3]))
def test_the_promise_holds_over_500_calibrations(kind: PopulationKind) -> None:
    loss, procedure, condition, _ = kind
    broken, draws = broken_promises(random_curves(3, 8_000), 500, 200, loss, procedure, condition)
    assert wilson_interval(broken, draws)[0] <= DELTA


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: "-".join(kind[:3]))
def test_the_same_check_finds_out_an_invalid_p_value(kind: PopulationKind, monkeypatch: pytest.MonkeyPatch) -> None:
    loss, procedure, condition, draws = kind
    monkeypatch.setattr("model.certificate.binomial_p_value", by_guess)
    broken, draws = broken_promises(random_curves(3, 8_000), draws, 200, loss, procedure, condition)
    assert wilson_interval(broken, draws)[0] > DELTA


@pytest.mark.skipif(not PHOTOS.is_dir(), reason="the photographs' folder is not here")
def test_the_promise_holds_on_curves_of_real_pictures() -> None:
    from model.checkpoint import load_checkpoint, shipped_weights
    from model.training.photos import load_frames, read_photos

    runtime = load_runtime(load_checkpoint(shipped_weights("105x120")))
    photos = read_photos(PHOTOS, "calibration")
    curves = read_curves(runtime, load_frames(photos, runtime.config.height, runtime.config.width), photos)
    broken, draws = broken_promises(curves, 500, 200, "disagreement", "fixed-sequence", "marginal")
    assert wilson_interval(broken, draws)[0] <= DELTA


def test_fixed_sequence_stops_at_the_first_that_fails() -> None:
    assert fixed_sequence([0.01, 0.05, 0.06, 0.0], 0.05) == [0, 1]
    assert fixed_sequence([0.2, 0.0], 0.05) == []
    assert fixed_sequence([0.01, 0.02], 0.05) == [0, 1]


def test_holm_by_hand() -> None:
    # Sorted: 0.005 * 4 = 0.02, 0.01 * 3 = 0.03, 0.03 * 2 = 0.06: the third fails, and with it the fourth.
    assert holm([0.03, 0.005, 0.04, 0.01], 0.05) == [1, 3]
    assert holm([0.5], 0.05) == []
    assert holm([0.01, 0.02, 0.04], 0.05) == [0, 1, 2]


@settings(max_examples=50)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.floats(0.01, 0.3))
def test_holm_rejects_what_bonferroni_does_and_never_more_than_no_correction(values: list[float], delta: float) -> None:
    rejected = set(holm(values, delta))
    assert {index for index, value in enumerate(values) if value * len(values) <= delta} <= rejected
    assert rejected <= {index for index, value in enumerate(values) if value <= delta}


def test_spans_hold_every_picture_that_is_left_early_and_none_other() -> None:
    val = random_curves(1, 400)
    for policy in per_burst_path(val)[8:40:8]:
        edges = halt_spans(policy, val, 400, 22)
        assert edges is not None
        assert list(edges) == sorted(set(edges))
        spans = count_spans(policy, val, "disagreement", edges)
        outcome = replay(policy, val)
        assert sum(span.pictures for span in spans) == (outcome.processed < 1).sum()
        assert sum(span.errors for span in spans) == losses(outcome, val, "disagreement").sum()
        assert all(span.pictures >= 22 for span in spans)


def test_a_promise_by_halt_time_keeps_every_span() -> None:
    val, calibration = random_curves(1, 600), random_curves(2, 900)
    found = promise(per_burst_path(val), val, calibration, condition="halt-time")
    assert len(found.spans) > 1
    assert all(binomial_p_value(span.errors, span.pictures, RISK) <= DELTA for span in found.spans)


@pytest.mark.parametrize(
    ("pictures", "change", "message"),
    [
        (20, {}, "needs 22 calibration pictures or more, there are 20; with these a risk of 0.1088 can be"),
        (60, {"procedure": "holm"}, "needs 61 calibration pictures or more"),
        (40, {"condition": "halt-time"}, r"needs 44 calibration pictures that are left early.*4\d pictures could do"),
        (40, {"loss": "money"}, "the loss 'money' is not one of disagreement, accuracy"),
        (40, {"procedure": "bonferroni"}, "the procedure 'bonferroni' is not one of"),
        (40, {"condition": "weather"}, "the condition 'weather' is not one of"),
    ],
)
def test_what_the_pictures_cannot_bear_out_is_refused(pictures: int, change: dict[str, Any], message: str) -> None:
    val = random_curves(1, 200)
    candidates = per_burst_path(val)
    with pytest.raises(CertificateError, match=message):
        promise(candidates, val, random_curves(2, pictures), **change)


def test_a_request_that_only_reading_everything_could_meet_names_the_pictures_that_could() -> None:
    val = random_curves(1, 200)
    never, careless = PerBurstPolicy(2, 2, 2, 2), PerBurstPolicy(0.75, 0.75, 0.75, 0.75)
    calibration = random_curves(2, 300)
    share = losses(replay(careless, calibration), calibration, "disagreement").mean()
    with pytest.raises(CertificateError, match="no number could show it"):
        promise([never, careless], val, calibration, risk=share * 0.9)
    with pytest.raises(CertificateError, match=r"about (\d+) pictures could") as caught:
        promise([never, careless], val, calibration, risk=share * 1.1)
    named = int(str(caught.value).split("about ")[1].split()[0])
    assert binomial_p_value(round(share * named), named, share * 1.1) <= DELTA < 0.2
    with pytest.raises(CertificateError, match="none of the candidates exits early"):
        promise([never], val, calibration)


def test_a_certificate_counts_what_it_saw() -> None:
    val, calibration = random_curves(1, 200), random_curves(2, 300)
    found = promise(per_burst_path(val), val, calibration)
    outcome = replay(
        PerBurstPolicy(found.person_first, found.person_last, found.empty_first, found.empty_last), calibration
    )
    assert found.errors == losses(outcome, calibration, "disagreement").sum()
    assert found.processed_ratio == outcome.processed.mean() < 1
    assert binomial_p_value(found.errors, 300, RISK) <= DELTA
    assert found.tested <= found.candidates
    found.check()
