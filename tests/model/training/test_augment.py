import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.training.augment import Augmentation, augment_frame, choose_crop, label_of_crop, random_crop
from model.training.photos import MIN_PERSON_AREA, Box

WHOLE: Box = (0.0, 0.0, 1.0, 1.0)
UNCHANGED = Augmentation(min_area=1.0, empty_crop_share=0.0, brightness=0.0, saturation=(1.0, 1.0))
ROUNDING = 1e-12

seeds = st.integers(0, 2**32 - 1)
shares = st.floats(0, 1)
boxes = st.tuples(shares, shares, shares, shares).map(
    lambda corners: (
        min(corners[0], corners[1]),
        min(corners[2], corners[3]),
        abs(corners[0] - corners[1]),
        abs(corners[2] - corners[3]),
    )
)


@pytest.mark.parametrize(
    ("people", "crop", "label"),
    [
        ((), WHOLE, 0),
        (((0.5, 0.5, 0.1, 0.1),), WHOLE, 1),  # a hundredth of the picture
        (((0.5, 0.5, 0.05, 0.05),), WHOLE, 0),  # a quarter of a hundredth
        (((0.5, 0.5, 0.05, 0.05), (0.1, 0.1, 0.05, 0.05)), WHOLE, 0),  # two small people are not one large
        (((0.5, 0.5, 0.05, 0.05),), (0.4, 0.4, 0.5, 0.5), 1),  # nearer, and large enough
        (((0.0, 0.0, 0.4, 0.4),), (0.5, 0.5, 0.5, 0.5), 0),  # beside the person
        (((0.0, 0.0, 0.5, 1.0),), (0.5, 0.0, 0.5, 1.0), 0),  # touching is not showing
        (((0.0, 0.0, 0.6, 0.6),), (0.5, 0.5, 0.5, 0.5), 1),  # a corner of a hundredth is shown
        (((0.0, 0.0, 0.501, 0.501),), (0.5, 0.5, 0.5, 0.5), 0),  # a corner too small to count
    ],
)
def test_the_label_follows_what_a_crop_shows(people: tuple[Box, ...], crop: Box, label: int) -> None:
    assert label_of_crop(people, crop) == label


def test_a_person_of_exactly_the_least_area_counts() -> None:
    assert label_of_crop(((0.0, 0.0, 1.0, MIN_PERSON_AREA),), WHOLE) == 1


@settings(max_examples=30)
@given(st.lists(boxes, max_size=4).map(tuple))
def test_the_whole_picture_has_the_label_of_the_index(people: tuple[Box, ...]) -> None:
    # Away from the threshold, where adding and subtracting corners may round either way.
    areas = [width * height for _, _, width, height in people]
    if all(abs(area - MIN_PERSON_AREA) > ROUNDING for area in areas):
        assert label_of_crop(people, WHOLE) == int(any(area >= MIN_PERSON_AREA for area in areas))


@settings(max_examples=30)
@given(seeds, st.floats(0.05, 1))
def test_crops_lie_in_the_picture_and_keep_their_area(seed: int, min_area: float) -> None:
    x, y, width, height = random_crop(np.random.default_rng(seed), min_area)
    assert x >= 0
    assert y >= 0
    assert x + width <= 1 + ROUNDING
    assert y + height <= 1 + ROUNDING
    # A wide or high crop that would leave the picture is cut, by no more than the aspect ratio allows.
    assert min_area * 3 / 4 - ROUNDING <= width * height <= 1


@settings(max_examples=30)
@given(seeds, st.integers(0, 1))
def test_a_picture_without_boxes_keeps_its_label_and_most_of_itself(seed: int, label: int) -> None:
    crop, kept = choose_crop(np.random.default_rng(seed), label, None, Augmentation())
    assert kept == label
    assert crop[2] * crop[3] >= 0.6 - ROUNDING


@settings(max_examples=30)
@given(seeds, st.lists(boxes, max_size=3).map(tuple), st.floats(0, 1))
def test_with_boxes_the_label_is_that_of_the_crop(seed: int, people: tuple[Box, ...], empty_crop_share: float) -> None:
    augmentation = Augmentation(empty_crop_share=empty_crop_share)
    for given_label in (0, 1):
        crop, label = choose_crop(np.random.default_rng(seed), given_label, people, augmentation)
        assert label == label_of_crop(people, crop)


def test_some_crops_of_a_person_picture_are_beside_the_person() -> None:
    person: Box = (0.0, 0.0, 0.2, 1.0)

    def empties(share: float) -> int:
        rng = np.random.default_rng(1)
        labels = [choose_crop(rng, 1, (person,), Augmentation(empty_crop_share=share))[1] for _ in range(50)]
        return labels.count(0)

    assert empties(1.0) > empties(0.0)


@settings(max_examples=20)
@given(seeds)
def test_the_same_generator_gives_the_same_frame(seed: int) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (20, 24, 3), np.uint8)
    people: tuple[Box, ...] = ((0.1, 0.1, 0.5, 0.5),)
    frames = [
        augment_frame(np.random.default_rng(seed), picture, 1, people, (10, 16), Augmentation()) for _ in range(2)
    ]
    assert np.array_equal(frames[0][0], frames[1][0])
    assert frames[0][1] == frames[1][1]
    assert frames[0][0].shape == (10, 16, 3)
    assert frames[0][0].dtype == np.uint8


def test_another_seed_gives_another_frame() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (20, 24, 3), np.uint8)
    frames = {
        augment_frame(np.random.default_rng(seed), picture, 1, (), (10, 16), Augmentation())[0].tobytes()
        for seed in range(5)
    }
    assert len(frames) == 5


def test_without_strength_only_the_flip_is_left() -> None:
    rng = np.random.default_rng(0)
    # The crop of least and largest area one is stretched, so the picture is one that stretching doesn't change.
    picture = np.repeat(rng.integers(0, 256, (1, 1, 3), np.uint8), 20, 0).repeat(24, 1)
    frame, label = augment_frame(rng, picture, 0, (), (20, 24), UNCHANGED)
    assert label == 0
    assert np.abs(frame.astype(int) - picture).max() <= 1
    edge = np.zeros((20, 24, 3), np.uint8)
    edge[:, 12:] = 255
    sides = {
        int(augment_frame(np.random.default_rng(seed), edge, 0, (), (20, 24), UNCHANGED)[0][0, 0, 0])
        for seed in range(10)
    }
    assert sides == {0, 255}


def test_brightness_stops_at_the_ends_of_the_scale() -> None:
    strong = Augmentation(brightness=1.0)
    white, black = np.full((8, 8, 3), 255, np.uint8), np.zeros((8, 8, 3), np.uint8)
    shades = []
    for seed in range(10):
        for picture in (white, black):
            frame, _ = augment_frame(np.random.default_rng(seed), picture, 0, (), (8, 8), strong)
            assert np.ptp(frame) <= 1  # an even picture stays even: nothing wraps around
            shades.append(int(frame[0, 0, 0]))
    assert {0, 255} <= set(shades)
    assert len(set(shades)) > 5
