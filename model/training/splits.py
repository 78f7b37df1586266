"""Which pictures are learned from, chosen by, calibrated on and judged by."""

import hashlib
import os
from typing import Final

SPLITS: Final = ("train", "calibration", "val", "test", "unlabelled")


def split_by_name(name: str, val_share: float, calibration_share: float) -> str:
    """A split drawn by the hash of a picture's name: the same on every machine, whatever else lies in the folder."""
    drawn = int.from_bytes(hashlib.sha256(os.fsencode(name)).digest()[:8], "big") / 2**64
    return "val" if drawn < val_share else "calibration" if drawn < val_share + calibration_share else "train"
