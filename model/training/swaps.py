"""Swaps: training pictures in which people are covered by another picture, or put into one without people.

In most photographs the scene gives people away: streets and rooms show people, meadows and single things don't. A swap
keeps the scene and changes the people, so the label of a swap follows from the people alone.
"""

from collections.abc import Container, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from model.training.augment import Boxes, Composition, Sample, paste, random_sample
from model.training.dataset import Box
from model.training.photos import Photos, PhotosError
from model.training.picture_store import Pictures

CROP = Composition(min_area=0.35, empty_crop_share=0.0)
BESIDE = replace(CROP, empty_crop_share=1.0)
"""Composition of crops beside the people of a picture."""

BESIDE_PEOPLE, OTHER = "beside people", "other"

SCENES = {BESIDE_PEOPLE: 0.45, "coco": 0.1, "voc": 0.25, OTHER: 0.2}
"""Shares of the crops without people that are from beside people, or from each source."""

PEOPLE = {"voc": 0.2, OTHER: 0.8}
"""Shares of the people that are from each source. VOC has few people, and of other sizes than other sources."""

MAX_COVERED = 0.55
"""Largest share of a frame that patches cover; with more, the frame would be the other picture."""

PERSON_AREA = (0.01, 0.6)
"""Least and largest share of the frame of a person that is put into a picture."""

MARGIN = 0.3
"""Largest margin of a patch around the person, on each side, as a share of the person's size."""

TRIES = 500

Size = tuple[int, int]


@dataclass(frozen=True)
class Swaps:
    """Swaps of pictures (N, height, width, 3) uint8, some with person boxes, some without people."""

    photos: Photos
    pictures: Pictures | npt.NDArray[np.uint8]

    def draw(self, rng: np.random.Generator, size: Size) -> tuple[Sample, int]:
        """Draws a swap, which shows a person half of the time. The draw does not depend on `size`.

        Args:
            rng: source of the draw.
            size: height and width (px) of the sample.

        Returns:
            The swap, and the index of the picture with people.

        Raises:
            PhotosError: the photographs have no people with boxes, or none without.
        """
        person = rng.random() < 0.5
        for _ in range(TRIES):
            shown, index = self._people(rng, CROP, size)
            scene = self._scene(rng, size)
            if not shown.boxes or scene.boxes != ():
                continue
            patches = _around_one(rng, shown.boxes) if person else _over_people(rng, shown.boxes)
            if not patches or sum(width * height for _, _, width, height in patches) > MAX_COVERED:
                continue
            below, above = (scene, shown) if person else (shown, scene)
            moved = rng.random() if person and rng.random() < 0.5 else None
            return Sample(paste(below.frame, above.frame, patches, moved), int(person), None), index
        raise PhotosError(
            f"no swap was found in {TRIES} tries; it takes pictures with person boxes, and some without people"
        )

    @cached_property
    def _with_people(self) -> dict[str, list[int]]:
        """Indices of the pictures with people, by the sources of `PEOPLE`."""
        return self._by_source(PEOPLE, [photo.label == 1 and bool(photo.boxes) for photo in self.photos.photos])

    @cached_property
    def _without(self) -> dict[str, list[int]]:
        """Indices of the pictures without people, by the sources of `SCENES`."""
        return self._by_source(SCENES, [photo.label == 0 for photo in self.photos.photos])

    def _by_source(self, names: dict[str, float], wanted: Sequence[bool]) -> dict[str, list[int]]:
        groups: dict[str, list[int]] = {}
        for index, photo in enumerate(self.photos.photos):
            if wanted[index]:
                groups.setdefault(photo.source if photo.source in names else OTHER, []).append(index)
        return groups

    def _people(self, rng: np.random.Generator, composition: Composition, size: Size) -> tuple[Sample, int]:
        """A crop of a picture with people, and the picture's index."""
        return self._sample(rng, self._with_people[_pick(rng, PEOPLE, self._with_people)], composition, size)

    def _scene(self, rng: np.random.Generator, size: Size) -> Sample:
        """A crop without people, if one is found."""
        name = _pick(rng, SCENES, {*self._without, BESIDE_PEOPLE})
        if name == BESIDE_PEOPLE:
            return self._people(rng, BESIDE, size)[0]
        return self._sample(rng, self._without[name], CROP, size)[0]

    def _sample(
        self, rng: np.random.Generator, among: list[int], composition: Composition, size: Size
    ) -> tuple[Sample, int]:
        index = among[int(rng.integers(len(among)))]
        photo = self.photos.photos[index]
        boxes = photo.boxes if photo.label else ()
        return random_sample(rng, self.pictures[index], photo.label, boxes, size, composition), index


def _pick(rng: np.random.Generator, shares: dict[str, float], among: Container[str]) -> str:
    """Draws a name in proportion to `shares`, from the names in `among`."""
    left = {name: share for name, share in shares.items() if name in among}
    if not left:
        raise PhotosError("swaps take pictures with person boxes, and some without people")
    return list(left)[int(np.searchsorted(np.cumsum(list(left.values())), rng.random() * sum(left.values()), "right"))]


def _grown(rng: np.random.Generator, box: Box, least: float) -> Box:
    """A box enlarged by a random margin on each side, cut to the frame."""
    x, y, width, height = box
    left, top, right, bottom = rng.uniform(least, MARGIN, 4) * (width, height, width, height)
    x0, y0 = max(0.0, x - left), max(0.0, y - top)
    return x0, y0, min(1.0, x + width + right) - x0, min(1.0, y + height + bottom) - y0


def _over_people(rng: np.random.Generator, boxes: Boxes) -> list[Box]:
    """Patches that cover all people: one for each person, or one for all."""
    if len(boxes) > 4 or rng.random() < 0.3:
        x, y = min(box[0] for box in boxes), min(box[1] for box in boxes)
        right, bottom = max(box[0] + box[2] for box in boxes), max(box[1] + box[3] for box in boxes)
        boxes = ((x, y, right - x, bottom - y),)
    return [_grown(rng, box, 0.05) for box in boxes]


def _around_one(rng: np.random.Generator, boxes: Boxes) -> list[Box]:
    """A patch around one person whose size is within `PERSON_AREA`; empty if no person is."""
    fit = [box for box in boxes if PERSON_AREA[0] <= box[2] * box[3] <= PERSON_AREA[1]]
    return [_grown(rng, fit[int(rng.integers(len(fit)))], 0.0)] if fit else []
