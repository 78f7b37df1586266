"""Curves of a network that doesn't exist."""

import numpy as np

from model.training.outcomes import Curves


def random_curves(seed: int, count: int, bursts: int = 12, steps: float = 1.0) -> Curves:
    """P(person) as a random walk of the log odds, drifting to the label's side: early decisions are often wrong."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, count)
    drift = 0.25 * (2 * labels - 1)[:, None]
    walk = np.cumsum(rng.normal(drift, steps, (count, bursts)), 1)
    return Curves(1 / (1 + np.exp(-walk)), rng.uniform(0, 1, (count, bursts)), labels)
