import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from model.jpeg_layout import END, MOST_SEGMENTS, START, JpegError, JpegLayout, TooManyScansError
from tests.picture_kinds import PICTURE, saved

PLAIN = saved(Image.fromarray(PICTURE), "JPEG")
PROGRESSIVE = saved(Image.fromarray(PICTURE), "JPEG", progressive=True)
THUMBNAIL = saved(Image.fromarray(PICTURE), "JPEG", exif=b"Exif\0\0" + PROGRESSIVE)


@pytest.mark.parametrize(
    ("content", "scans"), [(PLAIN, 1), (PROGRESSIVE, 10), (THUMBNAIL, 1)], ids=["plain", "progressive", "thumbnail"]
)
def test_scans_and_the_end_are_found(content: bytes, scans: int) -> None:
    assert JpegLayout.of(content, 100) == JpegLayout(scans, complete=True, ended=True)
    assert JpegLayout.of(content + b"\0" * 9, 100) == JpegLayout(scans, complete=True, ended=True)
    assert JpegLayout.of(content[:-2], 100) == JpegLayout(scans, complete=True, ended=False)
    assert JpegLayout.of(content[:-1], 100) == JpegLayout(scans, complete=True, ended=False)


def test_a_progressive_file_without_its_last_scans_is_not_complete() -> None:
    for scans in range(1, 10):
        places = [place for place in range(len(PROGRESSIVE)) if PROGRESSIVE.startswith(b"\xff\xda", place)]
        found = JpegLayout.of(PROGRESSIVE[: places[scans]], 100)
        assert (found.scans, found.complete) == (scans, False)


def test_bounds() -> None:
    assert JpegLayout.of(PROGRESSIVE, 10).scans == 10
    with pytest.raises(TooManyScansError, match="more than 9 scans"):
        JpegLayout.of(PROGRESSIVE, 9)
    segment = b"\xff\xe0" + struct.pack(">H", 2)
    with pytest.raises(JpegError, match=f"more than {MOST_SEGMENTS} segments"):
        JpegLayout.of(START + segment * (MOST_SEGMENTS + 1) + END, 100)


@given(st.binary(max_size=300), st.integers(0, len(PROGRESSIVE)))
def test_any_bytes_are_walked_through(content: bytes, place: int) -> None:
    for damaged in (START + content, PROGRESSIVE[:place] + content + PROGRESSIVE[place:]):
        assert 0 <= JpegLayout.of(damaged, 10_000).scans <= len(damaged) / 4


def test_a_long_run_of_fill_bytes_takes_no_longer_than_others() -> None:
    content = START + b"\xff" * 5_000_000  # quadratic, it would take days
    assert JpegLayout.of(content, 100) == JpegLayout(0, complete=False, ended=False)
