"""Raw frames from any program: pixels without any header, one picture after the other."""

import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np

from sensor_sim.live import LiveError, LivePicture
from sensor_sim.window import MOST_PX

CHANNELS: Final = {"rgb8": 3, "mono8": 1}
"""Bytes of a pixel by format."""
MOST_READ_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class RawFormat:
    """Size and format of raw frames.

    Attributes:
        pixels: one of `CHANNELS`.
        width, height: size (px).

    Raises:
        LiveError: an unknown format, or a size that can't be.
    """

    pixels: str
    width: int
    height: int

    def __post_init__(self) -> None:
        if self.pixels not in CHANNELS:
            raise LiveError(f"raw frames are {' or '.join(CHANNELS)}, not {self.pixels!r}")
        if min(self.width, self.height) < 1 or self.width * self.height > MOST_PX:
            raise LiveError(f"a raw frame has 1 to {MOST_PX} pixels, not {self.width} x {self.height}")

    @classmethod
    def parse(cls, pixels: str, size: str) -> "RawFormat":
        """Reads a format and a size such as 640x480.

        Raises:
            LiveError: another form.
        """
        found = re.fullmatch(r"([0-9]{1,6})x([0-9]{1,6})", size)
        if not found:
            raise LiveError(f"the size of raw frames is {{width}}x{{height}}, such as 640x480, not {size!r}")
        return cls(pixels, int(found[1]), int(found[2]))

    @property
    def frame_bytes(self) -> int:
        """Bytes of a picture."""
        return self.width * self.height * CHANNELS[self.pixels]


class RawVideo:
    """Reads raw frames from a file descriptor; a `Connect`.

    Args:
        descriptor: an open file, such as standard input.
        raw: size and format of the frames.
        now_s: the wall clock, seconds since 1970.
    """

    def __init__(self, descriptor: int, raw: RawFormat, now_s: Callable[[], float] = time.time) -> None:
        self._descriptor, self._raw, self._now_s = descriptor, raw, now_s

    def __call__(self, stop: threading.Event) -> Iterator[LivePicture]:
        """See `Connect`. A program may wait as long as it likes between two frames."""
        raw = self._raw
        while not stop.is_set():
            content = bytearray(raw.frame_bytes)
            filled = 0
            while filled < len(content):
                try:
                    part = os.read(self._descriptor, min(MOST_READ_BYTES, len(content) - filled))
                except OSError as error:
                    raise LiveError(f"it can't be read: {error.strerror}") from error
                if not part:
                    break
                content[filled : filled + len(part)] = part
                filled += len(part)
            if not filled:
                return
            if filled < len(content):
                raise LiveError(
                    f"it ended after {filled} of the {len(content)} bytes of a frame of {raw.width} x {raw.height} "
                    f"{raw.pixels}; does the program send another size or format?"
                )
            pixels = np.frombuffer(content, np.uint8).reshape(raw.height, raw.width, CHANNELS[raw.pixels])
            if raw.pixels == "mono8":
                pixels = np.repeat(pixels, 3, axis=2)
            yield LivePicture(self._now_s(), partial(np.asarray, pixels))
