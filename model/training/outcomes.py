"""Outcomes of exit policies on labelled pictures: policies that only exit are replayed on the curves of full frames."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from model.exit_policy import (
    PERSON_FROM,
    START,
    ExitPolicy,
    MemorylessPolicy,
    Seen,
    Verdict,
)
from model.scan import scan_frame
from model.step import StepRuntime
from model.training.metrics import binary_metrics, mean_interval, wilson_interval
from model.training.photos import Photos

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Curves:
    """The network's output after each burst of whole frames.

    Attributes:
        p_person: P(person), (N, T) in 0..1.
        confidence: P(the decision at the burst is the final one), (N, T) in 0..1.
        labels: (N,) of 0 and 1.
    """

    p_person: Floats
    confidence: Floats
    labels: npt.NDArray[np.int64]

    def chosen(self, which: npt.NDArray[np.int64] | Flags) -> "Curves":
        """The curves of some pictures, by index or mask."""
        return Curves(self.p_person[which], self.confidence[which], self.labels[which])


def read_curves(runtime: StepRuntime, frames: npt.NDArray[np.uint8], photos: Photos) -> Curves:
    """Reads the curves of frames (N, H, W, 3) uint8, whose labels are those of `photos`."""
    results = [runtime.step(frame, runtime.initial_hidden()) for frame in frames]
    return Curves(
        np.array([result.p_person for result in results]),
        np.array([result.confidence for result in results]),
        photos.labels,
    )


@dataclass(frozen=True, slots=True)
class Outcome:
    """Outcome of a policy on pictures.

    Attributes:
        p_person: P(person) that the decision rests on, (N,) in 0..1.
        processed: share of the bursts processed, (N,) in 0..1.
        exited: true where the policy ended the frame early, (N,).
    """

    p_person: Floats
    processed: Floats
    exited: Flags

    def chosen(self, which: Flags) -> "Outcome":
        """The outcome for the pictures of a mask (N,)."""
        return Outcome(self.p_person[which], self.processed[which], self.exited[which])

    def right(self, labels: npt.NDArray[np.int64]) -> Flags:
        """Mask (N,) of the decisions that agree with the labels."""
        agree: Flags = (self.p_person >= PERSON_FROM) == (labels == 1)
        return agree


def replay(policy: ExitPolicy, curves: Curves) -> Outcome:
    """Replays a policy that only exits on stored curves; the outcome is exactly that of reading frame by frame."""
    if policy.skips:
        raise ValueError(f"the policy {policy.name!r} changes the hidden state; it has to be run through the network")
    count, bursts = curves.p_person.shape
    if isinstance(policy, MemorylessPolicy):  # all frames at once
        share = np.broadcast_to((np.arange(bursts) + 1) / bursts, (count, bursts))
        leave: Flags = policy.leaves(Seen(share, curves.p_person, curves.confidence))
        leave[:, -1] = True
        halts = leave.argmax(1)
    else:
        halts = np.array([burst for burst, _ in _first_verdicts(policy, curves)])
    return Outcome(curves.p_person[np.arange(count), halts], (halts + 1) / bursts, halts < bursts - 1)


def _first_verdicts(policy: ExitPolicy, curves: Curves) -> Iterator[tuple[int, Verdict]]:
    """Yields for each frame the first burst at which the policy doesn't continue, with the verdict; else the last."""
    bursts = curves.p_person.shape[1]
    for chances, confidences in zip(curves.p_person.tolist(), curves.confidence.tolist(), strict=True):
        state, verdict, burst = START, Verdict.CONTINUE, -1
        # At the last burst no burst is left to save, so the policy is not asked.
        while verdict is Verdict.CONTINUE and burst < bursts - 2:
            burst += 1
            verdict, state = policy.verdict(Seen((burst + 1) / bursts, chances[burst], confidences[burst]), state)
        yield (bursts - 1 if verdict is Verdict.CONTINUE else burst), verdict


def run(policy: ExitPolicy, runtime: StepRuntime, frames: npt.NDArray[np.uint8], curves: Curves) -> Outcome:
    """The outcome of any policy; frames of which the policy skips a burst are read again by the network.

    Up to the first skip, a frame's curve is that of the full frame, so most frames are replayed from `curves`.
    """
    if not policy.skips:
        return replay(policy, curves)
    count, bursts = curves.p_person.shape
    p_person, processed, exited = curves.p_person[:, -1].copy(), np.ones(count), np.zeros(count, bool)
    for index, (burst, verdict) in enumerate(_first_verdicts(policy, curves)):
        if verdict is Verdict.SKIP_NEXT:
            scan = scan_frame(runtime, frames[index], policy)
            p_person[index], processed[index], exited[index] = scan.p_person, scan.processed_ratio, scan.exited
        elif verdict is Verdict.EXIT:
            p_person[index], processed[index], exited[index] = curves.p_person[index, burst], (burst + 1) / bursts, True
    return Outcome(p_person, processed, exited)


def losses(outcome: Outcome, curves: Curves, loss: str) -> Flags:
    """Mask (N,) of the pictures lost under a policy, see `model.promise.LOSSES`."""
    early, full = outcome.p_person >= PERSON_FROM, curves.p_person[:, -1] >= PERSON_FROM
    lost: Flags = early != full
    return lost & (full == (curves.labels == 1)) if loss == "accuracy" else lost


@dataclass(frozen=True, slots=True)
class ExitFigures:
    """A policy's figures over pictures; intervals are 95 %.

    Attributes:
        pictures: number of pictures.
        accuracy, accuracy_interval: balanced accuracy, 0..1, and its interval.
        disagreement, interval: share of decisions that differ from the full frame's, 0..1, and its interval.
        ratios: mean share of bursts processed, over all pictures, those with and those without a person; 0..1.
        ratio_interval: interval of the mean over all pictures.
        exits: number of frames that the policy ended early.
        halts: numbers of pictures by the share of bursts processed, in `HALT_BINS` bins of equal width.
    """

    pictures: int
    accuracy: float
    accuracy_interval: tuple[float, float]
    disagreement: float
    interval: tuple[float, float]
    ratios: tuple[float, float, float]
    ratio_interval: tuple[float, float]
    exits: int
    halts: tuple[int, ...]


HALT_BINS = 10


def figures_of(outcome: Outcome, curves: Curves) -> ExitFigures:
    """The figures of an outcome; both classes must be present."""
    person = curves.labels == 1
    lost = losses(outcome, curves, "disagreement")
    metrics = binary_metrics(outcome.p_person, curves.labels)
    low, high = mean_interval(outcome.processed)
    bins = np.minimum(np.ceil(outcome.processed * HALT_BINS - 1e-9).astype(int) - 1, HALT_BINS - 1)
    return ExitFigures(
        len(person),
        metrics.balanced_accuracy,
        metrics.interval,
        float(lost.mean()),
        wilson_interval(int(lost.sum()), len(lost)),
        (
            float(outcome.processed.mean()),
            float(outcome.processed[person].mean()),
            float(outcome.processed[~person].mean()),
        ),
        (max(0.0, low), min(1.0, high)),
        int(outcome.exited.sum()),
        tuple(np.bincount(bins, minlength=HALT_BINS).tolist()),
    )
