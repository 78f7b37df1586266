"""Loss of detail in training frames: by a small sensor, a lens out of focus, a camera's JPEG.

A network trained on sharp pictures alone relies on detail that other cameras don't deliver. Functions work on whole
batches and never wait for a result, so that a GPU is kept busy.
"""

import math
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

from model.training.light import LUMINANCE, Dice

BLOCK_PX = 8
"""Side of the blocks that JPEG transforms (ITU-T T.81)."""

LUMINANCE_TABLE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
"""Quantisation of luminance at quality 50 (ITU-T T.81, table K.1)."""

COLOUR_TABLE = (
    tuple(tuple(row) + (99,) * 4 for row in ((17, 18, 24, 47), (18, 21, 26, 66), (24, 26, 56, 99), (47, 66, 99, 99)))
    + ((99,) * 8,) * 4
)
"""Quantisation of the two colour differences at quality 50 (ITU-T T.81, table K.2)."""


@dataclass(frozen=True, slots=True)
class Detail:
    """Rates and strengths of the loss of detail.

    Attributes:
        small_share: share of the frames that come from fewer pixels, 0..1.
        small_scale: least and largest scale to which these frames are shrunk before they are enlarged again.
        blur_share: share of the frames that are out of focus, 0..1.
        blur: least and largest standard deviation of the blur (Gaussian), as a share of the frame's height.
        jpeg_share: share of the frames that pass JPEG, with colours at half the resolution, 0..1.
        jpeg_quality: least and largest quality of the JPEG, 1 to 100 as libjpeg counts.
    """

    small_share: float = 0.0
    small_scale: tuple[float, float] = (0.4, 1.0)
    blur_share: float = 0.0
    blur: tuple[float, float] = (0.003, 0.012)
    jpeg_share: float = 0.0
    jpeg_quality: tuple[float, float] = (20.0, 90.0)


def soften(dice: Dice, frames: Tensor, detail: Detail) -> Tensor:
    """Frames (B, height, width, 3) uint8, some from fewer pixels and some out of focus; the same shape and dtype."""
    if not (detail.small_share or detail.blur_share):
        return frames
    count, height, width, _ = frames.shape
    frames = frames.clone()
    small = dice.some(count, detail.small_share)
    scale = dice.log_uniform(*detail.small_scale, len(small))
    frames[small] = _resampled(frames[small], fewer_pixels(height, scale), fewer_pixels(width, scale))
    blurred = dice.some(count, detail.blur_share)
    sigma_px = dice.log_uniform(*detail.blur, len(blurred)) * height
    frames[blurred] = _resampled(frames[blurred], out_of_focus(height, sigma_px), out_of_focus(width, sigma_px))
    return frames


def fewer_pixels(length: int, scale: Tensor) -> Tensor:
    """Matrices that shrink a line of `length` pixels to scales (B,) and enlarge it again by linear interpolation.

    Returns:
        (B, length, length) float32; rows sum to 1.
    """
    few = (length * scale).round().clamp(1, length)[:, None, None]
    places = torch.arange(length, device=scale.device, dtype=torch.float32)
    step = length / few
    # Down: triangles as wide as two of the few pixels, as Pillow's BILINEAR does. Up: linear between neighbours.
    down = (1 - ((places[None, :, None] + 0.5) * step - places - 0.5).abs() / step).clamp_(min=0)
    down = down / down.sum(2, keepdim=True).clamp(min=1e-6)
    found = ((places[None, :, None] + 0.5) / step - 0.5).clamp(min=0).minimum(few - 1)
    up = (1 - (found - places).abs()).clamp_(min=0)  # columns past the few pixels are zero by `found`
    return up @ down


def out_of_focus(length: int, sigma_px: Tensor) -> Tensor:
    """Matrices that blur a line of `length` pixels (Gaussian, standard deviations (B,) in px); its ends are repeated.

    Returns:
        (B, length, length) float32; rows sum to 1.
    """
    places = torch.arange(-length, 2 * length, device=sigma_px.device, dtype=torch.float32)
    weights = torch.exp(-((places - places[length : 2 * length, None]) ** 2) / (2 * sigma_px[:, None, None] ** 2))
    weights = weights / weights.sum(2, keepdim=True)
    blur = weights[:, :, length : 2 * length].clone()
    blur[:, :, 0] += weights[:, :, :length].sum(2)
    blur[:, :, -1] += weights[:, :, 2 * length :].sum(2)
    return blur


def _resampled(frames: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Applies a matrix to the rows and another to the columns of each frame (B, height, width, 3) uint8."""
    count, height, width, channels = frames.shape
    pixels = torch.bmm(rows, frames.reshape(count, height, width * channels).float()).reshape(
        count, height, width, channels
    )
    pixels = torch.einsum("bvw,bhwc->bhvc", columns, pixels)
    return pixels.round_().clamp_(0, 255).to(torch.uint8)


def compress(dice: Dice, frames: Tensor, detail: Detail) -> Tensor:
    """Frames (B, height, width, 3) uint8, some of which have been through JPEG; the same shape and dtype."""
    if not detail.jpeg_share:
        return frames
    frames = frames.clone()
    chosen = dice.some(len(frames), detail.jpeg_share)
    frames[chosen] = through_jpeg(frames[chosen], dice.uniform(*detail.jpeg_quality, len(chosen)))
    return frames


def through_jpeg(frames: Tensor, quality: Tensor) -> Tensor:
    """Frames (B, height, width, 3) uint8 after JPEG (ITU-T T.81) of qualities (B,) 1 to 100.

    JPEG loses detail by quantisation and by halving the colours' resolution; entropy coding loses none and is left out.
    """
    _, height, width, _ = frames.shape
    shades = frames.permute(0, 3, 1, 2).float()
    around = 2 * BLOCK_PX
    shades = functional.pad(shades, (0, -width % around, 0, -height % around), "replicate")
    factor = torch.where(quality < 50, 5000 / quality, 200 - 2 * quality) / 100
    to_ycc, to_rgb = _colours(frames.device)
    ycc = torch.einsum("ij,bjhw->bihw", to_ycc, shades)
    luminance = _quantised(ycc[:, :1] - 128, LUMINANCE_TABLE, factor) + 128
    colour = _quantised(functional.avg_pool2d(ycc[:, 1:], 2), COLOUR_TABLE, factor)
    colour = functional.interpolate(colour, scale_factor=2, mode="bilinear", align_corners=False)
    shades = torch.einsum("ij,bjhw->bihw", to_rgb, torch.cat((luminance, colour), 1))
    return shades[:, :, :height, :width].permute(0, 2, 3, 1).round().clamp(0, 255).to(torch.uint8)


@cache
def _colours(device: torch.device) -> tuple[Tensor, Tensor]:
    """Matrices (3, 3) from red, green, blue to luminance and the two colour differences (JFIF), and back."""
    red, green, blue = LUMINANCE
    to_ycc = torch.tensor(
        (
            (red, green, blue),
            (-red / (2 - 2 * blue), -green / (2 - 2 * blue), 0.5),
            (0.5, -green / (2 - 2 * red), -blue / (2 - 2 * red)),
        ),
        device=device,
    )
    return to_ycc, torch.linalg.inv(to_ycc)


@cache
def _cosines(device: torch.device) -> Tensor:
    """The discrete cosine transform of a block's line, (8, 8), orthonormal."""
    places = torch.arange(BLOCK_PX, device=device, dtype=torch.float32)
    waves = torch.cos(math.pi / BLOCK_PX * (places + 0.5) * places[:, None]) * math.sqrt(2 / BLOCK_PX)
    waves[0] /= math.sqrt(2)
    return waves


def _quantised(maps: Tensor, table: tuple[tuple[int, ...], ...], factor: Tensor) -> Tensor:
    """Maps (B, C, height, width) after quantisation of their blocks by a table times factors (B,)."""
    count, channels, height, width = maps.shape
    steps = torch.tensor(table, device=maps.device, dtype=torch.float32) * factor[:, None, None]
    steps = steps.add_(0.5).floor_().clamp_(1, 255)[:, None, None, None]
    waves = _cosines(maps.device)
    blocks = maps.reshape(count, channels, height // BLOCK_PX, BLOCK_PX, width // BLOCK_PX, BLOCK_PX).transpose(3, 4)
    blocks = waves.T @ (((waves @ blocks @ waves.T) / steps).round_() * steps) @ waves
    return blocks.transpose(3, 4).reshape(maps.shape)
