"""Early exits over labelled pictures: full-frame curves once, then any policy that only exits, replayed on them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model.certificate import Certificate, CertificateError, last_safe, least_trials
from model.exit_policy import (
    START,
    ConfidencePolicy,
    ExitPolicy,
    FixedRowPolicy,
    PatiencePolicy,
    PerBurstPolicy,
    Policy,
    PublishedPolicy,
    Seen,
    SequentialPolicy,
    TwoSidedPolicy,
    Verdict,
)
from model.runtime import StepRuntime
from model.scan import scan_frame
from model.training.metrics import wilson_interval
from model.training.photos import Photos

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Curves:
    """What the network says after each burst of whole frames.

    Attributes:
        p_person, confidence: (N, T) in 0..1.
        labels: (N,) of 0 and 1.
    """

    p_person: Floats
    confidence: Floats
    labels: npt.NDArray[np.int64]

    def chosen(self, which: npt.NDArray[np.int64] | Flags) -> "Curves":
        """Those of some pictures."""
        return Curves(self.p_person[which], self.confidence[which], self.labels[which])


def read_curves(runtime: StepRuntime, frames: npt.NDArray[np.uint8], photos: Photos) -> Curves:
    """Curves of frames (N, H, W, 3) of these pictures."""
    results = [runtime.step(frame, runtime.initial_hidden()) for frame in frames]
    return Curves(
        np.array([result.p_person for result in results]),
        np.array([result.confidence for result in results]),
        photos.labels,
    )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a policy makes of pictures.

    Attributes:
        p_person: P(person) that the decision rests on, (N,).
        processed: share of the bursts processed, (N,).
    """

    p_person: Floats
    processed: Floats


def replay(policy: ExitPolicy, curves: Curves) -> Outcome:
    """A policy that only exits, on stored curves: exactly what it would do frame by frame."""
    if policy.skips:
        raise ValueError(f"the policy {policy.name!r} changes the hidden state; it has to be run through the network")
    count, bursts = curves.p_person.shape
    halts = np.full(count, bursts - 1)
    if isinstance(policy, TwoSidedPolicy):  # the one that is searched over
        outside = (curves.p_person >= policy.exit_above) | (curves.p_person <= policy.exit_below)
        outside[:, -1] = True
        halts = outside.argmax(1)
    elif policy.acts:
        for index in range(count):
            state = START
            for burst in range(bursts - 1):
                seen = Seen((burst + 1) / bursts, curves.p_person[index, burst], curves.confidence[index, burst])
                verdict, state = policy.verdict(seen, state)
                if verdict is Verdict.EXIT:
                    halts[index] = burst
                    break
    return Outcome(curves.p_person[np.arange(count), halts], (halts + 1) / bursts)


def run(policy: ExitPolicy, runtime: StepRuntime, frames: npt.NDArray[np.uint8]) -> Outcome:
    """Any policy, through the network."""
    scans = [scan_frame(runtime, frame, policy) for frame in frames]
    return Outcome(np.array([scan.p_person for scan in scans]), np.array([scan.processed_ratio for scan in scans]))


def losses(outcome: Outcome, curves: Curves, loss: str) -> Flags:
    """Which pictures are lost under a policy, (N,), see `model.certificate.LOSSES`."""
    early, full = outcome.p_person >= 0.5, curves.p_person[:, -1] >= 0.5
    lost: Flags = early != full
    return lost & (full == (curves.labels == 1)) if loss == "accuracy" else lost


@dataclass(frozen=True, slots=True)
class ExitFigures:
    """A policy's figures over pictures.

    Attributes:
        pictures: how many.
        accuracy: balanced, 0..1.
        disagreement: share decided otherwise than by the full frame, with its 95 % interval.
        ratios: mean share of bursts processed over all pictures, those with and those without a person.
    """

    pictures: int
    accuracy: float
    disagreement: float
    interval: tuple[float, float]
    ratios: tuple[float, float, float]


def figures_of(outcome: Outcome, curves: Curves) -> ExitFigures:
    """The figures."""
    person = curves.labels == 1
    right = (outcome.p_person >= 0.5) == person
    lost = losses(outcome, curves, "disagreement")
    return ExitFigures(
        len(person),
        float(right[person].mean() + right[~person].mean()) / 2,
        float(lost.mean()),
        wilson_interval(int(lost.sum()), len(lost)),
        (
            float(outcome.processed.mean()),
            float(outcome.processed[person].mean()),
            float(outcome.processed[~person].mean()),
        ),
    )


def careful_to_bold(val: Curves, steps: int = 60) -> list[TwoSidedPolicy]:
    """Two-sided thresholds in an order from never to often, chosen on one split to be tested on another.

    Each step allows one more disagreement with the full frame on either side, and lowers the threshold of the side that
    saves more.
    """
    above, below = 1.0, 0.0
    order = [TwoSidedPolicy(above, below)]
    final = val.p_person[:, -1] >= 0.5
    early = val.p_person[:, :-1]
    # A frame that ends without a person is lost to a threshold at or under its highest early P(person), and vice versa.
    uppers = np.unique(np.append(early[~final].max(1), 0.5 + 1e-6))[::-1]
    lowers = np.unique(np.append(early[final].min(1), 0.5 - 1e-6))
    upper = lower = 0
    while len(order) < steps and (upper < len(uppers) or lower < len(lowers)):
        pairs = []
        if upper < len(uppers):
            pairs.append((min(1.0, uppers[upper] + 1e-6), below, True))
        if lower < len(lowers):
            pairs.append((above, max(0.0, lowers[lower] - 1e-6), False))
        options = [(TwoSidedPolicy(high, low), up) for high, low, up in pairs if low < high]
        if not options:
            break
        best, up = min(options, key=lambda option: float(replay(option[0], val).processed.mean()))
        above, below = best.exit_above, best.exit_below
        upper, lower = (upper + 1, lower) if up else (upper, lower + 1)
        order.append(best)
    return order


def certify(
    candidates: list[TwoSidedPolicy],
    calibration: Curves,
    *,
    variant: str,
    weights: str,
    index_digest: str,
    risk: float,
    delta: float,
    loss: str,
    made_by: str,
) -> Certificate:
    """Tests the candidates in their order on the calibration pictures; the boldest that is safe.

    Raises:
        CertificateError: too few pictures for such a promise.
    """
    pictures = len(calibration.labels)
    needed = least_trials(risk, delta)
    if pictures < needed:
        raise CertificateError(
            f"a risk of {risk:g} at delta {delta:g} needs {needed} calibration pictures or more, there are {pictures}; "
            f"with these a risk of {1 - delta ** (1 / pictures):.4f} can be promised"
        )
    outcomes = [replay(policy, calibration) for policy in candidates]
    errors = [int(losses(outcome, calibration, loss).sum()) for outcome in outcomes]
    last = last_safe(errors, pictures, risk, delta)
    if last < 0:
        raise CertificateError(
            "no candidate is safe, not even the first; it should be one that reads every frame to its end"
        )
    policy = candidates[last]
    return Certificate(
        variant=variant,
        weights=weights,
        exit_above=float(policy.exit_above),
        exit_below=float(policy.exit_below),
        loss=loss,
        risk=risk,
        delta=delta,
        pictures=pictures,
        errors=errors[last],
        processed_ratio=float(outcomes[last].processed.mean()),
        candidates=len(candidates),
        tested=min(len(candidates), last + 2),
        photos_index_sha256=index_digest,
        made_by=made_by,
    )


def families() -> Iterator[tuple[str, Iterable[Policy]]]:
    """Every kind of policy with a range of settings, careful ones first."""
    sure = np.concatenate([1 - np.geomspace(1e-4, 0.2, 16), np.linspace(0.78, 0.55, 12)])
    yield "published", [PublishedPolicy(float(value), 0.005) for value in sure]
    yield "two_sided", [TwoSidedPolicy(float(value), float(1 - value)) for value in sure]
    yield (
        "per_burst",
        [PerBurstPolicy(first, float(last)) for first in (1.0, 0.9, 0.8) for last in np.linspace(first, 0.5, 12)],
    )
    yield "patience", [PatiencePolicy(bursts, share) for share in (0.7, 0.5, 0.3, 0.1) for bursts in (12, 9, 6, 4, 2)]
    yield "confidence", [ConfidencePolicy(float(value)) for value in 1 - np.geomspace(1e-4, 0.3, 24)]
    yield (
        "sequential",
        [SequentialPolicy(float(value), decay) for decay in (0.95, 0.8, 0.5) for value in np.geomspace(40, 0.8, 16)],
    )
    yield "fixed_row", [FixedRowPolicy(float(value)) for value in np.linspace(0.95, 0.2, 16)]
