"""Writes window.json: rectangles in percent, the pixels that they touch, and frames behind masks and of regions.

The picture of a frame is the noise of resize.json.
"""

import hashlib
import json
from dataclasses import astuple
from pathlib import Path
from typing import Any

import numpy as np

from sensor_sim.window import Rectangle, Window
from tests.vectors.make_resize import noise

FILE = Path(__file__).parent / "window.json"
RECTANGLES = ((0, 0, 100, 100), (10, 20, 30, 40), (12.3, 0, 0.1, 100), (33.4, 0, 33.3, 50), (99.99, 99.99, 0.01, 0.01))
SIZES = ((10, 10), (1, 1), (480, 640), (1000, 1000), (333, 77))
RANDOM_RECTANGLES = 20
WINDOWS = (
    Window(masks=(Rectangle(0, 0, 30, 100),)),
    Window("part", Rectangle(25, 10, 50, 80)),
    Window("part", Rectangle(25.7, 10.1, 50.3, 80.9), (Rectangle(0, 0, 33.3, 66.6), Rectangle(60, 50, 40, 50))),
)
PICTURE, FRAME = (61, 83), (30, 32)


def vectors() -> dict[str, list[dict[str, Any]]]:
    """Boxes of rectangles, and SHA-256 of frames."""
    rng = np.random.default_rng(28)
    rectangles = [Rectangle(*places) for places in RECTANGLES]
    for _ in range(RANDOM_RECTANGLES):
        x, y = rng.uniform(0, 99, 2).round(3).tolist()
        rectangles.append(Rectangle(x, y, *(round(rng.uniform(0.001, 99.999 - edge), 3) for edge in (x, y))))
    boxes = [
        {"rectangle": astuple(rectangle), "size": size, "box": rectangle.box(*size)}
        for rectangle in rectangles
        for size in SIZES
    ]
    frames = []
    for window in WINDOWS:
        frame = window.frame(noise(*PICTURE), *FRAME)
        masks = [astuple(mask) for mask in window.masks if isinstance(mask, Rectangle)]
        region = astuple(window.region) if window.region else None
        sha256 = hashlib.sha256(frame.tobytes()).hexdigest()
        frames.append({"region": region, "masks": masks, "from": PICTURE, "to": FRAME, "sha256": sha256})
    return {"boxes": boxes, "frames": frames}


def main() -> None:
    """Writes the file."""
    FILE.write_text(json.dumps(vectors(), indent=1) + "\n")


if __name__ == "__main__":
    main()
