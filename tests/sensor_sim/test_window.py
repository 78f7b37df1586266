import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from model.picture import decode_frame
from sensor_sim.burst import Frame, PixelFormat, SensorGeometry
from sensor_sim.camera import Camera
from sensor_sim.charts import CHARTS, chart
from sensor_sim.scene import MaskedScene, PanningScene, Scene, SpriteScene, StillScene, Times
from sensor_sim.sensor import PRESETS
from sensor_sim.window import (
    MaskPicture,
    Polygon,
    Rectangle,
    Shape,
    Window,
    WindowError,
    parse_mask,
    parse_masks,
    parse_region,
)
from sensor_sim.wire import encode

HEIGHT, WIDTH = 20, 24
SHAPE = (HEIGHT, WIDTH, 3)

places = st.floats(0, 100)
seeds = st.integers(0, 2**32 - 1)
sizes = st.tuples(st.integers(1, 50), st.integers(1, 50))


def _random(seed: int, shape: tuple[int, ...]) -> Frame:
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


@st.composite
def rectangles(draw: st.DrawFn) -> Rectangle:
    x, y = draw(st.floats(0, 99)), draw(st.floats(0, 99))
    return Rectangle(x, y, draw(st.floats(0.01, 100 - x)), draw(st.floats(0.01, 100 - y)))


@st.composite
def polygons(draw: st.DrawFn) -> Polygon:
    return Polygon(tuple(draw(st.lists(st.tuples(places, places), min_size=3, max_size=6))))


@st.composite
def mask_pictures(draw: st.DrawFn) -> MaskPicture:
    return MaskPicture(_random(draw(seeds), draw(sizes)) < draw(st.integers(1, 255)))


shapes = st.one_of(rectangles(), polygons(), mask_pictures())


@dataclass(frozen=True, eq=False)
class _Poisoned:
    """A scene that looks otherwise wherever a mask covers it."""

    scene: Scene
    covered: np.ndarray
    seed: int

    def rows(self, first_row: int, times_us: Times) -> Frame:
        rows = self.scene.rows(first_row, times_us)
        covered = self.covered[first_row : first_row + len(rows)]
        return np.where(covered[..., None], _random(self.seed, rows.shape), rows)


def _scene(name: str, seed: int, geometry: SensorGeometry) -> Scene:
    if name == "photo":
        return StillScene(_random(seed, SHAPE))
    if name == "pan":
        return PanningScene(_random(seed, (HEIGHT, 2 * WIDTH, 3)), WIDTH, 3000.0)
    if name == "sprite":
        return SpriteScene(_random(seed, SHAPE), _random(seed + 1, (8, 6, 3)), speed_px_s=(3000.0, 500.0))
    return chart(name, geometry)


def _sent(scene: Scene, geometry: SensorGeometry, preset: str) -> list[bytes | str]:
    """The messages of a frame."""
    return [encode(rows) for rows in Camera(scene, geometry, config=PRESETS[preset])(0, 0.0)]


@pytest.mark.parametrize("name", ["photo", "pan", "sprite", *CHARTS])
@pytest.mark.parametrize("pixel_format", PixelFormat)
@settings(max_examples=12)
@given(mask=shapes, seed=seeds, preset=st.sampled_from(["ideal", "night"]))
def test_the_wire_does_not_depend_on_a_masked_pixel(
    name: str, pixel_format: PixelFormat, mask: Shape, seed: int, preset: str
) -> None:
    geometry = SensorGeometry(HEIGHT, WIDTH, pixel_format=pixel_format)
    covered = Window(masks=(mask,)).covered(HEIGHT, WIDTH)
    scene = _scene(name, seed, geometry)
    masked, other = (MaskedScene(behind, covered) for behind in (scene, _Poisoned(scene, covered, seed)))
    assert _sent(masked, geometry, preset) == _sent(other, geometry, preset)
    assert not Camera(masked, geometry).frame()[covered].any()


@given(mask=shapes, region=st.none() | rectangles(), size=sizes, seed=seeds)
def test_a_frame_does_not_depend_on_a_masked_pixel_of_the_picture(
    mask: Shape, region: Rectangle | None, size: tuple[int, int], seed: int
) -> None:
    window = Window("part", region, (mask,))
    picture, covered = _random(seed, (*size, 3)), window.covered(*size)
    other = np.where(covered[..., None], _random(seed + 1, picture.shape), picture)
    before = picture.copy()
    assert np.array_equal(window.frame(picture, HEIGHT, WIDTH), window.frame(other, HEIGHT, WIDTH))
    assert np.array_equal(picture, before), "other windows show the same picture"
    if covered.all():
        assert not window.frame(picture, HEIGHT, WIDTH).any()


def _inside(polygon: Polygon, x: float, y: float) -> bool:
    """The even-odd rule."""
    crossings = 0
    for (x1, y1), (x2, y2) in zip(polygon.points, (*polygon.points[1:], polygon.points[0]), strict=True):
        if (y1 > y) != (y2 > y):
            crossings += x < x1 + (y - y1) * (x2 - x1) / (y2 - y1)
    return crossings % 2 == 1


@given(mask=shapes, size=sizes, seed=seeds)
def test_a_pixel_that_an_area_touches_is_covered(mask: Shape, size: tuple[int, int], seed: int) -> None:
    height, width = size
    covered = mask.covers(height, width)
    assert covered.shape == size
    for x, y in np.random.default_rng(seed).uniform(0, 100, (200, 2)):
        if isinstance(mask, Rectangle):
            inside = mask.x <= x <= mask.x + mask.width and mask.y <= y <= mask.y + mask.height
        elif isinstance(mask, Polygon):
            inside = _inside(mask, x, y)
        else:
            assert isinstance(mask, MaskPicture)
            rows, columns = mask.black.shape
            inside = bool(mask.black[int(y * rows / 100), int(x * columns / 100)])
        if inside:
            assert covered[int(y * height / 100), int(x * width / 100)]


def _meets(ends: tuple[tuple[float, float], tuple[float, float]], row: int, column: int, slack_px: float) -> bool:
    """Says whether a straight line meets a pixel that is larger by `slack_px` on each side (Liang and Barsky 1984)."""
    (x0, y0), (x1, y1) = ends
    first, last = 0.0, 1.0
    for start, step, low in ((x0, x1 - x0, column), (y0, y1 - y0, row)):
        near, far = low - slack_px - start, low + 1 + slack_px - start
        if step == 0:
            if not near <= 0 <= far:
                return False
        else:
            enter, leave = sorted((near / step, far / step))
            first, last = max(first, enter), min(last, leave)
    return first <= last


@given(polygon=polygons(), size=st.tuples(st.integers(1, 16), st.integers(1, 16)))
def test_a_polygon_covers_the_pixels_that_its_edges_meet_or_that_lie_within_and_no_others(
    polygon: Polygon, size: tuple[int, int]
) -> None:
    height, width = size
    covered = polygon.covers(height, width)
    corners = [(x * width / 100, y * height / 100) for x, y in polygon.points]
    edges = list(zip(corners, (*corners[1:], corners[0]), strict=True))
    for row, column in np.ndindex(height, width):
        within = _inside(polygon, (column + 0.5) * 100 / width, (row + 0.5) * 100 / height)
        if within or any(_meets(ends, row, column, -2e-6) for ends in edges):
            assert covered[row, column]
        elif not any(_meets(ends, row, column, 2e-6) for ends in edges):
            assert not covered[row, column]


def test_edges_that_cross_leave_out_what_lies_between_them_twice() -> None:
    star = Polygon(((50, 0), (79, 90), (2, 35), (98, 35), (21, 90)))
    covered = star.covers(200, 200)
    assert not covered[100, 100], "the middle"
    assert covered[80, 50]
    assert covered[10, 100]


def test_a_border_on_a_pixel_s_edge_covers_no_more() -> None:
    assert Rectangle(10, 20, 30, 40).box(10, 10) == (1, 2, 4, 6)
    assert Rectangle(12.3, 0, 0.1, 100).box(1000, 1000) == (123, 0, 124, 1000)
    assert Rectangle(33.4, 0, 33.3, 50).box(5, 10) == (3, 0, 7, 3)
    assert MaskPicture(np.eye(2, dtype=bool)).covers(4, 4).tolist() == [
        [True, True, False, False],
        [True, True, False, False],
        [False, False, True, True],
        [False, False, True, True],
    ]


@given(region=rectangles(), size=sizes, seed=seeds)
def test_a_region_is_the_frame_that_a_file_of_it_becomes(region: Rectangle, size: tuple[int, int], seed: int) -> None:
    picture = _random(seed, (*size, 3))
    file = io.BytesIO()
    Image.fromarray(picture).crop(region.box(*size)).save(file, "PNG")
    expected = decode_frame(file.getvalue(), HEIGHT, WIDTH)
    assert np.array_equal(Window("part", region).frame(picture, HEIGHT, WIDTH), expected)


def test_masks_count_in_percent_of_the_whole_picture() -> None:
    window = Window("right", Rectangle(50, 0, 50, 100), (Rectangle(0, 0, 75, 100), Rectangle(0, 50, 100, 50)))
    assert window.masked_share(10, 20) == 0.75
    assert Window().whole
    assert not window.whole


def test_a_mask_may_be_a_picture(tmp_path: Path) -> None:
    path = tmp_path / "mask.png"
    pixels = np.full((4, 4, 4), 255, np.uint8)
    pixels[:2, :2, :3] = 0
    pixels[2:, 2:] = 0  # transparent: white
    Image.fromarray(pixels).save(path)
    mask = parse_mask(str(path))
    assert isinstance(mask, MaskPicture)
    assert mask.black.sum() == 4
    Image.new("L", (4, 4), 200).save(path)
    with pytest.raises(WindowError, match="nothing in it is black"):
        parse_mask(str(path))


def test_places_are_read() -> None:
    assert parse_mask("0,10,20,30.5") == Rectangle(0, 10, 20, 30.5)
    assert parse_mask("0,0,100,0,50,100") == Polygon(((0, 0), (100, 0), (50, 100)))
    assert parse_region("door=1,2,3,4") == ("door", Rectangle(1, 2, 3, 4))


def test_several_masks_of_numbers_stand_in_one_text_and_a_file_stands_alone(tmp_path: Path) -> None:
    texts = ["0,0,30,100", "60,0,40,20", "10,50,40,90,5,95"]
    assert parse_masks("; ".join(texts)) == [parse_mask(text) for text in texts]
    assert parse_masks(texts[0]) == [parse_mask(texts[0])]
    path = tmp_path / "0,0,30,100; hall.png"
    Image.new("L", (4, 4), 0).save(path)
    (picture,) = parse_masks(str(path))
    assert isinstance(picture, MaskPicture)
    with pytest.raises(WindowError, match="mask 0,0,30: expected"):
        parse_masks("0,0,30,100; 0,0,30")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("0,0,10", "expected x,y,width,height"),
        ("0,0,10,10,20", "expected x,y,width,height"),
        ("0,0,10,101", "y \\+ height is 101 percent of the picture, more than 100"),
        ("-1,0,10,10", "not -1"),
        ("nan,0,10,10", "not nan"),
        ("90,0,20,10", "x \\+ width is 110 percent"),
        ("101,0,101,5,9,9", "places are percent of the picture, 0 to 100, not 101"),
        ("0,0,0,10", "must be above 0 percent"),
        (",".join(["1"] * 2002), "3 to 1000 corners, not 1001"),
        *(
            (text, "no picture file, and no places in percent")
            for text in ("missing.png", "", ";", "1,2,3,4;", "a" * 300)
        ),
    ],
)
def test_a_mask_that_can_t_be_is_named(text: str, complaint: str) -> None:
    with pytest.raises(WindowError, match=complaint):
        parse_mask(text)


@pytest.mark.parametrize("text", ["door", "=0,0,1,1", "door=1,2,3", "door=1,2,3,x", "door=0,0,0,10", "door=50,0,60,10"])
def test_a_region_that_can_t_be_is_named(text: str) -> None:
    with pytest.raises(WindowError, match=f"^crop {text}: "):
        parse_region(text)
