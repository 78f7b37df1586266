"""The golden random weights, in floats and in integers; their folder is not everywhere."""

from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from model.checkpoint import Checkpoint, import_public_checkpoint
from model.integer.network import IntegerNetwork
from model.integer.quantise import FoldedNetwork, activation_scales, quantise

ORACLE: Final = Path(__file__).resolve().parents[2] / "shared" / "oracle"
"""Outputs of the published network; they lie beside the repository, not in it."""


def golden_checkpoint(variant: str) -> Checkpoint:
    """The float weights of a variant."""
    return import_public_checkpoint(ORACLE / f"random_weights_{variant}.pth")


def golden_frames(variant: str) -> npt.NDArray[np.uint8]:
    """(N, H, W, 3)."""
    frames: npt.NDArray[np.uint8] = np.load(ORACLE / f"vectors_{variant}.npz")["frames"]
    return frames


def golden_integers(variant: str) -> IntegerNetwork:
    """Integers made of the float weights; their scales are those of two of the frames."""
    checkpoint = golden_checkpoint(variant)
    return quantise(checkpoint, activation_scales(FoldedNetwork(checkpoint), golden_frames(variant)[:2]))
