"""Video files as scenes, by PyAV (extra `video`)."""

from collections import deque
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import numpy as np

from sensor_sim.burst import Frame, SensorGeometry
from sensor_sim.scene import SceneError, Times
from sensor_sim.window import MOST_PX, Window

NEEDS_PYAV: Final = (
    "videos and cameras need PyAV; install the extra `video`: .venv/bin/pip install -c constraints.txt -e '.[video]'"
)

NAMES_AS_THEY_ARE: Final = "replace"
"""How PyAV reads titles and names that are not UTF-8, as old films and many cameras have them; nothing here needs them.
"""

KEPT_PICTURES = 32
"""Number of pictures kept, for rows that were exposed before the newest picture came: 4.8 MB at 210x240."""
DEFAULT_RATE = 30
"""Pictures a second where the source names no rate."""
MOST_FAILURES = 100
"""Failures in a row after which reading a damaged film ends."""


class VideoScene:
    """A video: a row shows the last picture at or before the row's time.

    Pictures are decoded as time goes on. The last `KEPT_PICTURES` pictures are kept; rows of an older time show the
    oldest kept picture. Pictures are turned and mirrored as the film's display matrix says. Parts that can't be decoded
    are skipped and counted; the picture before them stays until the next one.

    Args:
        source: a file.
        geometry: size to which pictures are scaled.
        window: the part of the pictures that is shown; None: all of them.

    Attributes:
        rate_fps: pictures a second, from the source; `DEFAULT_RATE` where the source names none.
        damaged_packets: number of parts that could not be decoded so far.
        ended: true once rows of a time after the last picture were asked for.

    Raises:
        SceneError: PyAV is not installed, or the source can't be opened or holds no pictures.
    """

    def __init__(self, source: str | Path, geometry: SensorGeometry, window: Window | None = None) -> None:
        try:
            import av
        except ImportError as error:
            raise SceneError(NEEDS_PYAV) from error
        self._source, self._geometry, self._window = str(source), geometry, window or Window()
        self._errors: tuple[type[Exception], ...] = (av.error.FFmpegError, OSError)
        try:
            self._container: Any = av.open(self._source, metadata_errors=NAMES_AS_THEY_ARE)
        except self._errors as error:
            raise SceneError(
                f"{source}: not a readable video ({type(error).__name__}); copy it again if it was cut off, "
                "or convert it, for example with `ffmpeg -i FILE film.mp4`"
            ) from error
        if not self._container.streams.video:
            self.close()
            raise SceneError(f"{source}: no pictures in it")
        self.rate_fps = float(self._container.streams.video[0].average_rate or DEFAULT_RATE)
        self._orientation = Orientation()
        self.damaged_packets = 0
        self._decoded: Iterator[Any] = self._decode()
        self._pictures: deque[tuple[float, Frame]] = deque(maxlen=KEPT_PICTURES)
        self._origin_s: float | None = None
        self._count = 0
        self._exhausted = False
        self.ended = False
        self._decode_one()
        if not self._pictures:
            self.close()
            damaged = f"; {self.damaged_packets} parts of it are damaged" if self.damaged_packets else ""
            raise SceneError(f"{source}: no pictures in it{damaged}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file."""
        self._container.close()

    def rows(self, first_row: int, times_us: Times) -> Frame:
        """See `Scene`."""
        while not self._exhausted and self._pictures[-1][0] <= times_us.max():
            try:
                self._decode_one()
            except SceneError:
                self.ended = True
                raise
        if self._exhausted and times_us.min() > self._pictures[-1][0]:
            self.ended = True
        starts = np.array([start for start, _ in self._pictures])
        chosen = np.maximum(np.searchsorted(starts, times_us, "right") - 1, 0)
        return np.stack([self._pictures[picture][1][first_row + row] for row, picture in enumerate(chosen)])

    def _decode(self) -> Iterator[Any]:
        """Yields the pictures that can be decoded, in order.

        Raises:
            SceneError: the source can't be read any further.
        """
        failures = 0
        packets = self._container.demux(video=0)
        while True:
            try:
                packet = next(packets, None)
            except self._errors as error:
                failures += 1
                self.damaged_packets += 1
                if failures > MOST_FAILURES:
                    reason = type(error).__name__
                    raise SceneError(f"{self._source}: the video breaks off ({reason})") from error
                packets = self._container.demux(video=0)
                continue
            if packet is None:
                return
            failures = 0
            try:
                pictures = packet.decode()
            except self._errors:
                self.damaged_packets += 1
                continue
            yield from pictures

    def _decode_one(self) -> None:
        picture = next(self._decoded, None)
        if picture is None:
            self._exhausted = True
            return
        time_s = self._count / DEFAULT_RATE if picture.time is None else picture.time
        self._count += 1
        if self._origin_s is None:
            self._origin_s = time_s
        start_us = (time_s - self._origin_s) * 1e6
        if self._pictures:
            start_us = max(start_us, self._pictures[-1][0])  # a damaged time stamp may lie before the one before it
        if picture.width * picture.height > MOST_PX:
            raise SceneError(
                f"{self._source}: its pictures of {picture.width} x {picture.height} pixels are larger than the "
                f"{MOST_PX} pixels that are taken"
            )
        whole = upright(picture, self._orientation.of(picture))
        frame = self._window.frame(whole, self._geometry.height, self._geometry.width)
        self._pictures.append((start_us, frame))


Matrix = tuple[int, int, int, int]
"""a, b, c, d of a display matrix (ISO/IEC 14496-12, 6.2.2): column x and row y go to a x + c y and b x + d y."""
AS_STORED: Final[Matrix] = (1, 0, 0, 1)


class Orientation:
    """The display matrix of a film's or camera's pictures, looked up again where their rotation changes.

    PyAV's side data hold a picture until the garbage collector comes, so they are not asked for with every picture.
    """

    def __init__(self) -> None:
        self._rotation_degrees: float | None = None
        self._matrix: Matrix = AS_STORED

    def of(self, picture: Any) -> Matrix:
        """The matrix of a decoded picture."""
        if picture.rotation != self._rotation_degrees:
            self._rotation_degrees = picture.rotation
            stored = picture.side_data.get("DISPLAYMATRIX")
            a, b, c, d = np.frombuffer(bytes(stored), np.int32)[[0, 1, 3, 4]].tolist() if stored else AS_STORED
            self._matrix = (a, b, c, d)
        return self._matrix


def upright(picture: Any, matrix: Matrix) -> Frame:
    """Returns a decoded picture (h, w, 3) at its own size, turned and mirrored as the matrix says."""
    a, b, c, d = matrix
    lying = abs(b) > abs(a)
    pixels: Frame = picture.to_ndarray(format="rgb24")
    if lying:
        pixels = pixels.swapaxes(0, 1)
    columns, rows = (c, b) if lying else (a, d)
    return pixels[:: -1 if rows < 0 else 1, :: -1 if columns < 0 else 1]
