"""What is in front of the lens."""

import importlib.util
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from sensor_sim.burst import SensorGeometry

SAMPLES = ("astronaut.png", "camera.png", "chelsea.png", "coffee.png", "rocket.jpg", "coins.png")


class SceneError(ValueError):
    """A scene that can't be shown."""


def photo_frame(path: Path, geometry: SensorGeometry) -> npt.NDArray[np.uint8]:
    """A photograph as the sensor sees it: (H, W, 3) uint8, upright, resized (bilinear) without keeping its aspect.

    Raises:
        SceneError: no such file, or not a picture.
    """
    try:
        with Image.open(path) as image:
            upright = ImageOps.exif_transpose(image).convert("RGB")
    except FileNotFoundError:
        raise SceneError(f"{path}: no such file") from None
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError, SyntaxError) as error:
        raise SceneError(f"{path}: not a readable picture ({type(error).__name__})") from error
    return np.asarray(upright.resize((geometry.width, geometry.height), Image.Resampling.BILINEAR))


def sample_photos() -> list[Path]:
    """Photographs that come with scikit-image (extra `samples`), read as files; empty where it isn't installed."""
    spec = importlib.util.find_spec("skimage")  # finds the package without importing it
    if spec is None or spec.origin is None:
        return []
    data = Path(spec.origin).parent / "data"
    return [path for path in (data / name for name in SAMPLES) if path.is_file()]
