"""Test charts, as scenes."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from sensor_sim.burst import Frame, SensorGeometry
from sensor_sim.scene import Scene, SceneError, StillScene, Times

BARS = ((1, 1, 1), (1, 1, 0), (0, 1, 1), (0, 1, 0), (1, 0, 1), (1, 0, 0), (0, 0, 1), (0, 0, 0))
"""Colour bars by falling luminance: white, yellow, cyan, green, magenta, red, blue, black."""
EDGE_SLOPE = np.tan(np.deg2rad(5.0))
"""Slope of the slanted edge against the vertical: 5 degrees, as ISO 12233 measures resolution by."""
EDGE_LEVELS = (64, 192)


def colour_bars(geometry: SensorGeometry) -> StillScene:
    """Eight upright bars."""
    bar = np.arange(geometry.width) * len(BARS) // geometry.width
    line = (np.array(BARS) * 255).astype(np.uint8)[bar]
    return StillScene(np.broadcast_to(line, geometry.frame_shape).copy())


def slanted_edge(geometry: SensorGeometry) -> StillScene:
    """A dark and a bright half with an edge of 5 degrees between; a pixel on the edge has the mean of its two parts."""
    rows, columns = np.indices((geometry.height, geometry.width), dtype=np.float64)
    edge = geometry.width / 2 + (rows - geometry.height / 2) * EDGE_SLOPE
    bright = np.clip(columns + 1 - edge, 0, 1)
    level = np.rint(EDGE_LEVELS[0] + (EDGE_LEVELS[1] - EDGE_LEVELS[0]) * bright).astype(np.uint8)
    return StillScene(np.repeat(level[..., None], 3, axis=2))


@dataclass(frozen=True)
class WalkingOnes:
    """A single bit that walks through the eight data lines, one pixel further in each row; sensors test links with it.

    Attributes:
        width: number of columns (px).
    """

    width: int

    def rows(self, first_row: int, times_us: Times) -> Frame:
        row = np.arange(first_row, first_row + len(times_us))[:, None]
        value = np.left_shift(1, (np.arange(self.width) + row) % 8).astype(np.uint8)
        return np.repeat(value[..., None], 3, axis=2)


def walking_ones(geometry: SensorGeometry) -> WalkingOnes:
    """`WalkingOnes` of the geometry's width."""
    return WalkingOnes(geometry.width)


def street(geometry: SensorGeometry, *, walker: bool = True) -> StillScene:
    """A drawn street: house, lamp post, tree and a person walking; fine lines, and even areas on which noise shows.

    Args:
        geometry: rows and columns of the frame.
        walker: true to draw the person.
    """
    # The street is drawn larger and averaged, so that slanted lines are smooth.
    scale = 4
    width, height = geometry.width * scale, geometry.height * scale
    image = Image.new("RGB", (width, height), (168, 200, 232))
    draw = ImageDraw.Draw(image)

    def box(left: float, top: float, right: float, bottom: float) -> tuple[float, float, float, float]:
        return left * width, top * height, right * width, bottom * height

    draw.rectangle(box(0, 0.72, 1, 1), fill=(120, 116, 112))
    draw.rectangle(box(0, 0.70, 1, 0.74), fill=(176, 170, 160))
    draw.rectangle(box(0.05, 0.18, 0.48, 0.72), fill=(196, 128, 96))
    draw.polygon(
        [(0.02 * width, 0.2 * height), (0.265 * width, 0.04 * height), (0.51 * width, 0.2 * height)], (110, 58, 50)
    )
    for row in range(24):
        level = 0.2 + row * 0.022
        draw.line((0.05 * width, level * height, 0.48 * width, level * height), fill=(176, 112, 84), width=scale // 2)
    for column in (0.1, 0.23, 0.36):
        draw.rectangle(box(column, 0.26, column + 0.08, 0.42), fill=(60, 72, 96), outline=(236, 230, 216), width=scale)
    draw.rectangle(box(0.21, 0.5, 0.31, 0.72), fill=(64, 88, 64))
    draw.rectangle(box(0.9, 0.14, 0.915, 0.75), fill=(52, 52, 56))
    draw.ellipse(box(0.87, 0.08, 0.945, 0.16), fill=(255, 246, 214))
    draw.rectangle(box(0.745, 0.42, 0.775, 0.74), fill=(96, 68, 44))
    draw.ellipse(box(0.66, 0.16, 0.86, 0.5), fill=(70, 120, 66))
    if walker:
        draw.ellipse(box(0.555, 0.40, 0.605, 0.47), fill=(224, 178, 150))
        draw.rounded_rectangle(box(0.54, 0.47, 0.62, 0.65), radius=width // 60, fill=(188, 52, 60))
        for foot, hip in ((0.535, 0.57), (0.615, 0.59)):
            draw.line((hip * width, 0.64 * height, foot * width, 0.82 * height), fill=(44, 52, 84), width=width // 36)
        for hand in (0.515, 0.645):
            draw.line((0.58 * width, 0.5 * height, hand * width, 0.6 * height), fill=(168, 44, 54), width=width // 48)
    small = image.resize((geometry.width, geometry.height), Image.Resampling.BOX)
    return StillScene(np.asarray(small))


CHARTS: dict[str, Callable[[SensorGeometry], Scene]] = {
    "colour-bars": colour_bars,
    "slanted-edge": slanted_edge,
    "walking-ones": walking_ones,
    "street": street,
}


def chart(name: str, geometry: SensorGeometry) -> Scene:
    """Makes the chart of a name in `CHARTS`.

    Raises:
        SceneError: no such chart.
    """
    if name not in CHARTS:
        raise SceneError(f"there is no chart {name!r}; there is {', '.join(CHARTS)}")
    return CHARTS[name](geometry)
