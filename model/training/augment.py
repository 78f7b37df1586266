"""Training pictures composed from stored pictures: crops, tilts and patches, each with a label worked out anew.

Most people are in photographs of streets and rooms, and most empty pictures show animals and things: a network can
learn the kind of picture instead of the person. Empty crops beside people, and patches pasted from one picture into
another, break that tie.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from model.training.dataset import Box
from model.training.photos import MIN_PERSON_AREA

MIN_AREA_WITHOUT_BOXES = 0.8
"""Least share of the picture that a crop keeps where the places of the people are not known."""

PATCH_AREA = (0.1, 0.6)
"""Least and largest share of the frame that a pasted patch covers."""

SHOWN_SHARE = (0.1, 0.4)
"""Shares of a person's box that are shown: below the first the person doesn't count, from the second on it counts."""

Boxes = tuple[Box, ...]


MAX_TILT_DEGREES = 12.0


@dataclass(frozen=True, slots=True)
class Composition:
    """Rates at which pictures are cropped, tilted and patched.

    Attributes:
        min_area: least share of the picture's area that a crop keeps, where the places of the people are known.
        empty_crop_share: share of the pictures with person boxes that are cropped beside the people, if there is room.
        tilt_share: share of the pictures that are turned, by up to `MAX_TILT_DEGREES` either way.
        patch_share: share of the pictures that get a patch of another one, where the people of both are known.
    """

    min_area: float = 0.3
    empty_crop_share: float = 0.2
    tilt_share: float = 0.0
    patch_share: float = 0.0


def label_of_crop(boxes: Boxes, crop: Box) -> int:
    """1 if a person's box, cut to the crop, covers `MIN_PERSON_AREA` of the crop or more; else 0."""
    return int(max((_overlap(box, crop) for box in boxes), default=0) >= MIN_PERSON_AREA * crop[2] * crop[3])


def _overlap(box: Box, crop: Box) -> float:
    """Area of the overlap of two boxes, as a share of the picture."""
    width = min(box[0] + box[2], crop[0] + crop[2]) - max(box[0], crop[0])
    height = min(box[1] + box[3], crop[1] + crop[3]) - max(box[1], crop[1])
    return max(width, 0.0) * max(height, 0.0)


def random_crop(rng: np.random.Generator, min_area: float, max_area: float = 1.0) -> Box:
    """A random box anywhere in the picture, with an aspect ratio of 3:4 to 4:3 of the picture's; areas are shares."""
    area = rng.uniform(min_area, max_area)
    stretch = np.exp(rng.uniform(np.log(3 / 4), np.log(4 / 3)) / 2)
    width = min(1.0, np.sqrt(area) * stretch)
    height = min(1.0, area / width)
    return rng.uniform(0, 1 - width), rng.uniform(0, 1 - height), width, height


def choose_crop(rng: np.random.Generator, label: int, boxes: Boxes | None, composition: Composition) -> tuple[Box, int]:
    """Draws a crop; returns the crop and its label."""
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
        boxes: boxes of the people, as fractions of the frame; None where the places of the people are not known.
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
        # The turned window may look past the picture; there it sees the picture's edge, mirrored, instead of black.
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
    """Draws a crop of a stored picture, mirrored half of the time.

    The draw does not depend on `size`, so neither does the label. `draw_batch` mirrors again each time a view is seen,
    which matters for the stored views that a teacher has answered.

    Args:
        rng: source of the draw.
        picture: (height, width, 3) uint8 at any size.
        label: 1 person, 0 no person, -1 unknown.
        boxes: boxes of the people, none for an empty picture; None where the places of the people are not known.
        size: height and width (px) of the sample.
        composition: rates of cropping and tilting.
    """
    crop, label = choose_crop(rng, label, boxes, composition)
    mirrored = bool(rng.random() < 0.5)
    tilted = bool(rng.random() < composition.tilt_share)
    tilt = float(rng.uniform(-MAX_TILT_DEGREES, MAX_TILT_DEGREES)) if tilted else 0.0
    frame = cut_sample(picture, crop, size, mirrored=mirrored, tilt_degrees=tilt)
    shown = None if boxes is None else boxes_in_crop(boxes, crop)
    if mirrored:
        shown = shown and tuple((1 - left - across, top, across, down) for left, top, across, down in shown)
    return Sample(frame, label, shown)


def paste(
    below: npt.NDArray[np.uint8], above: npt.NDArray[np.uint8], patches: Iterable[Box], moved: float | None = None
) -> npt.NDArray[np.uint8]:
    """Pastes patches of one frame over another.

    Args:
        below: the frame that is covered, (height, width, 3) uint8.
        above: the frame that the patches are from, of the same size.
        patches: boxes of the patches, as fractions of the frame.
        moved: place to which patches move sideways, 0 (left edge) to 1 (right edge); None: patches stay in place.

    Returns:
        A new frame (height, width, 3) uint8.
    """
    height, width = below.shape[:2]
    frame = below.copy()
    for x, y, across, down in patches:
        left, right = round(x * width), round((x + across) * width)
        top, bottom = round(y * height), round((y + down) * height)
        shift = 0 if moved is None else round(moved * (width - right + left)) - left
        frame[top:bottom, left + shift : right + shift] = above[top:bottom, left:right]
    return frame


def paste_patch(rng: np.random.Generator, sample: Sample, other: Sample) -> Sample:
    """Pastes a patch of another sample in the same place (CutMix, Yun et al. 2019); labels the result by its people.

    Returns the sample unchanged if boxes are not known, or if every drawn patch hides or shows a person by halves.
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
