"""Hypothesis strategies and small sums that the model's tests share."""

from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from model.config import RaScaNetConfig

LOGITS_TOLERANCE = 1e-4
STATE_TOLERANCE = 2e-5
"""Of hidden states, confidence and P(person); float32 against float64 differs by a third of either."""

seeds = st.integers(0, 2**32 - 1)

configs = st.builds(
    RaScaNetConfig,
    height=st.integers(1, 6).map(lambda bursts: bursts * RaScaNetConfig.BURST_ROWS),
    width=st.integers(16, 70),
    head_channels=st.tuples(*[st.integers(1, 6)] * 4),
    hidden_channels=st.integers(1, 4).map(lambda count: count * RaScaNetConfig.REDUCTION),
)


def random_frames(config: RaScaNetConfig, count: int, seed: int) -> npt.NDArray[np.uint8]:
    """Noise (count, H, W, 3)."""
    return np.random.default_rng(seed).integers(0, 256, (count, *config.frame_shape), np.uint8)


def half_coarse_frames(config: RaScaNetConfig, count: int, seed: int) -> npt.NDArray[np.uint8]:
    """Noise (count, H, W, 3); every second frame is of squares of 15 pixels."""
    frames = random_frames(config, count, seed)
    coarse = np.repeat(np.repeat(frames[1::2, ::15, ::15], 15, 1), 15, 2)
    frames[1::2] = coarse[:, : config.height, : config.width]
    return frames


def p_person(logits: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """P(person) of logits (..., 2), written independently of the model."""
    powers = np.exp(logits.astype(np.float64) - logits.max(-1, keepdims=True))
    shares: npt.NDArray[np.float64] = powers[..., 1] / powers.sum(-1)
    return shares
