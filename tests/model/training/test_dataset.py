import csv
import math
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from model.training.dataset import (
    INDEX,
    REMARKS,
    BoxError,
    DataSet,
    IndexRow,
    UnclearError,
    box_between,
    own_size,
    write_index,
)
from model.training.photos import read_photos


def _picture(path: Path) -> Path:
    Image.fromarray(np.zeros((8, 10, 3), np.uint8)).save(path, "PNG")
    return path


NAMES = [
    "plain.png",
    "a, b.png",
    'quo"te.png',
    "two\nlines.png",
    "=cmd.png",
    "ü\u2028.png",
    os.fsdecode(b"caf\xe9.png"),
]


def test_what_is_written_is_read_back_whatever_the_name(tmp_path: Path) -> None:
    boxes = ((0.1, 0.2, 0.3, 0.4), (0.0, 0.0, 1.0, 1.0))
    rows = [
        IndexRow(_picture(tmp_path / name), "val", number % 2, os.fsdecode(b"caf\xe9"), boxes if number % 2 else ())
        for number, name in enumerate(NAMES)
    ]
    summary = write_index(tmp_path, DataSet(list(rows)))
    assert summary.rows == tuple(rows)
    assert not summary.remarks
    assert not (tmp_path / REMARKS).exists()
    found = read_photos(tmp_path, "val").photos
    assert [(photo.path, photo.label, photo.source, photo.boxes) for photo in found] == [
        (row.path, row.label, row.source, row.boxes) for row in rows
    ]


def test_every_remark_stands_beside_the_index(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no picture")
    data = DataSet([IndexRow(_picture(tmp_path / "a.png"), "train", 1, "made", None)])
    data.rows += [IndexRow(tmp_path / name, "train", 0, "made", ()) for name in ("text.png", "missing.png")]
    data.leave_out(os.fsdecode(b"caf\xe9.xml"), "no reason")
    data.repair("b.xml", "some reason")
    summary = write_index(tmp_path, data)
    assert [row.path.name for row in summary.rows] == ["a.png"]
    assert (summary.counted("left out"), summary.counted("repaired")) == (3, 1)
    with (tmp_path / REMARKS).open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        written = list(csv.reader(file))[1:]
    assert written == [[each.file, each.what, each.reason] for each in summary.remarks]
    assert "no such file" in written[-1][2]
    assert "not a picture" in written[-2][2]
    write_index(tmp_path, DataSet(data.rows[:1]))
    assert not (tmp_path / REMARKS).exists()


def test_unchecked_pictures_have_to_be_there(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no picture")
    rows = [IndexRow(tmp_path / name, "train", 0, "made", ()) for name in ("text.png", "missing.png")]
    summary = write_index(tmp_path, DataSet(rows), check=False)
    assert summary.rows == (rows[0],)


def test_without_a_usable_picture_an_index_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / INDEX).write_text("mine")
    write_index(tmp_path, DataSet([IndexRow(tmp_path / "missing.png", "train", 0, "made", ())]))
    assert (tmp_path / INDEX).read_text() == "mine"


@pytest.mark.parametrize(
    ("again", "kept"),
    [
        ({}, 1),
        ({"label": 0}, 0),
        ({"split": "val"}, 0),
        ({"boxes": ((0.0, 0.0, 1.0, 1.0),)}, 0),
    ],
)
def test_a_picture_of_which_two_things_are_said_is_left_out(
    tmp_path: Path, again: dict[str, object], kept: int
) -> None:
    said = {"split": "train", "label": 1, "source": "made", "boxes": None}
    path = _picture(tmp_path / "a.png")
    (tmp_path / "link.png").symlink_to(path)
    rows = [IndexRow(path, **said), IndexRow(tmp_path / "link.png", **(said | again))]  # type: ignore[arg-type]
    summary = write_index(tmp_path, DataSet(rows))
    assert len(summary.rows) == kept
    assert len(summary.remarks) == 1


SIDE = st.floats(-30, 130)


@given(corners=st.tuples(SIDE, SIDE, SIDE, SIDE))
def test_a_box_lies_in_the_picture_whichever_corners_are_named(corners: tuple[float, float, float, float]) -> None:
    left, top, right, bottom = corners
    try:
        found, _ = box_between(corners, 100, 80)
    except BoxError:
        return
    x, y, width, height = found
    assert 0 <= x < x + width <= 1 + 1e-12
    assert 0 <= y < y + height <= 1 + 1e-12
    for others in ((right, bottom, left, top), (left, bottom, right, top)):
        assert box_between(others, 100, 80)[0] == found
    if min(corners) >= 0 and max(left, right) <= 100 and max(top, bottom) <= 80:
        assert (x * 100, y * 80) == pytest.approx((min(left, right), min(top, bottom)))
        assert (width * 100, height * 80) == pytest.approx((abs(right - left), abs(bottom - top)), abs=1e-9)


@pytest.mark.parametrize(
    ("corners", "repaired"),
    [
        ((10, 10, 60, 70), ""),
        ((60, 70, 10, 10), "its box has swapped corners"),
        ((10, 10, 101, 70), ""),
        ((10, 10, 110, 70), "its box is cut to the picture"),
        ((110, 10, 10, 70), "its box has swapped corners and its box is cut to the picture"),
    ],
)
def test_repairs_are_told(corners: tuple[float, ...], repaired: str) -> None:
    assert box_between(corners, 100, 80)[1] == repaired


@pytest.mark.parametrize(
    "corners",
    [(), (1, 2, 3), (1, 2, 3, math.nan), (1, 2, 3, math.inf), (10, 10, 10, 60), (101, 10, 120, 60), (-9, 1, 0, 5)],
)
def test_what_is_no_box(corners: tuple[float, ...]) -> None:
    with pytest.raises(BoxError, match="its box"):
        box_between(corners, 100, 80)


def test_pixels_that_count_from_one() -> None:
    assert box_between((1, 1, 100, 80), 100, 80, counted_from_one=True) == ((0.0, 0.0, 1.0, 1.0), "")
    assert box_between((100, 80, 100, 80), 100, 80, counted_from_one=True)[0] == pytest.approx(
        (0.99, 0.9875, 0.01, 0.0125)
    )


def test_the_size_of_a_picture_is_that_of_the_upright_one(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (30, 20)).save(tmp_path / "a.jpg", exif=exif)
    assert own_size(tmp_path / "a.jpg") == (20, 30)
    with pytest.raises(UnclearError, match="no such file"):
        own_size(tmp_path / "b.jpg")
