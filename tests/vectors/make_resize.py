"""Writes resize.json: sizes, some at random, and what Pillow's bilinear makes of pixels that anybody can make again.

Sample i of a picture is the upper 8 bits of (i x 2654435761) modulo 2**32: noise, so that every tap counts.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

FILE = Path(__file__).parent / "resize.json"
SIZES = (
    ((5, 7), (3, 4)),
    ((2, 2), (3, 5)),
    ((105, 120), (105, 120)),
    ((480, 640), (105, 120)),
    ((480, 640), (210, 240)),
    ((512, 512), (105, 120)),
    ((427, 640), (105, 120)),
    ((61, 1200), (210, 240)),
    ((1, 1), (105, 120)),
    ((101, 97), (210, 240)),
    ((1000, 333), (105, 240)),
    ((185, 160), (105, 120)),
    ((186, 160), (105, 120)),
    ((640, 427), (210, 240)),
)
RANDOM_SIZES = 12
SMALL_SAMPLES = 100


def noise(height: int, width: int) -> npt.NDArray[np.uint8]:
    """A picture (height, width, 3) uint8 of noise."""
    count = np.arange(height * width * 3, dtype=np.uint64)
    return ((count * 2654435761 % 2**32) >> 24).astype(np.uint8).reshape(height, width, 3)


def vectors() -> list[dict[str, Any]]:
    """One entry a pair of sizes: SHA-256 of the result, and all of it where it is small."""
    found: list[dict[str, Any]] = []
    rng = np.random.default_rng(26)
    chances = [
        (tuple(rng.integers(1, 400, 2).tolist()), tuple(rng.integers(1, 250, 2).tolist())) for _ in range(RANDOM_SIZES)
    ]
    for (height, width), (to_height, to_width) in (*SIZES, *chances):
        resized = Image.fromarray(noise(height, width)).resize((to_width, to_height), Image.Resampling.BILINEAR)
        samples = np.asarray(resized).tobytes()
        entry = {"from": [height, width], "to": [to_height, to_width], "sha256": hashlib.sha256(samples).hexdigest()}
        found.append(entry | ({"hex": samples.hex()} if len(samples) <= SMALL_SAMPLES else {}))
    return found


def main() -> None:
    """Writes the file."""
    FILE.write_text(json.dumps(vectors(), indent=1) + "\n")


if __name__ == "__main__":
    main()
