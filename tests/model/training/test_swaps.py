from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from model.training.augment import Sample
from model.training.dataset import Box
from model.training.photos import Photo, Photos, PhotosError
from model.training.swaps import MAX_COVERED, OTHER, PEOPLE, SCENES, Swaps

SIZE = (60, 64)
RED, BLUE = (255, 0, 0), (0, 0, 255)
GREY = (90, 90, 90)


def _photo(label: int, source: str, boxes: tuple[Box, ...] | None) -> Photo:
    return Photo(Path("picture.jpg"), label, source, boxes)


def _swaps(*boxes: Box, source: str = "coco") -> Swaps:
    """A grey picture with red people, and a blue one without."""
    photos = (_photo(1, "coco", boxes), _photo(0, source, None))
    pictures = np.empty((2, 224, 256, 3), np.uint8)
    pictures[0], pictures[1] = GREY, BLUE
    for x, y, width, height in boxes:
        pictures[0, round(y * 224) : round((y + height) * 224), round(x * 256) : round((x + width) * 256)] = RED
    return Swaps(Photos("train", photos, ""), pictures)


def _red(frame: npt.NDArray[np.uint8]) -> float:
    """Share of the frame that shows people, without the edges that shrinking blurs."""
    return float(np.mean((frame[..., 0] > 200) & (frame[..., 1] < 40)))


boxes = st.builds(
    lambda x, y, width, height: (x * (1 - width), y * (1 - height), width, height),
    *[st.floats(0, 1)] * 2,
    *[st.floats(0.15, 0.5)] * 2,
)


def _draw(swaps: Swaps, seed: int, size: tuple[int, int] = SIZE) -> Sample:
    sample, picture = swaps.draw(np.random.default_rng(seed), size)
    assert picture == 0  # the one with people
    return sample


@given(people=st.lists(boxes, min_size=1, max_size=3), seed=st.integers(0, 999))
def test_a_swap_shows_somebody_where_its_label_says_so(people: list[Box], seed: int) -> None:
    try:
        swap = _draw(_swaps(*people), seed)
    except PhotosError:
        reject()  # people that can't be covered without covering the scene
    assert _red(swap.frame) > 0.003 if swap.label else _red(swap.frame) == 0


def test_half_of_the_swaps_show_somebody() -> None:
    swaps = _swaps((0.4, 0.3, 0.2, 0.3))
    assert 10 <= sum(_draw(swaps, seed).label for seed in range(40)) <= 30


def test_a_scene_outweighs_what_covers_its_people() -> None:
    swaps = _swaps((0.4, 0.3, 0.2, 0.3))
    frames = [swap.frame for swap in (_draw(swaps, seed) for seed in range(80)) if swap.label == 0]
    scene = [np.mean(np.abs(frame.astype(int) - GREY).max(-1) < 60) for frame in frames]
    assert min(scene) >= 1 - MAX_COVERED - 0.05
    covered = [frame for frame, share in zip(frames, scene, strict=True) if share < 0.9]
    assert covered
    assert all(np.any(frame[..., 2] > 200) for frame in covered)


def test_a_swap_depends_on_its_generator_alone_and_shows_the_same_at_every_size() -> None:
    swaps = _swaps((0.2, 0.2, 0.4, 0.5))
    small, large = _draw(swaps, 5, (30, 32)), _draw(swaps, 5, (120, 128))
    assert np.array_equal(small.frame, _draw(swaps, 5, (30, 32)).frame)
    assert small.label == large.label
    assert np.abs(large.frame.reshape(30, 4, 32, 4, 3).mean((1, 3)) - small.frame).mean() < 12
    assert not np.array_equal(small.frame, _draw(swaps, 6, (30, 32)).frame)


def test_people_and_scenes_come_from_the_sources_in_their_shares() -> None:
    photos = [_photo(1, source, ((0.3, 0.3, 0.3, 0.4),)) for source in ("coco",) * 8 + ("voc",)]
    photos += [_photo(0, source, None) for source in ("coco", "voc", "pets")]
    pictures = np.empty((len(photos), 224, 256, 3), np.uint8)
    pictures[:] = np.arange(len(photos), dtype=np.uint8)[:, None, None, None]
    swaps = Swaps(Photos("train", tuple(photos), ""), pictures)
    drawn = [swaps.draw(np.random.default_rng(seed), (15, 16)) for seed in range(400)]
    assert np.mean([picture == 8 for _, picture in drawn]) == pytest.approx(PEOPLE["voc"], abs=0.06)
    scenes = [next(iter(set(np.unique(sample.frame)) - {picture}), None) for sample, picture in drawn]
    found = [sum(scene == index for scene in scenes) for index in (9, 10, 11)]
    wanted = [SCENES[name] for name in ("coco", "voc", OTHER)]
    assert np.divide(found, sum(found)) == pytest.approx(np.divide(wanted, sum(wanted)), abs=0.08)
    assert sum(found) < 390  # the others are from beside people, where there is room


@pytest.mark.parametrize("lacking", [0, 1])
def test_pictures_without_people_to_cover_are_refused(lacking: int) -> None:
    photos = Photos("train", (_photo(1 - lacking, "coco", None),) * 2, "")
    with pytest.raises(PhotosError, match="person boxes"):
        Swaps(photos, np.zeros((2, 224, 256, 3), np.uint8)).draw(np.random.default_rng(0), SIZE)
