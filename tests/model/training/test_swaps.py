from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from model.training.photos import Box, Photo, Photos, PhotosError
from model.training.swaps import MAX_COVERED, Swaps

SIZE = (60, 64)
RED, BLUE = (255, 0, 0), (0, 0, 255)
GREY = (90, 90, 90)


def _photo(label: int, source: str, boxes: tuple[Box, ...] | None) -> Photo:
    return Photo(Path("picture.jpg"), label, source, boxes)


def _swaps(*boxes: Box, source: str = "coco", seed: int = 1) -> Swaps:
    """A grey picture with red people, and a blue one without."""
    photos = (_photo(1, "coco", boxes), _photo(0, source, None))
    pictures = np.empty((2, 224, 256, 3), np.uint8)
    pictures[0], pictures[1] = GREY, BLUE
    for x, y, width, height in boxes:
        pictures[0, round(y * 224) : round((y + height) * 224), round(x * 256) : round((x + width) * 256)] = RED
    return Swaps(seed, Photos("train", photos, ""), pictures)


def _red(frame: npt.NDArray[np.uint8]) -> float:
    """Share of the frame that shows people, without the edges that shrinking blurs."""
    return float(np.mean((frame[..., 0] > 200) & (frame[..., 1] < 40)))


boxes = st.builds(
    lambda x, y, width, height: (x * (1 - width), y * (1 - height), width, height),
    *[st.floats(0, 1)] * 2,
    *[st.floats(0.15, 0.5)] * 2,
)


@given(people=st.lists(boxes, min_size=1, max_size=3), seed=st.integers(0, 999))
def test_even_swaps_show_nobody_and_odd_ones_somebody(people: list[Box], seed: int) -> None:
    swaps = _swaps(*people, seed=seed)
    try:
        frames, labels = swaps.render(np.arange(4), SIZE)
    except PhotosError:
        reject()  # people that can't be covered without covering the scene
    assert labels.tolist() == [0, 1, 0, 1]
    assert all(_red(frame) == 0 for frame in frames[::2])
    assert all(_red(frame) > 0.003 for frame in frames[1::2])


def test_a_scene_outweighs_what_covers_its_people() -> None:
    frames, _ = _swaps((0.4, 0.3, 0.2, 0.3)).render(np.arange(0, 80, 2), SIZE)
    scene = [np.mean(np.abs(frame.astype(int) - GREY).max(-1) < 60) for frame in frames]
    assert min(scene) >= 1 - MAX_COVERED - 0.05
    assert all(np.any(frame[..., 2] > 200) for frame in frames[np.array(scene) < 0.9])


def test_a_swap_depends_on_seed_and_number_alone_and_shows_the_same_at_every_size() -> None:
    swaps = _swaps((0.2, 0.2, 0.4, 0.5))
    small, large = swaps.draw(5, (30, 32)), swaps.draw(5, (120, 128))
    assert np.array_equal(small, swaps.draw(5, (30, 32)))
    assert np.abs(large.reshape(30, 4, 32, 4, 3).mean((1, 3)) - small).mean() < 12
    assert not np.array_equal(small, swaps.draw(7, (30, 32)))
    assert not np.array_equal(small, _swaps((0.2, 0.2, 0.4, 0.5), seed=2).draw(5, (30, 32)))


def test_pictures_without_people_to_cover_are_refused() -> None:
    with pytest.raises(PhotosError, match="person boxes"):
        _swaps().render(np.arange(2), SIZE)
