"""Scenes in front of the lens: photographs, still or moving. Test charts: `charts`; films: `video`; cameras: `live`."""

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image

from model.picture import PictureError, read_frame, read_picture
from sensor_sim.burst import Frame, SensorGeometry

SAMPLES = ("astronaut.png", "camera.png", "chelsea.png", "coffee.png", "rocket.jpg", "coins.png")

Times = npt.NDArray[np.float64]
"""Times of rows, microseconds since the stream began: (n,)."""


class SceneError(ValueError):
    """A scene that can't be shown."""


class Scene(Protocol):
    """A view that a sensor can read, row by row, at any time."""

    def rows(self, first_row: int, times_us: Times) -> Frame:
        """Consecutive rows (n, W, 3) uint8 sRGB: row `first_row` + i as the scene looks at `times_us[i]`."""
        ...


@dataclass(frozen=True, eq=False)
class StillScene:
    """A picture (H, W, 3) uint8 sRGB that doesn't move."""

    picture: Frame

    def rows(self, first_row: int, times_us: Times) -> Frame:
        return self.picture[first_row : first_row + len(times_us)]


@dataclass(frozen=True, eq=False)
class MaskedScene:
    """A scene whose masked pixels are black, whatever is behind them.

    Attributes:
        scene: the scene behind.
        covered: (H, W) bool, true where the mask covers.
    """

    scene: Scene
    covered: npt.NDArray[np.bool_]

    def rows(self, first_row: int, times_us: Times) -> Frame:
        behind = self.scene.rows(first_row, times_us)
        return np.where(self.covered[first_row : first_row + len(times_us), :, None], np.uint8(0), behind)


@dataclass(frozen=True, eq=False)
class PanningScene:
    """A picture that passes by sideways and turns back at its edges, as in a mirror.

    Attributes:
        picture: (H, W, 3) uint8, as wide as or wider than the frame.
        width: columns of the frame (px).
        speed_px_s: speed of the view to the right, columns a second; fractions of a column are interpolated.
    """

    picture: Frame
    width: int
    speed_px_s: float

    def rows(self, first_row: int, times_us: Times) -> Frame:
        columns = self.picture.shape[1]
        position = self.speed_px_s * times_us / 1e6
        whole = np.floor(position)
        share = (position - whole)[:, None, None]
        place = whole.astype(np.int64)[:, None] + np.arange(self.width + 1)
        place %= 2 * columns
        place = np.minimum(place, 2 * columns - 1 - place)
        window = self.picture[np.arange(first_row, first_row + len(times_us))[:, None], place].astype(np.float32)
        blended: Frame = np.rint(window[:, :-1] * (1 - share) + window[:, 1:] * share).astype(np.uint8)
        return blended


@dataclass(frozen=True, eq=False)
class SpriteScene:
    """A smaller picture that moves over a larger one at constant speed; it leaves at one edge and enters at the other.

    Attributes:
        background: (H, W, 3) uint8.
        sprite: (h, w, 3) uint8, no larger than the background.
        mask: (h, w) bool, true where the sprite hides the background; None: everywhere.
        start_px: column and row of the sprite's upper left corner at time 0.
        speed_px_s: columns and rows a second.

    Raises:
        SceneError: a sprite larger than the background, or a mask of another shape.
    """

    background: Frame
    sprite: Frame
    start_px: tuple[float, float] = (0.0, 0.0)
    speed_px_s: tuple[float, float] = (200.0, 0.0)
    mask: npt.NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        if self.sprite.shape[0] > self.background.shape[0] or self.sprite.shape[1] > self.background.shape[1]:
            raise SceneError(f"the sprite {self.sprite.shape} is larger than the background {self.background.shape}")
        if self.mask is not None and self.mask.shape != self.sprite.shape[:2]:
            raise SceneError(f"the mask {self.mask.shape} is not of the sprite's size {self.sprite.shape[:2]}")

    def rows(self, first_row: int, times_us: Times) -> Frame:
        height, width = self.background.shape[:2]
        sprite_height, sprite_width = self.sprite.shape[:2]
        rows = self.background[first_row : first_row + len(times_us)].copy()
        left = np.floor(self.start_px[0] + self.speed_px_s[0] * times_us / 1e6).astype(np.int64) % width
        top = np.floor(self.start_px[1] + self.speed_px_s[1] * times_us / 1e6).astype(np.int64) % height
        line = (np.arange(first_row, first_row + len(times_us)) - top) % height
        for index in np.flatnonzero(line < sprite_height):
            shown = np.arange(sprite_width) if self.mask is None else np.flatnonzero(self.mask[line[index]])
            rows[index, (left[index] + shown) % width] = self.sprite[line[index], shown]
        return rows


@contextmanager
def _scene_errors() -> Iterator[None]:
    """Turns a picture error into a `SceneError`."""
    try:
        yield
    except PictureError as error:
        raise SceneError(str(error)) from error


def photo_frame(path: Path, geometry: SensorGeometry) -> Frame:
    """Reads a photograph as the sensor sees it: (H, W, 3) uint8, upright, resized (bilinear) without keeping aspect.

    Raises:
        SceneError: no such file, or not a picture.
    """
    with _scene_errors():
        return read_frame(path, geometry.height, geometry.width)


def panning_photo(path: Path, geometry: SensorGeometry, speed_px_s: float) -> PanningScene:
    """A photograph of twice the frame's width that passes by.

    Raises:
        SceneError: no such file, or not a picture.
    """
    wide = SensorGeometry(geometry.height, 2 * geometry.width, geometry.burst_rows)
    return PanningScene(photo_frame(path, wide), geometry.width, speed_px_s)


def sprite_over(background: Path, sprite: Path | None, geometry: SensorGeometry, speed_px_s: float) -> SpriteScene:
    """A picture, half as high as the frame, that moves sideways over a photograph; a yellow bar if `sprite` is None.

    Pixels of the sprite that are more than half transparent show the background.

    Raises:
        SceneError: no such file, or not a picture.
    """
    behind, height = photo_frame(background, geometry), geometry.height // 2
    place, speed = (0.0, geometry.height / 4), (speed_px_s, 0.0)
    if sprite is None:
        bar = np.full((height, max(1, geometry.width // 8), 3), (255, 220, 0), np.uint8)
        return SpriteScene(behind, bar, place, speed)
    with _scene_errors():
        image = read_picture(sprite, keep_alpha=True)
    width = min(geometry.width, max(1, round(image.width * height / image.height)))
    pixels = np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))
    return SpriteScene(behind, pixels[..., :3], place, speed, pixels[..., 3] > 127)


def sample_photos() -> list[Path]:
    """Files of the photographs that come with scikit-image (extra `samples`); empty where scikit-image is missing."""
    spec = importlib.util.find_spec("skimage")  # finds the package without importing it
    if spec is None or spec.origin is None:
        return []
    data = Path(spec.origin).parent / "data"
    return [path for path in (data / name for name in SAMPLES) if path.is_file()]
