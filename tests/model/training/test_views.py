from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.training.augment import Composition
from model.training.dataset import UNKNOWN, Box
from model.training.photos import Photo, Photos, PhotosError, load_frames, read_photos
from model.training.views import (
    LEAST_LIKENESS,
    STORED,
    RenderedViews,
    View,
    ViewPlan,
    Views,
    sampling_weights,
    stored_views,
)

PLAN = ViewPlan(composition=Composition(empty_crop_share=0.5, tilt_share=0.3, patch_share=0.5))
SIZE = (15, 16)


@pytest.fixture(scope="module")
def views(photo_folder: Path) -> Views:
    photos = read_photos(photo_folder, "train")
    return Views(PLAN, photos, load_frames(photos, *STORED))


def test_a_view_depends_on_plan_and_number_alone(views: Views) -> None:
    first, again = views.draw(3, SIZE), views.draw(3, SIZE)
    assert np.array_equal(first.frame, again.frame)
    assert first.label == again.label
    others = (views.draw(4, SIZE), Views(replace(PLAN, seed=2), views.photos, views.pictures).draw(3, SIZE))
    assert all(not np.array_equal(first.frame, other.frame) for other in others)


def test_a_view_has_one_label_at_every_size(views: Views) -> None:
    numbers = np.arange(60)
    (small, labels, pictures), large = views.render(numbers, SIZE), views.render(numbers, (60, 64))
    assert np.array_equal(labels, large.labels)
    assert np.array_equal(pictures, large.pictures)
    assert set(labels) == {0, 1}
    # It shows the same as well: what is shrunk afterwards is what was drawn small.
    shrunk = large.frames.reshape(60, 15, 4, 16, 4, 3).mean((2, 4))
    assert np.abs(shrunk - small).mean() < 12


def test_the_picture_of_a_view_is_the_one_it_shows(views: Views) -> None:
    plain = Views(
        replace(PLAN, composition=Composition(min_area=1.0, empty_crop_share=0.0)), views.photos, views.pictures
    )
    for number in range(12):
        view = plain.draw(number, SIZE)
        assert view.label == views.photos.photos[view.picture].label
        assert (view.frame.mean() > 110) == (view.label == 1)  # those with a person are bright


@pytest.mark.parametrize("boxes_of_empties", [(), None])
@pytest.mark.parametrize("known", [0, 3, 10])
def test_a_tight_crop_does_not_tell_the_label(known: int, boxes_of_empties: tuple[Box, ...] | None) -> None:
    everywhere = ((0.0, 0.0, 1.0, 1.0),)
    people = [Photo(Path("p"), 1, "street", everywhere if number < known else None) for number in range(10)]
    empties = [Photo(Path("e"), 0, "room", boxes_of_empties) for _ in range(10)]
    photos = Photos("train", (*people, *empties), "")
    # From left to right, the pictures go from black to white, so a frame tells how wide its crop was.
    ramp = np.tile(np.arange(256, dtype=np.uint8)[:, None], (20, 224, 1, 3))
    views = Views(ViewPlan(composition=Composition(min_area=0.1, empty_crop_share=0.0)), photos, ramp)
    frames, labels, _ = views.render(np.arange(600), SIZE)
    tight = np.ptp(frames.reshape(600, -1), axis=1) < 0.6 * 255
    shares = [tight[labels == label].mean() for label in (0, 1)]
    assert shares[0] == pytest.approx(shares[1], abs=0.08)
    assert bool(tight.any()) == bool(known)


def test_a_share_of_the_views_are_swaps(views: Views) -> None:
    def drawn(share: float) -> list[View]:
        plan = replace(PLAN, swap_share=share, composition=Composition(min_area=1.0, empty_crop_share=0.0))
        return [Views(plan, views.photos, views.pictures).draw(number, SIZE) for number in range(60)]

    def pure(view: View) -> bool:
        """One picture alone: a bright one with somebody, or a dark one."""
        return bool(np.ptp(view.frame.mean(2)) < 60)

    none, some, all_of_them = (sum(not pure(view) for view in drawn(share)) for share in (0.0, 0.5, 1.0))
    assert none == 0
    assert 10 <= some <= 50
    assert some < all_of_them
    assert {view.picture % 2 for view in drawn(1.0)} == {1}  # those with a person


def test_stored_views_are_the_views_in_order(views: Views, tmp_path: Path) -> None:
    loaded, told = [], []

    def load() -> Views:
        loaded.append(1)
        return views

    def stored() -> RenderedViews:
        return stored_views(load, 530, SIZE, tmp_path, lambda *at: told.append(at), processes=2)

    for _ in range(2):
        for found, expected in zip(stored(), views.render(np.arange(530), SIZE), strict=True):
            np.testing.assert_array_equal(found, expected)
    assert told[-1] == (530, 530)
    assert len(loaded) == 1  # the second time they are read


def made_up_photos(*groups: tuple[str, int, int]) -> Photos:
    photos = [Photo(Path("x"), label, source, None) for source, label, count in groups for _ in range(count)]
    return Photos("train", tuple(photos), "")


def share(weights: npt.NDArray[np.float64], photos: Photos, wanted: Callable[[Photo], bool]) -> float:
    return float(sum(weight for weight, photo in zip(weights, photos.photos, strict=True) if wanted(photo)))


counts = st.integers(1, 30)


@settings(max_examples=30)
@given(counts, counts, counts, counts, st.floats(0.1, 0.9), st.floats(0, 0.5), st.floats(0, 1), st.floats(0.1, 10))
def test_labels_are_drawn_in_their_shares(
    a: int, b: int, c: int, d: int, person_share: float, unlabelled_share: float, count_power: float, factor: float
) -> None:
    photos = made_up_photos(("one", 0, a), ("one", 1, b), ("two", 0, c), ("two", 1, d), ("two", UNKNOWN, 3))
    plan = ViewPlan(
        person_share=person_share,
        unlabelled_share=unlabelled_share,
        count_power=count_power,
        source_weights={"two": factor},
    )
    weights = sampling_weights(photos, plan)
    assert weights.sum() == pytest.approx(1)
    labelled = 1 - unlabelled_share
    assert share(weights, photos, lambda photo: photo.label == 1) == pytest.approx(person_share * labelled)
    assert share(weights, photos, lambda photo: photo.label == UNKNOWN) == pytest.approx(unlabelled_share)
    # Within a label: the sources' numbers to the power, times the factor.
    one = share(weights, photos, lambda photo: photo.label == 1 and photo.source == "one")
    two = share(weights, photos, lambda photo: photo.label == 1 and photo.source == "two")
    assert two / one == pytest.approx(factor * d**count_power / b**count_power)


def test_one_class_alone_is_drawn_all_the_same() -> None:
    weights = sampling_weights(made_up_photos(("one", 1, 4)), PLAN)
    assert weights.tolist() == pytest.approx([0.25] * 4)


@settings(max_examples=20)
@given(st.lists(st.floats(0, 1), min_size=2, max_size=8), st.floats(0.1, 2))
def test_what_is_more_alike_is_drawn_more_often(likeness: list[float], power: float) -> None:
    photos = Photos("train", tuple(Photo(Path("x"), 0, "one", None, value) for value in likeness), "")
    weights = sampling_weights(photos, ViewPlan(likeness_power=power))
    asked = np.maximum(likeness, LEAST_LIKENESS) ** power
    assert weights == pytest.approx(asked / asked.sum())


def test_a_plan_that_weighs_by_likeness_asks_for_it() -> None:
    with pytest.raises(PhotosError, match="the index tells that of 0 of 4; `rascanet data likeness` adds it"):
        sampling_weights(made_up_photos(("one", 1, 4)), ViewPlan(likeness_power=0.5))
