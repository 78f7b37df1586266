import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from model.training.augment import (
    PATCH_AREA,
    Composition,
    Sample,
    boxes_in_crop,
    choose_crop,
    cut_sample,
    label_of_crop,
    paste_patch,
    random_crop,
    random_sample,
)
from model.training.dataset import Box
from model.training.photos import MIN_PERSON_AREA

WHOLE: Box = (0.0, 0.0, 1.0, 1.0)
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
    crop, kept = choose_crop(np.random.default_rng(seed), label, None, Composition())
    assert kept == label
    assert crop[2] * crop[3] >= 0.6 - ROUNDING


@settings(max_examples=30)
@given(seeds, st.lists(boxes, max_size=3).map(tuple), st.floats(0, 1))
def test_with_boxes_the_label_is_that_of_the_crop(seed: int, people: tuple[Box, ...], empty_crop_share: float) -> None:
    composition = Composition(empty_crop_share=empty_crop_share)
    for given_label in (0, 1):
        crop, label = choose_crop(np.random.default_rng(seed), given_label, people, composition)
        assert label == label_of_crop(people, crop)


def test_some_crops_of_a_person_picture_are_beside_the_person() -> None:
    person: Box = (0.0, 0.0, 0.2, 1.0)

    def empties(share: float) -> int:
        rng = np.random.default_rng(1)
        labels = [choose_crop(rng, 1, (person,), Composition(empty_crop_share=share))[1] for _ in range(50)]
        return labels.count(0)

    assert empties(1.0) > empties(0.0)


def random_picture(seed: int = 0) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (20, 24, 3), np.uint8)


@settings(max_examples=20)
@given(seeds)
def test_the_same_generator_gives_the_same_frame(seed: int) -> None:
    people: tuple[Box, ...] = ((0.1, 0.1, 0.5, 0.5),)

    def draw() -> Sample:
        rng = np.random.default_rng(seed)
        return random_sample(rng, random_picture(), 1, people, (10, 16), Composition(tilt_share=0.5))

    first, second = draw(), draw()
    assert np.array_equal(first.frame, second.frame)
    assert (first.label, first.boxes) == (second.label, second.boxes)
    assert first.frame.shape == (10, 16, 3)
    assert first.frame.dtype == np.uint8


def test_another_seed_gives_another_frame() -> None:
    frames = {
        random_sample(np.random.default_rng(seed), random_picture(), 1, (), (10, 16), Composition()).frame.tobytes()
        for seed in range(5)
    }
    assert len(frames) == 5


@settings(max_examples=30)
@given(seeds, st.lists(boxes, max_size=3).map(tuple), st.floats(0, 1))
def test_what_is_drawn_is_the_same_at_every_size(seed: int, people: tuple[Box, ...], tilt_share: float) -> None:
    composition = Composition(empty_crop_share=0.3, tilt_share=tilt_share)
    small, large = (
        random_sample(np.random.default_rng(seed), random_picture(), 1, people, size, composition)
        for size in ((10, 16), (20, 24))
    )
    assert (small.label, small.boxes) == (large.label, large.boxes)
    assert small.frame.shape == (10, 16, 3)


@settings(max_examples=30)
@given(st.lists(boxes, max_size=3).map(tuple))
def test_boxes_follow_the_crop(people: tuple[Box, ...]) -> None:
    crop: Box = (0.25, 0.25, 0.5, 0.5)
    for box in boxes_in_crop(people, crop):
        assert all(-ROUNDING <= edge <= 1 + ROUNDING for edge in (*box[:2], box[0] + box[2], box[1] + box[3]))
    assert boxes_in_crop(((0.25, 0.25, 0.25, 0.5),), crop) == ((0.0, 0.0, 0.5, 1.0),)


def test_boxes_follow_the_mirror() -> None:
    whole, people = Composition(min_area=1.0, empty_crop_share=0.0), ((0.0, 0.2, 0.25, 0.5),)
    found = {
        random_sample(np.random.default_rng(seed), random_picture(), 1, people, (10, 16), whole).boxes
        for seed in range(20)
    }
    lefts = {round(boxes[0][0], 1) for boxes in found if boxes}
    assert {0.0} < lefts  # at the left, and, less what the crop cuts off, at the right
    assert max(lefts) >= 0.6


def test_a_mirrored_cut_is_the_cut_mirrored() -> None:
    crop: Box = (0.25, 0.25, 0.5, 0.5)
    plain, mirrored = (cut_sample(random_picture(), crop, (10, 16), mirrored=each) for each in (False, True))
    assert np.array_equal(mirrored, plain[:, ::-1])


def test_a_tilt_turns_about_the_middle_and_shows_no_black() -> None:
    picture = np.full((40, 40, 3), 200, np.uint8)
    picture[18:22, :] = 50  # a level bar through the middle
    level = cut_sample(picture, WHOLE, (40, 40), mirrored=False)
    turned = cut_sample(picture, WHOLE, (40, 40), mirrored=False, tilt_degrees=10)
    assert np.array_equal(level, picture)
    assert turned.min() >= 50
    assert turned[20, 20, 0] == 50
    assert {int(turned[column, 2, 0] < 100) for column in range(30)} == {0, 1}
    left, right = (np.flatnonzero(turned[:, column, 0] < 100).mean() for column in (2, 37))
    assert abs(left - right) == pytest.approx(35 * np.tan(np.radians(10)), abs=1.5)


def plain_sample(shade: int, label: int, people: tuple[Box, ...] | None) -> Sample:
    return Sample(np.full((20, 20, 3), shade, np.uint8), label, people)


def _edges(box: Box) -> tuple[float, float, float, float]:
    x, y, width, height = box
    return x, y, x + width, y + height


@settings(max_examples=60)
@given(seeds, st.lists(boxes, max_size=2).map(tuple), st.lists(boxes, max_size=2).map(tuple))
@example(420, ((0.5, 0.25, 0.5, 0.578125),), ())  # by its pixels the patch leaves a tenth of the person, by itself less
def test_a_pasted_patch_decides_the_label_by_what_it_hides_and_shows(
    seed: int, people: tuple[Box, ...], others: tuple[Box, ...]
) -> None:
    sample = plain_sample(0, label_of_crop(people, WHOLE), people)
    mixed = paste_patch(np.random.default_rng(seed), sample, plain_sample(255, label_of_crop(others, WHOLE), others))
    if mixed is sample:
        return
    from_other = mixed.frame[..., 0] == 255
    rows, columns = from_other.any(1).nonzero()[0], from_other.any(0).nonzero()[0]
    assert from_other.sum() == len(rows) * len(columns)  # a rectangle
    assert 0.05 <= from_other.mean() <= 0.7
    rng, found = np.random.default_rng(seed), (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
    tried = [
        random_crop(rng, *PATCH_AREA) for _ in range(6)
    ]  # the label goes by the patch before it was rounded to pixels
    (patch, *_) = (each for each in tried if found == tuple(round(20 * edge) for edge in _edges(each)))
    inside = [part[2] * part[3] * patch[2] * patch[3] for part in boxes_in_crop(others, patch)]
    hidden = [sum(part[2] * part[3] for part in boxes_in_crop((box,), patch)) * patch[2] * patch[3] for box in people]
    left = [box[2] * box[3] - part for box, part in zip(people, hidden, strict=True)]
    if mixed.label:
        assert max((*inside, *left)) >= MIN_PERSON_AREA - ROUNDING
    else:
        assert all(part < MIN_PERSON_AREA + 0.1 * box[2] * box[3] for part, box in zip(left, people, strict=True))


def test_without_known_boxes_nothing_is_pasted() -> None:
    rng = np.random.default_rng(0)
    known, unknown = plain_sample(0, 1, ((0.4, 0.4, 0.1, 0.1),)), plain_sample(255, 1, None)
    assert paste_patch(rng, known, unknown) is known
    assert paste_patch(rng, unknown, known) is unknown


def test_a_person_pasted_into_an_empty_picture_makes_it_a_person_picture() -> None:
    everywhere = plain_sample(255, 1, ((0.0, 0.0, 1.0, 1.0),))
    labels = [paste_patch(np.random.default_rng(seed), plain_sample(0, 0, ()), everywhere).label for seed in range(20)]
    assert 1 in labels
