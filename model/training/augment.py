"""Training pictures composed from stored ones: crops, tilts and patches, with the label worked out again.

People are mostly found in photographs of streets and rooms, and easy empty pictures are of animals and things: a
network can learn the kind of picture instead of the person. Empty crops beside people and patches pasted from one
picture into another break that tie.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from model.training.dataset import Box
from model.training.photos import MIN_PERSON_AREA

MIN_AREA_WITHOUT_BOXES = 0.8
"""Share of the picture that a crop keeps where nobody knows where the people are."""

PATCH_AREA = (0.1, 0.6)
"""Least and largest share of the frame that a pasted patch covers."""

SHOWN_SHARE = (0.1, 0.4)
"""A person of whom less than the first share is shown may be background alone; from the second on it counts."""

Boxes = tuple[Box, ...]


MAX_TILT_DEGREES = 12.0


@dataclass(frozen=True, slots=True)
class Composition:
    """How pictures are cut and put together.

    Attributes:
        min_area: least share of the picture's area that a crop keeps, where it is known who is in it.
        empty_crop_share: how often a person picture with boxes is cropped beside the people, if there is room.
        tilt_share: how often a picture is turned by up to 12 degrees either way.
        patch_share: how often a patch of another picture is pasted in, where the people of both are known.
    """

    min_area: float = 0.3
    empty_crop_share: float = 0.2
    tilt_share: float = 0.0
    patch_share: float = 0.0


def label_of_crop(boxes: Boxes, crop: Box) -> int:
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


def choose_crop(rng: np.random.Generator, label: int, boxes: Boxes | None, composition: Composition) -> tuple[Box, int]:
    """A crop and its label."""
    if boxes is None:
        return random_crop(rng, MIN_AREA_WITHOUT_BOXES), label
    if boxes and rng.random() < composition.empty_crop_share:
        for _ in range(8):
            crop = random_crop(rng, 0.1, 0.6)
            if all(_overlap(box, crop) == 0 for box in boxes):
                return crop, 0
    crop = random_crop(rng, composition.min_area)
    return crop, label_of_crop(boxes, crop)


@dataclass(frozen=True, slots=True)
class Sample:
    """One training frame.

    Attributes:
        frame: (height, width, 3) uint8.
        label: 1 person, 0 no person, -1 unknown.
        boxes: the people in the frame, as fractions of it; None where they are not known.
    """

    frame: npt.NDArray[np.uint8]
    label: int
    boxes: Boxes | None


def boxes_in_crop(boxes: Boxes, crop: Box) -> Boxes:
    """The parts of boxes that a crop shows, as fractions of the crop."""
    x, y, width, height = crop
    shown = []
    for box in boxes:
        left, right = max(box[0], x), min(box[0] + box[2], x + width)
        top, bottom = max(box[1], y), min(box[1] + box[3], y + height)
        if right > left and bottom > top:
            shown.append(((left - x) / width, (top - y) / height, (right - left) / width, (bottom - top) / height))
    return tuple(shown)


def cut_sample(
    picture: npt.NDArray[np.uint8], crop: Box, size: tuple[int, int], *, mirrored: bool, tilt_degrees: float = 0.0
) -> npt.NDArray[np.uint8]:
    """A crop of a stored picture at `size` (height, width), mirrored left to right or not, turned about its middle."""
    x, y, width, height = crop
    rows, columns = picture.shape[:2]
    window = (x * columns, y * rows, min(1.0, x + width) * columns, min(1.0, y + height) * rows)
    image = Image.fromarray(picture)
    if tilt_degrees:
        middle = (window[0] + window[2]) / 2, (window[1] + window[3]) / 2
        # The turned window may look past the picture: what is there is the picture's edge, mirrored, not black.
        margin = round(np.sin(np.radians(abs(tilt_degrees))) * max(rows, columns) / 2) + 1
        image = Image.fromarray(np.pad(picture, ((margin, margin), (margin, margin), (0, 0)), "reflect"))
        window = (window[0] + margin, window[1] + margin, window[2] + margin, window[3] + margin)
        image = image.rotate(tilt_degrees, Image.Resampling.BILINEAR, center=(middle[0] + margin, middle[1] + margin))
    frame = np.asarray(image.resize((size[1], size[0]), Image.Resampling.BILINEAR, box=window))
    return frame[:, ::-1] if mirrored else frame


def random_sample(
    rng: np.random.Generator,
    picture: npt.NDArray[np.uint8],
    label: int,
    boxes: Boxes | None,
    size: tuple[int, int],
    composition: Composition,
) -> Sample:
    """A random crop of a stored picture, mirrored half of the time.

    What is drawn, and so the label, is the same at every `size`.
    """
    known = () if boxes is None and label == 0 else boxes
    crop, label = choose_crop(rng, label, known, composition)
    mirrored = bool(rng.random() < 0.5)
    tilted = bool(rng.random() < composition.tilt_share)
    tilt = float(rng.uniform(-MAX_TILT_DEGREES, MAX_TILT_DEGREES)) if tilted else 0.0
    frame = cut_sample(picture, crop, size, mirrored=mirrored, tilt_degrees=tilt)
    shown = None if known is None else boxes_in_crop(known, crop)
    if mirrored:
        shown = shown and tuple((1 - left - across, top, across, down) for left, top, across, down in shown)
    return Sample(frame, label, shown)


def paste(
    below: npt.NDArray[np.uint8], above: npt.NDArray[np.uint8], patches: Iterable[Box], moved: float | None = None
) -> npt.NDArray[np.uint8]:
    """A frame with patches of another one in the same places, or moved sideways: 0 to the left edge, 1 to the right."""
    height, width = below.shape[:2]
    frame = below.copy()
    for x, y, across, down in patches:
        left, right = round(x * width), round((x + across) * width)
        top, bottom = round(y * height), round((y + down) * height)
        shift = 0 if moved is None else round(moved * (width - right + left)) - left
        frame[top:bottom, left + shift : right + shift] = above[top:bottom, left:right]
    return frame


def paste_patch(rng: np.random.Generator, sample: Sample, other: Sample) -> Sample:
    """The sample with a patch of another one in the same place (CutMix, Yun et al. 2019), the label by what is shown.

    The sample itself where boxes are not known, or where no patch was found that hides or shows people clearly.
    """
    if sample.boxes is None or other.boxes is None:
        return sample
    for _ in range(6):
        patch = random_crop(rng, *PATCH_AREA)
        kept = [(box[2] * box[3] - _overlap(box, patch), box) for box in sample.boxes]
        shown = [(_overlap(box, patch), box) for box in other.boxes]
        seen = [(area, area / max(box[2] * box[3], 1e-9)) for area, box in (*kept, *shown)]
        persons = [area >= MIN_PERSON_AREA and share >= SHOWN_SHARE[1] for area, share in seen]
        doubtful = [area >= MIN_PERSON_AREA / 2 and share >= SHOWN_SHARE[0] for area, share in seen]
        if persons == doubtful:
            frame = paste(sample.frame, other.frame, [patch])
            return Sample(frame, int(any(persons)), None)
    return sample
