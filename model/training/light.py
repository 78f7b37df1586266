"""What light and a sensor do to training frames: colour, exposure, noise, dead rows; whole batches at a time."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

READ_NOISE_E = 4.0
"""Electrons, as in the presets of the simulated sensor."""

LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)
"""Of red, green and blue (ITU-R BT.601)."""

ERASED_ROWS = (0.05, 0.3)
"""Least and largest share of the frame's rows in an erased band, and of its columns."""


@dataclass(frozen=True, slots=True)
class Light:
    """How strongly the light of frames is changed.

    Attributes:
        brightness: largest shift, as a share of the full scale.
        contrast: least and largest factor about the middle of the scale.
        saturation: least and largest factor.
        hue_degrees: largest turn of the colours about the grey axis.
        grey_share: how often a frame is without colour, as from a sensor without filters.
        noise_share: how often shot and read noise are added.
        white_electrons: least and largest number of electrons (e) of a white pixel, where noise is added.
        erase_share: how often a rectangle is wiped out (random erasing, Zhong et al. 2017).
    """

    brightness: float = 32 / 255
    contrast: tuple[float, float] = (1.0, 1.0)
    saturation: tuple[float, float] = (0.5, 1.5)
    hue_degrees: float = 0.0
    grey_share: float = 0.0
    noise_share: float = 0.0
    white_electrons: tuple[float, float] = (50.0, 5000.0)
    erase_share: float = 0.0


def change_light(rng: np.random.Generator, frames: npt.NDArray[np.uint8], light: Light) -> npt.NDArray[np.uint8]:
    """Frames (B, height, width, 3) uint8, each in a light of its own; the same shape and dtype."""
    count = len(frames)
    colour, shift = _colour_changes(rng, count, light)
    pixels = frames.reshape(count, -1, 3).astype(np.float32) @ colour
    pixels += shift[:, None, None]
    pixels = pixels.reshape(frames.shape)
    for index in np.flatnonzero(rng.random(count) < light.noise_share):
        electrons = float(np.exp(rng.uniform(*np.log(light.white_electrons))))
        pixels[index] = add_noise(rng, pixels[index], electrons)
    for index in np.flatnonzero(rng.random(count) < light.erase_share):
        _erase(rng, pixels[index])
    np.rint(pixels, out=pixels)
    return np.clip(pixels, 0, 255, out=pixels).astype(np.uint8)


def _colour_changes(
    rng: np.random.Generator, count: int, light: Light
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """For each frame a matrix (3, 3) on its colours, rows as inputs, and a shift (in 0..255) of all of them."""
    saturation = rng.uniform(*light.saturation, count).astype(np.float32)
    saturation[rng.random(count) < light.grey_share] = 0
    contrast = rng.uniform(*light.contrast, count).astype(np.float32)
    brightness = rng.uniform(-light.brightness, light.brightness, count).astype(np.float32)
    turns = np.radians(rng.uniform(-light.hue_degrees, light.hue_degrees, count)).astype(np.float32)
    grey = np.tile(LUMINANCE[:, None], (1, 3))
    factor = saturation[:, None, None]
    colour = grey + (_hue_turns(turns) - grey) * factor
    return colour * contrast[:, None, None], 255 * brightness + np.float32(127.5) * (1 - contrast)


def _hue_turns(angles: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Rotations (N, 3, 3) of the colour cube about its grey axis, by angles in radians (Rodrigues' formula)."""
    cosine, sine = np.cos(angles)[:, None, None], np.sin(angles)[:, None, None]
    third = np.full((3, 3), np.float32(1 / 3))
    cross = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]], np.float32) / np.sqrt(np.float32(3))
    turns: npt.NDArray[np.float32] = cosine * np.eye(3, dtype=np.float32) + (1 - cosine) * third + sine * cross
    return turns


def _erase(rng: np.random.Generator, pixels: npt.NDArray[np.float32]) -> None:
    """Wipes out a rectangle of (height, width, 3), in place, with one random colour."""
    height, width = pixels.shape[:2]
    rows, columns = (max(1, round(rng.uniform(*ERASED_ROWS) * side)) for side in (height, width))
    top, left = rng.integers(height - rows + 1), rng.integers(width - columns + 1)
    pixels[top : top + rows, left : left + columns] = rng.uniform(0, 255, 3)


def add_noise(
    rng: np.random.Generator, pixels: npt.NDArray[np.float32], white_electrons: float
) -> npt.NDArray[np.float32]:
    """Shot and read noise of a sensor whose white pixel collects so many electrons: sRGB values 0..255 in and out.

    Both as normal noise in linear light; the display curve is taken as a power of 2.2.
    """
    light = (np.clip(pixels, 0, 255) / 255) ** np.float32(2.2)
    spread = np.sqrt(light * np.float32(white_electrons) + np.float32(READ_NOISE_E**2)) / np.float32(white_electrons)
    noisy = light + spread * rng.standard_normal(light.shape, np.float32)
    return np.asarray(np.clip(noisy, 0, 1) ** np.float32(1 / 2.2) * np.float32(255), np.float32)
