"""Writes window.json: areas in percent, the pixels that they touch, and frames behind masks and of regions.

The picture of a frame is the noise of resize.json.
"""

import hashlib
import json
from dataclasses import astuple
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sensor_sim.window import Polygon, Rectangle, Shape, Window
from tests.vectors.make_resize import noise

FILE = Path(__file__).parent / "window.json"
RECTANGLES = ((0, 0, 100, 100), (10, 20, 30, 40), (12.3, 0, 0.1, 100), (33.4, 0, 33.3, 50), (99.99, 99.99, 0.01, 0.01))
SIZES = ((10, 10), (1, 1), (480, 640), (1000, 1000), (333, 77))
RANDOM_RECTANGLES = 20
POLYGONS = (
    ((0, 0), (100, 0), (50, 100)),
    ((0, 0), (50, 0), (50, 50), (0, 50)),
    ((10, 10), (90, 90), (10, 90), (90, 10)),
    ((5, 5), (5, 5), (95, 5)),
    ((0, 100), (33.3, 12.5), (66.6, 100), (50, 50), (99.9, 0.1)),
)
RANDOM_POLYGONS, MOST_RANDOM_POINTS = 20, 12
POLYGON_SIZES = ((10, 10), (1, 1), (48, 64), (333, 77))
WINDOWS = (
    Window(masks=(Rectangle(0, 0, 30, 100),)),
    Window("part", Rectangle(25, 10, 50, 80)),
    Window("part", Rectangle(25.7, 10.1, 50.3, 80.9), (Rectangle(0, 0, 33.3, 66.6), Rectangle(60, 50, 40, 50))),
    Window("part", Rectangle(0, 0, 90, 90), (Polygon(POLYGONS[2]), Rectangle(0, 0, 5, 100))),
)
PICTURE, FRAME = (61, 83), (30, 32)


def vectors() -> dict[str, list[dict[str, Any]]]:
    """Boxes of rectangles, and SHA-256 of the pixels that polygons cover and of frames."""
    rng = np.random.default_rng(28)
    rectangles = [Rectangle(*places) for places in RECTANGLES]
    for _ in range(RANDOM_RECTANGLES):
        x, y = rng.uniform(0, 99, 2).round(3).tolist()
        rectangles.append(Rectangle(x, y, *(round(rng.uniform(0.001, 99.999 - edge), 3) for edge in (x, y))))
    boxes = [
        {"rectangle": _places(rectangle), "size": size, "box": rectangle.box(*size)}
        for rectangle in rectangles
        for size in SIZES
    ]
    polygons = [Polygon(points) for points in POLYGONS]
    for _ in range(RANDOM_POLYGONS):
        count = int(rng.integers(3, MOST_RANDOM_POINTS + 1))
        polygons.append(Polygon(tuple((x, y) for x, y in rng.uniform(0, 100, (count, 2)).round(1).tolist())))
    covered = [
        {"polygon": _places(polygon), "size": size, "sha256": _sha256(polygon.covers(*size).astype(np.uint8))}
        for polygon in polygons
        for size in POLYGON_SIZES
    ]
    frames = []
    for window in WINDOWS:
        frame = window.frame(noise(*PICTURE), *FRAME)
        masks = [_places(mask) for mask in window.masks]
        region = _places(window.region) if window.region else None
        frames.append({"region": region, "masks": masks, "from": PICTURE, "to": FRAME, "sha256": _sha256(frame)})
    return {"boxes": boxes, "polygons": covered, "frames": frames}


def _places(shape: Shape) -> list[float]:
    """The numbers of a shape, as `parse_mask` reads them."""
    if isinstance(shape, Polygon):
        return [place for point in shape.points for place in point]
    assert isinstance(shape, Rectangle)
    return list(astuple(shape))


def _sha256(pixels: npt.NDArray[np.uint8]) -> str:
    return hashlib.sha256(pixels.tobytes()).hexdigest()


def main() -> None:
    """Writes the file."""
    FILE.write_text(json.dumps(vectors(), indent=1) + "\n")


if __name__ == "__main__":
    main()
