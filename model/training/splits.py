"""Splits: the pictures to learn from, to choose by, to calibrate on and to judge by."""

import hashlib
import os
from typing import Final

SPLITS: Final = ("train", "calibration", "val", "test", "unlabelled")


def split_by_name(name: str, val_share: float, calibration_share: float) -> str:
    """Draws a split by the hash of a picture's name: the same on every machine and beside any other pictures."""
    drawn = int.from_bytes(hashlib.sha256(os.fsencode(name)).digest()[:8], "big") / 2**64
    return "val" if drawn < val_share else "calibration" if drawn < val_share + calibration_share else "train"
