"""Test charts, as scenes."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sensor_sim.burst import Frame, SensorGeometry
from sensor_sim.scene import Scene, SceneError, StillScene, Times

BARS = ((1, 1, 1), (1, 1, 0), (0, 1, 1), (0, 1, 0), (1, 0, 1), (1, 0, 0), (0, 0, 1), (0, 0, 0))
"""Colour bars by falling luminance: white, yellow, cyan, green, magenta, red, blue, black."""
EDGE_SLOPE = np.tan(np.deg2rad(5.0))
"""Of the slanted edge against the vertical, within what ISO 12233 measures the resolution by."""
EDGE_LEVELS = (64, 192)


def colour_bars(geometry: SensorGeometry) -> StillScene:
    """Eight upright bars."""
    bar = np.arange(geometry.width) * len(BARS) // geometry.width
    line = (np.array(BARS) * 255).astype(np.uint8)[bar]
    return StillScene(np.broadcast_to(line, geometry.frame_shape).copy())


def slanted_edge(geometry: SensorGeometry) -> StillScene:
    """A dark and a bright half with an edge of 5 degrees between; pixels on it take the share that it leaves them."""
    rows, columns = np.indices((geometry.height, geometry.width), dtype=np.float64)
    edge = geometry.width / 2 + (rows - geometry.height / 2) * EDGE_SLOPE
    bright = np.clip(columns + 1 - edge, 0, 1)
    level = np.rint(EDGE_LEVELS[0] + (EDGE_LEVELS[1] - EDGE_LEVELS[0]) * bright).astype(np.uint8)
    return StillScene(np.repeat(level[..., None], 3, axis=2))


@dataclass(frozen=True)
class WalkingOnes:
    """A single bit that walks through the eight data lines, one pixel further in each row, as sensors test links by.

    Attributes:
        width: columns (px).
    """

    width: int

    def rows(self, first_row: int, times_us: Times) -> Frame:
        row = np.arange(first_row, first_row + len(times_us))[:, None]
        value = np.left_shift(1, (np.arange(self.width) + row) % 8).astype(np.uint8)
        return np.repeat(value[..., None], 3, axis=2)


def walking_ones(geometry: SensorGeometry) -> WalkingOnes:
    """`WalkingOnes` of the geometry's width."""
    return WalkingOnes(geometry.width)


CHARTS: dict[str, Callable[[SensorGeometry], Scene]] = {
    "colour-bars": colour_bars,
    "slanted-edge": slanted_edge,
    "walking-ones": walking_ones,
}


def chart(name: str, geometry: SensorGeometry) -> Scene:
    """A chart by its name.

    Raises:
        SceneError: no such chart.
    """
    if name not in CHARTS:
        raise SceneError(f"there is no chart {name!r}; there is {', '.join(CHARTS)}")
    return CHARTS[name](geometry)
