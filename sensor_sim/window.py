"""Windows of a picture: the region that a stream shows, and the masked areas that no stream ever shows.

Places are percent of the width and height of the upright picture, so that they hold for every size of a camera's
pictures. A window is applied to the whole picture, before it is resized, before light and noise.
"""

import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image

from model.picture import USUAL_LIMITS, PictureError, read_picture, resized
from sensor_sim.burst import Frame

Covered = npt.NDArray[np.bool_]
"""(H, W) bool, true where a picture is masked."""
Place = tuple[float, float]
"""Pixels from the left and from the upper edge of a picture."""

MOST_PX: Final = USUAL_LIMITS.most_px
"""Largest width x height of a film's or camera's picture, as of a file's."""
MOST_POINTS: Final = 1000
"""Most corners of a polygon."""
BLACK: Final = (0, 0, 0)
BLACK_BELOW: Final = 128
"""Grey value, 0 to 255, below which a pixel of a mask's picture counts as black."""
MOST_PERCENT: Final = 100 + 1e-9
"""Largest place; decimal fractions that add up to 100 may be a little more."""
EXACT: Final = 1e6
"""Parts of a pixel to which places are rounded: a border on a pixel's edge doesn't reach into the next pixel."""


class WindowError(ValueError):
    """A mask or a region that can't be."""


class Shape(Protocol):
    """An area of a picture."""

    def covers(self, height: int, width: int) -> Covered:
        """The pixels that the area touches, of a picture of a size."""
        ...


@dataclass(frozen=True, slots=True)
class Rectangle:
    """A rectangle; percent of the picture's width and height.

    Attributes:
        x, y: left and upper edge, 0 to 100.
        width, height: size, above 0.

    Raises:
        WindowError: a rectangle without area, or one that leaves the picture.
    """

    x: float
    y: float
    width: float
    height: float

    def __post_init__(self) -> None:
        _check_percent((self.x, self.y))
        for sides, end in (("x + width", self.x + self.width), ("y + height", self.y + self.height)):
            if not end <= MOST_PERCENT:
                raise WindowError(f"{sides} is {end:g} percent of the picture, more than 100")
        if self.width <= 0 or self.height <= 0:
            raise WindowError(f"width and height must be above 0 percent, not {self.width:g} and {self.height:g}")

    def box(self, height: int, width: int) -> tuple[int, int, int, int]:
        """Left, upper, right and lower edge in pixels, of a picture of a size: every pixel touched is inside."""
        left, right = _touched_span(self.x * width / 100, (self.x + self.width) * width / 100, width)
        upper, lower = _touched_span(self.y * height / 100, (self.y + self.height) * height / 100, height)
        return int(left), int(upper), int(right), int(lower)

    def covers(self, height: int, width: int) -> Covered:
        """See `Shape`."""
        left, upper, right, lower = self.box(height, width)
        covered = np.zeros((height, width), np.bool_)
        covered[upper:lower, left:right] = True
        return covered


@dataclass(frozen=True, slots=True)
class Polygon:
    """An area between straight edges, which may cross: inside is where a ray meets an odd number of them.

    Attributes:
        points: corners (x, y), percent of the picture's width and height.

    Raises:
        WindowError: fewer than three corners, more than `MOST_POINTS`, or one outside the picture.
    """

    points: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        if not 3 <= len(self.points) <= MOST_POINTS:
            raise WindowError(f"a polygon has 3 to {MOST_POINTS} corners, not {len(self.points)}")
        _check_percent(place for point in self.points for place in point)

    def covers(self, height: int, width: int) -> Covered:
        """See `Shape`: the pixels that an edge touches, and those whose middle is inside.

        Edges are cut into the pieces that lie in one row of pixels each.
        """
        # Of each row, +1 where a piece of an edge begins and -1 behind its end; and 1 where the inside begins or ends.
        pieces = np.zeros((height, width + 1), np.int32)
        turns = np.zeros((height, width + 1), np.int32)
        for (x0, y0), (x1, y1) in self._edges(height, width):
            upper, lower = _touched_span(y0, y1, height)
            rows = np.arange(int(upper), int(lower))
            top, bottom = np.maximum(y0, rows), np.minimum(y1, rows + 1)
            first, last = (x0, x1) if y0 == y1 else (_along(x0, y0, x1, y1, y) for y in (top, bottom))
            left, right = _touched_span(np.minimum(first, last), np.maximum(first, last), width)
            pieces[rows, left] += 1
            pieces[rows, right] -= 1
            crossed = np.arange(max(0, math.ceil(y0 - 0.5)), min(height, math.ceil(y1 - 0.5)))
            beyond = np.ceil(_along(x0, y0, x1, y1, crossed + 0.5) - 0.5) if len(crossed) else np.zeros(0)
            turns[crossed, np.clip(beyond, 0, width).astype(int)] += 1
        covered: Covered = (pieces.cumsum(1) > 0) | (turns.cumsum(1) % 2 > 0)
        return covered[:, :width]

    def _edges(self, height: int, width: int) -> Iterator[tuple[Place, Place]]:
        """Yields the ends of every edge in pixels, the upper end first."""
        corners = [(x * width / 100, y * height / 100) for x, y in self.points]
        for one, other in zip(corners, (*corners[1:], corners[0]), strict=True):
            yield (one, other) if one[1] <= other[1] else (other, one)


@dataclass(frozen=True, eq=False, slots=True)
class MaskPicture:
    """A mask drawn as a picture of any size, stretched over the picture: its black pixels cover, its white ones don't.

    Attributes:
        black: (h, w) bool, true where the mask covers.
    """

    black: Covered

    @classmethod
    def read(cls, path: Path) -> "MaskPicture":
        """Reads a picture file, transparent parts as white.

        Raises:
            WindowError: no such file, not a picture, or nothing black in it.
        """
        try:
            black = np.asarray(read_picture(path).convert("L")) < BLACK_BELOW
        except PictureError as error:
            raise WindowError(f"mask {error}") from error
        if not black.any():
            raise WindowError(f"mask {path}: nothing in it is black, and black is what a mask covers")
        return cls(black)

    def covers(self, height: int, width: int) -> Covered:
        """See `Shape`."""
        rows, columns = self.black.shape
        counts = np.zeros((rows + 1, columns + 1), np.int64)
        counts[1:, 1:] = self.black.cumsum(0).cumsum(1)
        (upper, lower), (left, right) = _touched(height, rows), _touched(width, columns)
        black = counts[lower][:, right] - counts[upper][:, right] - counts[lower][:, left] + counts[upper][:, left]
        covered: Covered = black > 0
        return covered


class Window:
    """A part of a scene's picture, without the masked areas.

    Args:
        name: name of the region, empty for the whole picture.
        region: the part shown; None: all of the picture.
        masks: areas of the whole picture whose pixels become black.
    """

    def __init__(self, name: str = "", region: Rectangle | None = None, masks: tuple[Shape, ...] = ()) -> None:
        self.name, self.region, self.masks = name, region, masks
        self._kept: Covered | None = None

    @property
    def whole(self) -> bool:
        """True where every picture is shown as it is."""
        return self.region is None and not self.masks

    def covered(self, height: int, width: int) -> Covered:
        """The masked pixels of a whole picture of a size. Those of the last size are kept."""
        if self._kept is None or self._kept.shape != (height, width):
            self._kept = np.zeros((height, width), np.bool_)
            for mask in self.masks:
                self._kept |= mask.covers(height, width)
        return self._kept

    def masked_share(self, height: int, width: int) -> float:
        """Share of the shown part of a picture of a size that is masked, 0 to 1."""
        return float(self._cut(self.covered(height, width)).mean())

    def frame(self, picture: Frame, height: int, width: int) -> Frame:
        """The shown part of a whole picture (h, w, 3), as a frame (height, width, 3): masked, cut, then resized.

        The frame doesn't depend on a masked pixel. It is the frame that a file of the shown part becomes.
        """
        image = Image.fromarray(np.ascontiguousarray(self._cut(picture)))
        if self.masks:
            image.paste(BLACK, mask=Image.fromarray(self._cut(self.covered(*picture.shape[:2]))))
        return resized(image, height, width)

    def _cut(self, pixels: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        if self.region is None:
            return pixels
        left, upper, right, lower = self.region.box(*pixels.shape[:2])
        return pixels[upper:lower, left:right]


def parse_mask(text: str) -> Shape:
    """Reads a mask: `x,y,width,height`, the corners `x1,y1,x2,y2,x3,y3,...` of a polygon, or a picture's file.

    Raises:
        WindowError: none of these.
    """
    numbers = _numbers(text)
    if numbers is None and not os.path.exists(text):  # noqa: PTH110 - false for a name that can't be one, too
        raise WindowError(f"mask {text!r}: no picture file, and no places in percent such as 0,0,30,100")
    if numbers is None:
        return MaskPicture.read(Path(text))
    try:
        if len(numbers) == 4:
            return Rectangle(*numbers)
        if len(numbers) < 6 or len(numbers) % 2:
            raise WindowError("expected x,y,width,height or the corners x1,y1,x2,y2,x3,y3 and so on, in percent")
        return Polygon(tuple(zip(numbers[::2], numbers[1::2], strict=True)))
    except WindowError as error:
        raise WindowError(f"mask {text}: {error}") from None


def parse_masks(text: str) -> list[Shape]:
    """Reads a mask, or several with semicolons between them, as the demo page shows them; a file stands alone.

    Raises:
        WindowError: see `parse_mask`.
    """
    parts = text.split(";")
    several = all(_numbers(part) for part in parts)
    return [parse_mask(part.strip()) for part in parts] if several else [parse_mask(text)]


def parse_region(text: str) -> tuple[str, Rectangle]:
    """Reads a named region, `NAME=x,y,width,height`.

    Raises:
        WindowError: another form.
    """
    name, equals, places = text.partition("=")
    numbers = _numbers(places)
    if not (equals and name.strip() and numbers and len(numbers) == 4):
        raise WindowError(f"crop {text}: expected NAME=x,y,width,height in percent, such as door=50,0,25,100")
    try:
        return name.strip(), Rectangle(*numbers)
    except WindowError as error:
        raise WindowError(f"crop {text}: {error}") from None


def _numbers(text: str) -> list[float] | None:
    """The numbers between commas; None where something else stands there."""
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        return None
    return numbers if len(numbers) > 1 else None


def _check_percent(places: Iterable[float]) -> None:
    for place in places:
        if not 0 <= place <= MOST_PERCENT:
            raise WindowError(f"places are percent of the picture, 0 to 100, not {place:g}")


def _touched_span(first: Any, last: Any, size_px: int) -> tuple[Any, Any]:
    """The pixels that a span touches, of `size_px` in a line: the first, and the one behind the last; at least one.

    Args:
        first, last: the span's ends in pixels from the edge; numbers, or arrays of the same shape.
        size_px: 1 or more.
    """
    start = np.minimum(size_px - 1, np.floor(_rounded(first))).astype(int)
    end = np.ceil(_rounded(last)).astype(int)
    return start, np.minimum(size_px, np.maximum(start + 1, end))


def _rounded(place_px: Any) -> Any:
    return np.floor(place_px * EXACT + 0.5) / EXACT


def _along(x0: float, y0: float, x1: float, y1: float, y: Any) -> Any:
    """Place from the left at which the line through two places has the height `y`; an array where `y` is one."""
    return x0 + (y - y0) * (x1 - x0) / (y1 - y0)


def _touched(cells: int, others: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The first of `others` equal parts of a length that each of `cells` equal parts touches, and the end."""
    place = np.arange(cells)
    return place * others // cells, -(-(place + 1) * others // cells)
