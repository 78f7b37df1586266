import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.training.augment import (
    READ_NOISE_E,
    Augmentation,
    Sample,
    add_noise,
    boxes_in_crop,
    change_light,
    choose_crop,
    cut_sample,
    label_of_crop,
    paste_patch,
    random_crop,
    random_sample,
)
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


def random_picture(seed: int = 0) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (20, 24, 3), np.uint8)


@settings(max_examples=20)
@given(seeds)
def test_the_same_generator_gives_the_same_frame(seed: int) -> None:
    people: tuple[Box, ...] = ((0.1, 0.1, 0.5, 0.5),)

    def draw() -> Sample:
        rng = np.random.default_rng(seed)
        sample = random_sample(rng, random_picture(), 1, people, (10, 16), Augmentation())
        return Sample(change_light(rng, sample.frame, Augmentation(noise_share=0.5)), sample.label, sample.boxes)

    first, second = draw(), draw()
    assert np.array_equal(first.frame, second.frame)
    assert (first.label, first.boxes) == (second.label, second.boxes)
    assert first.frame.shape == (10, 16, 3)
    assert first.frame.dtype == np.uint8


def test_another_seed_gives_another_frame() -> None:
    frames = {
        random_sample(np.random.default_rng(seed), random_picture(), 1, (), (10, 16), Augmentation()).frame.tobytes()
        for seed in range(5)
    }
    assert len(frames) == 5


@settings(max_examples=30)
@given(st.lists(boxes, max_size=3).map(tuple), st.booleans())
def test_boxes_follow_the_crop_and_the_mirror(people: tuple[Box, ...], mirrored: bool) -> None:
    crop: Box = (0.25, 0.25, 0.5, 0.5)
    sample = cut_sample(random_picture(), people, 1, crop, (10, 16), mirrored=mirrored)
    assert sample.boxes is not None
    shown = boxes_in_crop(people, crop)
    assert len(sample.boxes) == len(shown)
    for box, before in zip(sample.boxes, shown, strict=True):
        assert box[2:] == before[2:]
        assert box[0] == (1 - before[0] - before[2] if mirrored else before[0])
        assert all(-ROUNDING <= edge <= 1 + ROUNDING for edge in (*box[:2], box[0] + box[2], box[1] + box[3]))
    plain = cut_sample(random_picture(), people, 1, crop, (10, 16), mirrored=False)
    assert np.array_equal(sample.frame, plain.frame[:, ::-1] if mirrored else plain.frame)


def test_an_empty_picture_has_no_people_even_where_nobody_drew_boxes() -> None:
    assert cut_sample(random_picture(), None, 0, WHOLE, (10, 16), mirrored=False).boxes == ()
    assert cut_sample(random_picture(), None, 1, WHOLE, (10, 16), mirrored=True).boxes is None


def plain_sample(shade: int, label: int, people: tuple[Box, ...] | None) -> Sample:
    return Sample(np.full((20, 20, 3), shade, np.uint8), label, people)


@settings(max_examples=60)
@given(seeds, st.lists(boxes, max_size=2).map(tuple), st.lists(boxes, max_size=2).map(tuple))
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
    patch = (columns[0] / 20, rows[0] / 20, len(columns) / 20, len(rows) / 20)
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


def test_without_strength_light_stays_as_it_was() -> None:
    picture = random_picture()
    assert np.array_equal(change_light(np.random.default_rng(0), picture, UNCHANGED), picture)


def test_brightness_stops_at_the_ends_of_the_scale() -> None:
    strong = Augmentation(brightness=1.0)
    white, black = np.full((8, 8, 3), 255, np.uint8), np.zeros((8, 8, 3), np.uint8)
    shades = []
    for seed in range(10):
        for picture in (white, black):
            frame = change_light(np.random.default_rng(seed), picture, strong)
            assert np.ptp(frame) <= 1  # an even picture stays even: nothing wraps around
            shades.append(int(frame[0, 0, 0]))
    assert {0, 255} <= set(shades)
    assert len(set(shades)) > 5


@pytest.mark.parametrize("white_electrons", [200.0, 20_000.0])
def test_noise_has_the_size_that_the_electrons_ask_for(white_electrons: float) -> None:
    level = 128.0
    noisy = add_noise(np.random.default_rng(0), np.full((200, 200, 3), level, np.float32), white_electrons)
    light = (level / 255) ** 2.2
    spread = np.sqrt(light * white_electrons + READ_NOISE_E**2) / white_electrons
    assert np.std((noisy / 255) ** 2.2) == pytest.approx(spread, rel=0.05)
    assert np.mean((noisy / 255) ** 2.2) == pytest.approx(light, rel=0.02)
