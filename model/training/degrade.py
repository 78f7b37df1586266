"""Figures of a network on degraded pictures: softer, smaller, more compressed or noisier, as cameras deliver them.

Each kind of degradation has one stated strength, so that the figures of different weights can be compared.
"""

import io
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from model.picture import PictureError, read_picture, resized
from model.training.photos import Photos, PhotosError
from sensor_sim.burst import SensorGeometry
from sensor_sim.sensor import PRESETS, Sensor

BLUR_SHARE: Final = 0.005
"""Standard deviation of the blur, as a share of the picture's shorter side."""
SMALL_PX: Final = 96
"""Shorter side of a small picture."""
STORED_PX: Final = 208
"""Shorter side of a picture that is compressed."""
QUALITIES: Final[Mapping[str, int]] = {"JPEG": 20, "WEBP": 20, "AVIF": 45}
LIGHT: Final = "dusk"
"""Preset of the simulated sensor that takes the noisy frames."""


@dataclass(frozen=True, slots=True)
class Degradation:
    """One kind of degradation.

    Attributes:
        name: name of the kind.
        strength: strength in words; empty where pictures stay unchanged.
        change: degrades a picture, RGB of any size.
        light: preset of the sensor that takes the frame; None: the picture is the frame.
    """

    name: str
    strength: str
    change: Callable[[Image.Image], Image.Image] = lambda picture: picture
    light: str | None = None


def softer(picture: Image.Image) -> Image.Image:
    """Blurs a picture as a lens out of focus does (Gaussian)."""
    return picture.filter(ImageFilter.GaussianBlur(BLUR_SHARE * min(picture.size)))


def smaller(picture: Image.Image, shorter_px: int = SMALL_PX) -> Image.Image:
    """Shrinks a picture to a shorter side of `shorter_px`; a smaller picture stays unchanged."""
    scale = shorter_px / min(picture.size)
    if scale >= 1:
        return picture
    width, height = (max(1, round(side * scale)) for side in picture.size)
    return picture.resize((width, height), Image.Resampling.LANCZOS)


def compressed(picture: Image.Image, kind: str) -> Image.Image:
    """Compresses and decodes a picture, with a kind of compression and quality of `QUALITIES`."""
    kept = io.BytesIO()
    smaller(picture, STORED_PX).save(kept, kind, quality=QUALITIES[kind])
    with Image.open(kept) as read:
        return read.convert("RGB")


DEGRADATIONS: Final = (
    Degradation("as they are", ""),
    Degradation("softer", f"blur with a standard deviation of {BLUR_SHARE:.1%} of the shorter side", softer),
    Degradation("smaller", f"shorter side {SMALL_PX} px", smaller),
    *(
        Degradation(
            f"compressed, {kind}",
            f"quality {quality}, shorter side {STORED_PX} px",
            lambda picture, kind=kind: compressed(picture, kind),  # type: ignore[misc]  # binds the loop's value
        )
        for kind, quality in QUALITIES.items()
    ),
    Degradation("noisy", f"the simulated sensor at {LIGHT}", light=LIGHT),
)


def degraded_frames(photos: Photos, degradation: Degradation, height: int, width: int) -> npt.NDArray[np.uint8]:
    """Degraded frames (N, height, width, 3) uint8 of all pictures of a split; frame i has the noise of frame id i.

    Raises:
        PhotosError: a file that is missing or not a picture, by name.
    """

    def load(number: int) -> npt.NDArray[np.uint8]:
        try:
            picture = read_picture(photos.photos[number].path)
        except PictureError as error:
            raise PhotosError(str(error)) from error
        return resized(degradation.change(picture), height, width)

    with ThreadPoolExecutor() as pool:
        frames = list(pool.map(load, range(len(photos.photos))))
    # One frame after the other: all noise of a sensor is drawn from one generator.
    if degradation.light:
        sensor = Sensor(PRESETS[degradation.light], SensorGeometry(height, width))
        frames = [sensor.frame(frame, number) for number, frame in enumerate(frames)]
    return np.stack(frames)
