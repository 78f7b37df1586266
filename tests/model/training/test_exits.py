from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.certificate import CertificateError, binomial_p_value
from model.exit_policy import POLICIES, NeverExitPolicy, PublishedPolicy, TwoSidedPolicy
from model.runtime import load_runtime
from model.training.exits import (
    Curves,
    careful_to_bold,
    certify,
    families,
    figures_of,
    losses,
    read_curves,
    replay,
    run,
)
from model.training.metrics import wilson_interval
from model.training.photos import Photo, Photos
from tests.model.random_networks import random_frames
from tests.networks import SMALL, random_checkpoint

RISK = DELTA = 0.1
PHOTOS = Path(__file__).parents[4] / "shared" / "photos"


def random_curves(seed: int, count: int, bursts: int = 12, steps: float = 1.0) -> Curves:
    """P(person) as a random walk of the log odds, drifting to the label's side: early decisions are often wrong."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, count)
    drift = 0.25 * (2 * labels - 1)[:, None]
    walk = np.cumsum(rng.normal(drift, steps, (count, bursts)), 1)
    return Curves(1 / (1 + np.exp(-walk)), rng.uniform(0, 1, (count, bursts)), labels)


@settings(max_examples=20)
@given(st.integers(0, 99), st.sampled_from([name for name, kind in POLICIES.items() if not kind.skips]))
def test_replaying_on_curves_is_what_the_network_does(seed: int, name: str) -> None:
    runtime = load_runtime(random_checkpoint(SMALL, seed))
    frames = random_frames(SMALL, 3, seed)
    photos = Photos("val", tuple(Photo(Path("x"), label, "street", None) for label in (0, 1, 1)), "")
    curves = read_curves(runtime, frames, photos)
    policy = POLICIES[name]()
    stored, live = replay(policy, curves), run(policy, runtime, frames)
    assert stored.processed.tolist() == live.processed.tolist()
    assert stored.p_person == pytest.approx(live.p_person, abs=1e-6)


def test_a_policy_that_skips_cannot_be_replayed() -> None:
    with pytest.raises(ValueError, match="run through the network"):
        replay(PublishedPolicy(), random_curves(0, 3))


@settings(max_examples=10)
@given(st.integers(0, 99))
def test_candidates_become_bolder_step_by_step(seed: int) -> None:
    val = random_curves(seed, 60)
    order = careful_to_bold(val, steps=20)
    assert losses(replay(order[0], val), val, "disagreement").sum() == 0
    ratios = [replay(policy, val).processed.mean() for policy in order]
    assert ratios == sorted(ratios, reverse=True)
    assert len(set(order)) == len(order) > 3


def test_every_family_holds_what_it_says() -> None:
    curves = random_curves(1, 80)
    for name, policies in families():
        for policy in policies:
            assert policy.name == name
            if not policy.skips:
                found = figures_of(replay(policy, curves), curves)
                assert 0 < found.ratios[0] <= 1
    never = figures_of(replay(NeverExitPolicy(), curves), curves)
    assert (never.disagreement, never.ratios) == (0, (1, 1, 1))


def test_harmless_disagreements_do_not_count_as_accuracy_lost() -> None:
    # The full frame is right, wrong; the early exit the other way round.
    curves = Curves(np.array([[0.99, 0.2], [0.01, 0.8]]), np.zeros((2, 2)), np.array([0, 0]))
    outcome = replay(TwoSidedPolicy(0.9, 0.1), curves)
    assert losses(outcome, curves, "disagreement").tolist() == [True, True]
    assert losses(outcome, curves, "accuracy").tolist() == [True, False]


PValue = Callable[[int, int, float], float]


def share_of_broken_promises(
    monkeypatch: pytest.MonkeyPatch, p_value: PValue, draws: int, population: Curves, count: int
) -> tuple[int, int]:
    """How often the certified policy's true risk, that over the whole population, is above what was promised."""
    monkeypatch.setattr("model.certificate.binomial_p_value", p_value)
    rng = np.random.default_rng(5)
    order = careful_to_bold(population.chosen(rng.integers(0, len(population.labels), 200)), steps=40)
    lost = [losses(replay(policy, population), population, "disagreement") for policy in order]
    risks = {policy: float(each.mean()) for policy, each in zip(order, lost, strict=True)}
    assert max(risks.values()) > 1.5 * RISK  # some candidate breaks the promise, if it is taken
    broken = 0
    for _ in range(draws):
        drawn = rng.integers(0, len(population.labels), count)
        errors = [int(each[drawn].sum()) for each in lost]
        from model.certificate import last_safe

        last = last_safe(errors, count, RISK, DELTA)
        broken += last >= 0 and risks[order[last]] > RISK
    return broken, draws


def by_guess(errors: int, trials: int, risk: float) -> float:
    """No valid p-value: the observed share alone."""
    return 0.0 if errors <= risk * trials else 1.0


def test_the_promise_holds_over_500_calibrations_and_not_with_an_invalid_p_value(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    population = random_curves(3, 20_000)
    broken, draws = share_of_broken_promises(monkeypatch, binomial_p_value, 500, population, 150)
    assert wilson_interval(broken, draws)[0] <= DELTA
    broken, draws = share_of_broken_promises(monkeypatch, by_guess, 500, population, 150)
    assert wilson_interval(broken, draws)[0] > DELTA


@pytest.mark.skipif(not PHOTOS.is_dir(), reason="the photographs' folder is not here")
def test_the_promise_holds_on_curves_of_real_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    from model.checkpoint import load_checkpoint, shipped_weights
    from model.training.photos import load_frames, read_photos

    runtime = load_runtime(load_checkpoint(shipped_weights("105x120")))
    photos = read_photos(PHOTOS, "calibration")
    curves = read_curves(runtime, load_frames(photos, runtime.config.height, runtime.config.width), photos)
    broken, draws = share_of_broken_promises(monkeypatch, binomial_p_value, 500, curves, 150)
    assert wilson_interval(broken, draws)[0] <= DELTA


def test_too_few_pictures_are_refused_with_the_number_that_would_do() -> None:
    kinds: npt.NDArray[np.int64] = np.arange(50)
    curves = random_curves(0, 100).chosen(kinds)
    with pytest.raises(CertificateError, match="needs 59 calibration pictures or more, there are 50"):
        certify(
            careful_to_bold(curves, 3),
            curves,
            variant="v",
            weights="w",
            index_digest="i",
            risk=0.05,
            delta=0.05,
            loss="disagreement",
            made_by="test",
        )


def test_a_certificate_counts_what_it_saw() -> None:
    val, calibration = random_curves(1, 200), random_curves(2, 300)
    certificate = certify(
        careful_to_bold(val),
        calibration,
        variant="v",
        weights="w",
        index_digest="i",
        risk=RISK,
        delta=DELTA,
        loss="disagreement",
        made_by="test",
    )
    policy = TwoSidedPolicy(certificate.exit_above, certificate.exit_below)
    outcome = replay(policy, calibration)
    assert certificate.errors == losses(outcome, calibration, "disagreement").sum()
    assert certificate.processed_ratio == outcome.processed.mean() < 1
    assert binomial_p_value(certificate.errors, 300, RISK) <= DELTA
    assert certificate.tested <= certificate.candidates
