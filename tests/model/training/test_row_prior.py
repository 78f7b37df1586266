from pathlib import Path

import pytest

from model.training.dataset import Box
from model.training.photos import Photo, Photos
from model.training.row_prior import row_prior


def _photos(*people: tuple[int, tuple[Box, ...] | None]) -> Photos:
    return Photos("val", tuple(Photo(Path("a.jpg"), label, "made", boxes) for label, boxes in people), "")


def test_people_begin_with_the_uppermost_and_end_with_the_largest() -> None:
    prior = row_prior(
        _photos(
            (1, ((0.0, 0.5, 0.1, 0.1), (0.0, 0.25, 0.5, 0.25))),  # begins at 1/4, its largest ends at 1/2
            (1, ((0.0, 0.0, 1.0, 1.0),)),
            (1, None),  # where its people are isn't known
            (0, ()),
        ),
        4,
    )
    assert prior is not None
    assert prior.pictures == 2
    assert prior.shares.tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert prior.begun.tolist() == pytest.approx([0, 0.5, 1, 1, 1])
    assert prior.ended.tolist() == pytest.approx([0, 0, 0.5, 0.5, 1])


def test_without_boxes_nothing_is_known() -> None:
    assert row_prior(_photos((1, None), (0, ())), 4) is None
