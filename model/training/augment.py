"""Training pictures made from stored ones: crop with the label worked out again, flip, brightness, saturation."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from model.training.photos import MIN_PERSON_AREA, Box

MIN_AREA_WITHOUT_BOXES = 0.8
"""Share of the picture that a crop keeps where nobody knows where the people are."""


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How strongly pictures are changed.

    Attributes:
        min_area: least share of the picture's area that a crop keeps where boxes are known.
        empty_crop_share: how often a person picture with boxes is cropped beside the people, if there is room.
        brightness: largest shift, as a share of the full scale.
        saturation: least and largest factor.
    """

    min_area: float = 0.3
    empty_crop_share: float = 0.2
    brightness: float = 32 / 255
    saturation: tuple[float, float] = (0.5, 1.5)


def label_of_crop(boxes: tuple[Box, ...], crop: Box) -> int:
    """1 if a person's box, cut to the crop, covers `MIN_PERSON_AREA` of the crop or more; else 0."""
    return int(max((_overlap(box, crop) for box in boxes), default=0) >= MIN_PERSON_AREA * crop[2] * crop[3])


def _overlap(box: Box, crop: Box) -> float:
    """Area that two boxes share."""
    width = min(box[0] + box[2], crop[0] + crop[2]) - max(box[0], crop[0])
    height = min(box[1] + box[3], crop[1] + crop[3]) - max(box[1], crop[1])
    return max(width, 0.0) * max(height, 0.0)


def random_crop(rng: np.random.Generator, min_area: float, max_area: float = 1.0) -> Box:
    """A box of random area share and an aspect ratio within 3:4 .. 4:3 of the picture's, anywhere in it."""
    area = rng.uniform(min_area, max_area)
    stretch = np.exp(rng.uniform(np.log(3 / 4), np.log(4 / 3)) / 2)
    width = min(1.0, np.sqrt(area) * stretch)
    height = min(1.0, area / width)
    return rng.uniform(0, 1 - width), rng.uniform(0, 1 - height), width, height


def choose_crop(
    rng: np.random.Generator, label: int, boxes: tuple[Box, ...] | None, augmentation: Augmentation
) -> tuple[Box, int]:
    """A crop and its label."""
    if boxes is None:
        return random_crop(rng, MIN_AREA_WITHOUT_BOXES), label
    if boxes and rng.random() < augmentation.empty_crop_share:
        for _ in range(8):
            crop = random_crop(rng, 0.1, 0.6)
            if all(_overlap(box, crop) == 0 for box in boxes):
                return crop, 0
    crop = random_crop(rng, augmentation.min_area)
    return crop, label_of_crop(boxes, crop)


def augment_frame(
    rng: np.random.Generator,
    picture: npt.NDArray[np.uint8],
    label: int,
    boxes: tuple[Box, ...] | None,
    size: tuple[int, int],
    augmentation: Augmentation,
) -> tuple[npt.NDArray[np.uint8], int]:
    """One training frame (height, width, 3) uint8 of `size` (height, width) and its label, from a stored picture."""
    (x, y, width, height), label = choose_crop(rng, label, boxes, augmentation)
    rows, columns = picture.shape[:2]
    window = (x * columns, y * rows, (x + width) * columns, (y + height) * rows)
    image = Image.fromarray(picture).resize((size[1], size[0]), Image.Resampling.BILINEAR, box=window)
    frame = np.asarray(image, np.float32)
    if rng.random() < 0.5:
        frame = frame[:, ::-1]
    luminance = frame @ np.array([0.299, 0.587, 0.114], np.float32)
    frame = luminance[..., None] + (frame - luminance[..., None]) * np.float32(rng.uniform(*augmentation.saturation))
    frame = frame + np.float32(255 * rng.uniform(-augmentation.brightness, augmentation.brightness))
    return np.clip(np.rint(frame), 0, 255).astype(np.uint8), label
