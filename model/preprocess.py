"""Pixels to network input: the only place where the scaling is written."""

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps


def pixel_table() -> npt.NDArray[np.float32]:
    """Network input for each pixel value 0..255, as published: (256,) float32, integers in -127..127."""
    pixels = np.arange(256, dtype=np.float32)
    return np.round((pixels / 255 - 0.5) * 2 * 127)


_TABLE = pixel_table()


def network_input(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """uint8 RGB (..., H, W, 3) -> float32 (..., 3, H, W), integers in -127..127."""
    return np.ascontiguousarray(np.moveaxis(_TABLE[pixels], -1, -3))


def frame_from_image(image: Image.Image, height: int, width: int) -> npt.NDArray[np.uint8]:
    """A picture as a frame (height, width, 3) uint8 RGB: upright, resized (bilinear) without keeping its aspect."""
    upright = ImageOps.exif_transpose(image).convert("RGB")
    return np.asarray(upright.resize((width, height), Image.Resampling.BILINEAR))
