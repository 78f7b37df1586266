"""Changes of light in training frames: colour, exposure, noise, wiped out rectangles.

Functions work on whole batches and never wait for a result, so that a GPU is kept busy.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

READ_NOISE_E = 4.0
"""Electrons, as in the presets of the simulated sensor."""

LUMINANCE = (0.299, 0.587, 0.114)
"""Shares of red, green and blue in the luma of display values (ITU-R BT.601)."""

ERASED_SIDES = (0.05, 0.3)
"""Least and largest share of the frame's rows, and of its columns, that a wiped out rectangle takes."""


@dataclass(frozen=True, slots=True)
class Light:
    """Rates and strengths of the changes of light.

    Attributes:
        brightness: largest shift, as a share of the full scale.
        contrast: least and largest factor about the middle of the scale.
        saturation: least and largest factor.
        hue_degrees: largest turn of the colours about the grey axis.
        grey_share: share of the frames without colour, as from a sensor without filters, 0..1.
        noise_share: share of the frames with shot and read noise, 0..1.
        white_electrons: least and largest number of electrons (e) of a white pixel in frames with noise.
        exposure: least and largest share of the full scale that white reaches in frames with noise; a sensor's largest
            gain can't make up for all darkness.
        erase_share: share of the frames with a rectangle wiped out (random erasing, Zhong et al. 2017), 0..1.
    """

    brightness: float = 32 / 255
    contrast: tuple[float, float] = (1.0, 1.0)
    saturation: tuple[float, float] = (0.5, 1.5)
    hue_degrees: float = 0.0
    grey_share: float = 0.0
    noise_share: float = 0.0
    white_electrons: tuple[float, float] = (50.0, 5000.0)
    exposure: tuple[float, float] = (1.0, 1.0)
    erase_share: float = 0.0


class Dice:
    """Random numbers of one torch generator, as tensors on the generator's device."""

    def __init__(self, generator: torch.Generator) -> None:
        self.generator, self.device = generator, generator.device

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        """Uniform float32, `low` to below `high`."""
        return torch.rand(shape, generator=self.generator, device=self.device) * (high - low) + low

    def log_uniform(self, low: float, high: float, *shape: int) -> Tensor:
        """Log-uniform float32, `low` to below `high`: each doubling is as likely as the others."""
        return self.uniform(math.log(low), math.log(high), *shape).exp()

    def normal(self, *shape: int) -> Tensor:
        """Normal float32, mean 0, variance 1."""
        return torch.randn(shape, generator=self.generator, device=self.device)

    def integers(self, high: int, *shape: int) -> Tensor:
        """Uniform int64, 0 to below `high`."""
        return torch.randint(high, shape, generator=self.generator, device=self.device)

    def some(self, count: int, share: float) -> Tensor:
        """Indices of a random share (rounded) of `count` items, in random order: int64."""
        return torch.randperm(count, generator=self.generator, device=self.device)[: round(count * share)]


def change_light(dice: Dice, frames: Tensor, light: Light) -> Tensor:
    """Frames (B, height, width, 3) uint8, each in a light of its own; keeps shape and dtype."""
    count = len(frames)
    colour, shift = _colour_changes(dice, count, light)
    pixels = torch.baddbmm(shift[:, None, None], frames.reshape(count, -1, 3).float(), colour).reshape(frames.shape)
    if light.noise_share:
        noisy = dice.some(count, light.noise_share)
        electrons = dice.log_uniform(*light.white_electrons, len(noisy))
        exposure = dice.log_uniform(*light.exposure, len(noisy)) if light.exposure != (1.0, 1.0) else None
        pixels[noisy] = add_noise(dice, pixels[noisy], electrons, exposure)
    if light.erase_share:
        erased = dice.some(count, light.erase_share)
        pixels[erased] = _erase(dice, pixels[erased])
    return pixels.round_().clamp_(0, 255).to(torch.uint8)


def _colour_changes(dice: Dice, count: int, light: Light) -> tuple[Tensor, Tensor]:
    """For each frame a colour matrix (3, 3), rows as inputs, and a shift of all colours on the scale 0..255."""
    saturation = dice.uniform(*light.saturation, count)
    saturation[dice.some(count, light.grey_share)] = 0
    contrast = dice.uniform(*light.contrast, count)
    brightness = dice.uniform(-light.brightness, light.brightness, count)
    turns = dice.uniform(-math.radians(light.hue_degrees), math.radians(light.hue_degrees), count)
    grey = torch.tensor(LUMINANCE, device=dice.device)[:, None].expand(3, 3)
    colour = grey + (_hue_turns(turns) - grey) * saturation[:, None, None]
    return colour * contrast[:, None, None], 255 * brightness + 127.5 * (1 - contrast)


def _hue_turns(angles: Tensor) -> Tensor:
    """Rotations (N, 3, 3) of the colour cube about its grey axis, by angles in radians (Rodrigues' formula)."""
    cosine, sine = angles.cos()[:, None, None], angles.sin()[:, None, None]
    one = torch.eye(3, device=angles.device)
    cross = (one.roll(1, 0) - one.roll(-1, 0)) / math.sqrt(3)
    return cosine * one + (1 - cosine) / 3 + sine * cross


def _erase(dice: Dice, pixels: Tensor) -> Tensor:
    """Frames (B, height, width, 3), each with a rectangle filled with one random colour."""
    count, *sides, _ = pixels.shape
    within = []
    for side in sides:
        length = (dice.uniform(*ERASED_SIDES, count) * side).round().clamp_(min=1)
        first = (dice.uniform(0, 1, count) * (side - length + 1)).floor()
        places = torch.arange(side, device=pixels.device)
        within.append((places >= first[:, None]) & (places < (first + length)[:, None]))
    rows, columns = within
    return torch.where((rows[:, :, None] & columns[:, None])[..., None], dice.uniform(0, 255, count, 1, 1, 3), pixels)


def add_noise(dice: Dice, pixels: Tensor, white_electrons: Tensor, exposure: Tensor | None = None) -> Tensor:
    """Adds shot and read noise to sRGB frames (B, ...) float32 in 0..255.

    Both are normal noise in linear light; the display curve is taken as a power of 2.2. A test holds this short model
    to the simulated sensor (`sensor_sim.sensor`).

    Args:
        dice: source of the noise.
        pixels: the frames.
        white_electrons: electrons of a white pixel, (B,).
        exposure: share of the full scale that white reaches, (B,) in 0..1; None: 1.
    """
    each = (-1, *(1 for _ in pixels.shape[1:]))
    electrons = white_electrons.reshape(each)
    light = (pixels.clamp(0, 255) / 255) ** 2.2
    spread = (light * electrons + READ_NOISE_E**2).sqrt() / electrons
    noisy = light + spread * dice.normal(*pixels.shape)
    if exposure is not None:
        noisy = noisy * exposure.reshape(each)
    return noisy.clamp(0, 1) ** (1 / 2.2) * 255
