"""Networks with random weights, made again from a seed, and what they say of a frame."""

import numpy as np
import numpy.typing as npt

from model.config import RaScaNetConfig
from model.random_weights import random_checkpoint
from model.step import Pixels, StepRuntime

__all__ = ["SMALL", "person_curve", "random_checkpoint"]

SMALL = RaScaNetConfig(height=30, width=32, head_channels=(2, 3, 4, 5), hidden_channels=8)


def person_curve(runtime: StepRuntime, frame: Pixels) -> npt.NDArray[np.float64]:
    """P(person) after each burst of a frame read to its end: (T,) in 0..1."""
    return np.array(runtime.step(frame, runtime.initial_hidden()).p_person)
