import os
import threading
from collections.abc import Iterator
from contextlib import suppress

import numpy as np
import pytest

from sensor_sim.live import LiveError, LivePicture
from sensor_sim.raw_video import RawFormat, RawVideo

RNG = np.random.default_rng(0)


def _read(content: bytes, raw: RawFormat) -> Iterator[LivePicture]:
    """What is made of a program's output, which comes in pieces."""
    reading, writing = os.pipe()

    def write() -> None:
        with open(writing, "wb", buffering=0) as file, suppress(BrokenPipeError):  # noqa: PTH123 - a descriptor
            for place in range(0, len(content), 7):
                file.write(content[place : place + 7])

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield from RawVideo(reading, raw, lambda: 9.0)(threading.Event())
    finally:
        os.close(reading)
        thread.join()


@pytest.mark.parametrize(("pixels", "channels"), [("rgb8", 3), ("mono8", 1)])
def test_frames_come_as_they_were_sent(pixels: str, channels: int) -> None:
    frames = RNG.integers(0, 256, (4, 5, 6, channels), np.uint8)
    read = list(_read(frames.tobytes(), RawFormat.parse(pixels, "6x5")))
    assert [picture.taken_s for picture in read] == [9.0] * 4
    for picture, frame in zip(read, frames, strict=True):
        assert np.array_equal(picture.pixels, np.broadcast_to(frame, (5, 6, 3)))


def test_an_end_within_a_frame_is_told() -> None:
    pictures = _read(bytes(90 + 10), RawFormat("rgb8", 6, 5))
    next(pictures)
    with pytest.raises(LiveError, match="after 10 of the 90 bytes of a frame of 6 x 5 rgb8"):
        next(pictures)


@pytest.mark.parametrize(
    ("pixels", "size", "complaint"),
    [
        ("rgb16", "6x5", "rgb8 or mono8, not 'rgb16'"),
        ("rgb8", "6", "such as 640x480, not '6'"),
        ("rgb8", "0x5", "not 0 x 5"),
        ("rgb8", "99999x99999", "not 99999 x 99999"),
        ("rgb8", "6x5 ", "not '6x5 '"),
    ],
)
def test_a_format_that_can_t_be_is_named(pixels: str, size: str, complaint: str) -> None:
    with pytest.raises(LiveError, match=complaint):
        RawFormat.parse(pixels, size)
