"""Platt scaling (Platt 1999), folded into the last layer: makes P(person) agree with the share of persons."""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from model.checkpoint import Checkpoint, Describable
from model.exit_policy import PERSON_FROM

MAX_DISAGREEMENT = 0.01

Margins = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Scaling:
    """P(person) = sigmoid(slope * margin + offset), where margin = logit of person - logit of no person."""

    slope: float
    offset: float


def fit_scaling(margins: Margins, labels: npt.NDArray[np.int64]) -> Scaling:
    """Fits the scaling by maximum likelihood, with equal weight of both classes (Newton's method with halved steps).

    Call it with pictures of `val`, on which the weights were chosen anyway: a certificate needs calibration pictures
    that nothing else was fitted on.

    Args:
        margins: margins of the final decisions, (N,).
        labels: (N,) of 0 and 1, both present.
    """
    weights = np.where(labels == 1, 0.5 / (labels == 1).sum(), 0.5 / (labels == 0).sum())
    design = np.stack([margins, np.ones_like(margins)], 1)
    signs = np.where(labels == 1, -1.0, 1.0)
    ridge = 1e-6  # keeps separable data from running away

    def loss(parameters: npt.NDArray[np.float64]) -> float:
        return float(weights @ np.logaddexp(0, signs * (design @ parameters)) + ridge / 2 * parameters @ parameters)

    parameters = np.array([1.0, 0.0])
    for _ in range(100):
        p_person = 1 / (1 + np.exp(-np.clip(design @ parameters, -60, 60)))
        gradient = design.T @ (weights * (p_person - labels)) + ridge * parameters
        hessian = (design * (weights * p_person * (1 - p_person))[:, None]).T @ design + ridge * np.eye(2)
        step = np.linalg.solve(hessian, gradient)
        while loss(parameters - step) > loss(parameters) and np.abs(step).max() > 1e-12:
            step /= 2
        parameters = parameters - step
        if np.abs(step).max() < 1e-10:
            break
    return Scaling(float(parameters[0]), float(parameters[1]))


def fitted_on(checkpoint: Describable) -> str | None:
    """The split on which P(person) of these weights was scaled, from the provenance; None if it was not scaled."""
    scaling = checkpoint.provenance.get("calibration")
    return scaling.get("split", "calibration") if scaling else None


def apply_scaling(checkpoint: Checkpoint, scaling: Scaling) -> Checkpoint:
    """The same network with scaled logits; each logit gets half of the offset."""
    tensors = dict(checkpoint.tensors)
    shift = np.array([-0.5, 0.5]) * scaling.offset
    weight, bias = "classifier.classify.weight", "classifier.classify.bias"
    tensors[weight] = (tensors[weight] * scaling.slope).astype(np.float32)
    tensors[bias] = (tensors[bias] * scaling.slope + shift).astype(np.float32)
    return replace(checkpoint, tensors=tensors)


def choose_exit_threshold(curves: npt.NDArray[np.float64], max_disagreement: float = MAX_DISAGREEMENT) -> float:
    """The lowest threshold at which exits contradict the full frame in at most a share `max_disagreement` of frames.

    Args:
        curves: P(person) after each burst of each frame, (N, T) in 0..1.
        max_disagreement: largest share of frames, 0..1.

    Returns:
        The threshold in 0.5..1, just above the highest early P(person) of the first frame that would exceed the share.
    """
    early, final = curves[:, :-1].max(1), curves[:, -1]
    mistaken = np.sort(early[final < PERSON_FROM])[::-1]
    allowed = int(max_disagreement * len(curves))
    limit = mistaken[allowed] if allowed < len(mistaken) else 0.0
    return float(min(1.0, max(0.5, np.ceil(limit * 1000 + 1e-6) / 1000)))
