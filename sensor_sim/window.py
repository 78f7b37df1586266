"""Windows of a picture: the region that a stream shows, and the masked areas that no stream ever shows.

Places are percent of the width and height of the upright picture, so that they hold for every size of a camera's
pictures. A window is applied to the whole picture, before it is resized, before light and noise.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

from model.picture import USUAL_LIMITS, PictureError, read_picture, resized
from sensor_sim.burst import Frame

Covered = npt.NDArray[np.bool_]
"""(H, W) bool, true where a picture is masked."""

MOST_PX: Final = USUAL_LIMITS.most_px
"""Largest width x height of a film's or camera's picture, as of a file's."""
MOST_POINTS: Final = 1000
"""Most corners of a polygon."""
BLACK: Final = (0, 0, 0)
BLACK_BELOW: Final = 128
"""Grey value, 0 to 255, below which a pixel of a mask's picture counts as black."""
EXACT_DIGITS: Final = 6
"""Decimals of a pixel to which places are rounded: a border on a pixel's edge doesn't reach into the next pixel."""


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
        _check_percent((self.x, self.y, self.x + self.width, self.y + self.height))
        if self.width <= 0 or self.height <= 0:
            raise WindowError(f"width and height must be above 0 percent, not {self.width:g} and {self.height:g}")

    def box(self, height: int, width: int) -> tuple[int, int, int, int]:
        """Left, upper, right and lower edge in pixels, of a picture of a size: every pixel touched is inside."""
        left, right = _outward(self.x, self.x + self.width, width)
        upper, lower = _outward(self.y, self.y + self.height, height)
        return left, upper, right, lower

    def covers(self, height: int, width: int) -> Covered:
        """See `Shape`."""
        left, upper, right, lower = self.box(height, width)
        covered = np.zeros((height, width), np.bool_)
        covered[upper:lower, left:right] = True
        return covered


@dataclass(frozen=True, slots=True)
class Polygon:
    """An area between straight edges; a pixel around it is covered too, so that no pixel on an edge is left.

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
        """See `Shape`."""
        image = Image.new("L", (width, height))
        corners = [(x * width / 100 - 0.5, y * height / 100 - 0.5) for x, y in self.points]
        ImageDraw.Draw(image).polygon(corners, fill=1, outline=1)
        return np.asarray(image.filter(ImageFilter.MaxFilter(3))) > 0


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
        """What is shown of a whole picture (h, w, 3), as a frame (height, width, 3): masked, cut, then resized.

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
        if not 0 <= place <= 100 + 1e-9:
            raise WindowError(f"places are percent of the picture, 0 to 100, not {place:g}")


def _outward(first: float, last: float, size_px: int) -> tuple[int, int]:
    """The pixels that a span in percent touches: the first, and the one behind the last; at least one pixel."""
    start = min(size_px - 1, math.floor(round(first * size_px / 100, EXACT_DIGITS)))
    end = math.ceil(round(last * size_px / 100, EXACT_DIGITS))
    return start, min(size_px, max(start + 1, end))


def _touched(cells: int, others: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Of each of `cells` equal parts of a length, the first of `others` equal parts that it touches, and the end."""
    place = np.arange(cells)
    return place * others // cells, -(-(place + 1) * others // cells)
