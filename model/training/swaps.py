"""Swaps: training pictures in which people are covered by another picture, or put into one without people.

In most photographs the scene gives people away: streets and rooms have some, meadows and single things have none. A
swap keeps the scene and changes the people, so its label follows from them alone, and no teacher is asked.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from model.training.augment import Boxes, Composition, Sample, paste, random_sample
from model.training.photos import Box, Photos, PhotosError

CROP = Composition(min_area=0.35, empty_crop_share=0.0)
BESIDE = replace(CROP, empty_crop_share=1.0)
"""Crops that show nobody of pictures that show somebody."""

SCENES = (("beside", 0.55), ("coco", 0.1), ("voc", 0.15), ("other", 0.2))
"""Where the pictures without people are from: beside people, or by source; in these shares."""

MAX_COVERED = 0.55
"""Of a frame; more of another picture is the other picture."""

PERSON_AREA = (0.01, 0.6)
"""Least and largest share of the frame of a person that is put into a picture."""

MARGIN = 0.3
"""Most by which a patch is wider than the person, on each side, as a share of the person's size."""

TRIES = 500
SURE = np.array((0.05, 0.95), np.float32)
"""What is to be learned of a frame whose people are covered, and of one with a person put in: patches may err."""

Size = tuple[int, int]


def _labels(numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.int8]:
    """1 person, 0 no person, (n,)."""
    return (numbers % 2).astype(np.int8)


def targets_of(numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """P(person) that is to be learned of swaps, (n,) in 0..1."""
    return SURE[_labels(numbers)]


@dataclass(frozen=True)
class Swaps:
    """Numbered like views: even ones show nobody, odd ones somebody.

    Args:
        seed: of the drawing.
        photos: with person boxes for some.
        pictures: (N, height, width, 3) uint8.
    """

    seed: int
    photos: Photos
    pictures: npt.NDArray[np.uint8]

    def render(self, numbers: npt.NDArray[np.int64], size: Size) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int8]]:
        """Frames (n, height, width, 3) and labels (n,): 1 person, 0 no person."""
        frames = np.stack([self.draw(int(number), size) for number in numbers])
        return frames, _labels(numbers)

    def draw(self, number: int, size: Size) -> npt.NDArray[np.uint8]:
        """Swap `number` at `size` (height, width); what is drawn is the same at every size.

        Raises:
            PhotosError: the photographs have no people with boxes, or none without.
        """
        rng = np.random.default_rng((self.seed, number))
        for _ in range(TRIES):
            shown, scene = self._sample(rng, self._people, CROP, size), self._scene(rng, size)
            if not shown.boxes or scene.boxes != ():
                continue
            patches = _over_people(rng, shown.boxes) if number % 2 == 0 else _around_one(rng, shown.boxes)
            if not patches or sum(width * height for _, _, width, height in patches) > MAX_COVERED:
                continue
            below, above = (shown, scene) if number % 2 == 0 else (scene, shown)
            moved = rng.random() if number % 2 and rng.random() < 0.5 else None
            return paste(below.frame, above.frame, patches, moved)
        raise PhotosError(
            f"no swap was found in {TRIES} tries; it takes pictures with person boxes, and some without people"
        )

    @cached_property
    def _people(self) -> list[int]:
        return [i for i, photo in enumerate(self.photos.photos) if photo.label == 1 and photo.boxes]

    @cached_property
    def _scenes(self) -> dict[str, list[int]]:
        """The pictures of each of `SCENES`."""
        empty: dict[str, list[int]] = {name: [] for name, _ in SCENES}
        for i, photo in enumerate(self.photos.photos):
            if photo.label == 0:
                empty[photo.source if photo.source in empty else "other"].append(i)
        return empty | {"beside": self._people}

    def _scene(self, rng: np.random.Generator, size: Size) -> Sample:
        """A crop without people, if it can be had."""
        names, shares = zip(*((name, share) for name, share in SCENES if self._scenes[name]), strict=True)
        name = names[int(np.searchsorted(np.cumsum(shares), rng.random() * sum(shares), side="right"))]
        return self._sample(rng, self._scenes[name], BESIDE if name == "beside" else CROP, size)

    def _sample(self, rng: np.random.Generator, among: list[int], composition: Composition, size: Size) -> Sample:
        if not among:
            raise PhotosError("swaps take pictures with person boxes, and some without people")
        index = among[int(rng.integers(len(among)))]
        photo = self.photos.photos[index]
        return random_sample(rng, self.pictures[index], photo.label, photo.boxes, size, composition)


def _grown(rng: np.random.Generator, box: Box, least: float) -> Box:
    """A box with a random margin on each side, within the frame."""
    x, y, width, height = box
    left, top, right, bottom = rng.uniform(least, MARGIN, 4) * (width, height, width, height)
    x0, y0 = max(0.0, x - left), max(0.0, y - top)
    return x0, y0, min(1.0, x + width + right) - x0, min(1.0, y + height + bottom) - y0


def _over_people(rng: np.random.Generator, boxes: Boxes) -> list[Box]:
    """Patches that cover everybody: one each, or one for all."""
    if len(boxes) > 4 or rng.random() < 0.3:
        x, y = min(box[0] for box in boxes), min(box[1] for box in boxes)
        right, bottom = max(box[0] + box[2] for box in boxes), max(box[1] + box[3] for box in boxes)
        boxes = ((x, y, right - x, bottom - y),)
    return [_grown(rng, box, 0.05) for box in boxes]


def _around_one(rng: np.random.Generator, boxes: Boxes) -> list[Box]:
    """A patch around somebody who is neither tiny nor everywhere, if there is somebody."""
    fit = [box for box in boxes if PERSON_AREA[0] <= box[2] * box[3] <= PERSON_AREA[1]]
    return [_grown(rng, fit[int(rng.integers(len(fit)))], 0.0)] if fit else []
