"""Private areas and the region, drawn on the picture: by pointer, by touch, by keyboard."""

import re
import time
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.page.conftest import NewPage
from tests.page.serving import Service
from tests.page.test_access import AXE, violations
from tests.page.test_scan import EXITS, SCAN_MS, decided

SLACK = 1.0
"""Percent by which a place may miss: the screen's pixels are that large."""


def _opened(page: Page, service: Service, query: str = f"{EXITS}&sample=street") -> Page:
    page.goto(f"{service.url}/?slow=1&{query}")
    if "sample" in query:
        decided(page)
    _open_dialog(page)
    return page


def _open_dialog(page: Page) -> None:
    if not page.locator("#draw").is_visible():
        page.click("#window summary")
    page.click("#draw")
    expect(page.locator("#sketch")).to_be_focused()


@pytest.fixture
def drawing(page: Page, service: Service) -> Page:
    """The page with its dialog open on a sample."""
    return _opened(page, service)


def _at(page: Page, x: float, y: float) -> tuple[float, float]:
    """The place of the screen where a place of the picture, in percent, is."""
    box = page.locator("#sketch-picture").bounding_box()
    assert box is not None
    return box["x"] + x * box["width"] / 100, box["y"] + y * box["height"] / 100


def _drag(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    page.mouse.move(*_at(page, *start))
    page.mouse.down()
    page.mouse.move(*_at(page, *end), steps=3)
    page.mouse.up()


def _numbers(text: str) -> Iterator[list[float]]:
    """The numbers of each area."""
    return ([float(number) for number in area.split(",")] for area in text.split(";") if area.strip())


def _masks(page: Page, count: int) -> list[list[float]]:
    """The areas once there are so many, as the field and the address have them alike."""
    page.wait_for_function(
        "count => document.querySelector('#masks').value.split(';').filter(Boolean).length === count", arg=count
    )
    field = page.input_value("#masks")
    assert parse_qs(urlsplit(page.url).query).get("masks", [""]) == [field]
    return list(_numbers(field))


def _brightest(page: Page, canvas: str, x: float, y: float) -> int:
    """The largest of red, green and blue that a canvas shows at a place, in percent."""
    brightest = page.evaluate(
        """([selector, x, y]) => {
            const canvas = document.querySelector(selector);
            const context = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
            context.drawImage(canvas, -Math.floor(x / 100 * canvas.width), -Math.floor(y / 100 * canvas.height));
            return Math.max(...context.getImageData(0, 0, 1, 1).data.slice(0, 3));
        }""",
        [canvas, x, y],
    )
    assert isinstance(brightest, int)
    return brightest


def test_a_rectangle_is_dragged_and_nothing_behind_it_is_read(drawing: Page) -> None:
    _drag(drawing, (60, 5), (20, 30))
    expect(drawing.locator("#areas li")).to_have_text([re.compile("^Area 1: .* % at ")])
    assert _masks(drawing, 1) == [pytest.approx([20, 5, 40, 25], abs=SLACK)]
    drawing.click("#drawing-done")
    decided(drawing)
    assert _brightest(drawing, "#panel-frame", 40, 12) == 0
    assert _brightest(drawing, "#panel-frame", 80, 12) > 0
    assert _brightest(drawing, "#sketch-picture", 40, 12) > 0, "one draws on the picture as it is"


def test_a_polygon_is_clicked_and_ends_with_a_double_click(drawing: Page) -> None:
    drawing.click("label[for=tool-polygon]")
    drawing.mouse.click(*_at(drawing, 10, 10))
    drawing.mouse.click(*_at(drawing, 90, 10))
    drawing.mouse.dblclick(*_at(drawing, 50, 80))
    assert len(_masks(drawing, 1)) == 1
    drawing.mouse.click(*_at(drawing, 20, 50))  # another one, which its first corner ends
    drawing.mouse.click(*_at(drawing, 40, 50))
    drawing.mouse.click(*_at(drawing, 30, 90))
    drawing.mouse.click(*_at(drawing, 20.3, 50.3))
    assert _masks(drawing, 2) == [
        pytest.approx([10, 10, 90, 10, 50, 80], abs=SLACK),
        pytest.approx([20, 50, 40, 50, 30, 90], abs=SLACK),
    ]


def test_all_of_it_goes_by_keyboard(drawing: Page) -> None:
    press = drawing.keyboard.press
    for _ in range(4):
        press("Shift+ArrowLeft")
    press("ArrowUp")
    press("Space")
    expect(drawing.locator("#drawing-said")).to_have_text("Corner 1 at 10, 49. The opposite one is next.")
    press("Shift+ArrowRight")
    press("Shift+ArrowDown")
    press("Enter")
    assert _masks(drawing, 1) == [[10, 49, 10, 10]]
    press("Shift+Tab")  # to the tools
    press("ArrowRight")
    expect(drawing.locator("#tool-polygon")).to_be_checked()
    press("Tab")
    expect(drawing.locator("#sketch")).to_be_focused()
    for keys in ("Space", "ArrowRight Space", "ArrowDown Space", "ArrowDown Space Backspace", "Enter"):
        for key in keys.split():
            press(key)
    assert _masks(drawing, 2)[1] == [20, 59, 21, 59, 21, 60]
    press("Space")
    press("Escape")  # what is begun, and not yet the dialog
    expect(drawing.locator("#drawing")).to_be_visible()
    press("Tab")
    press("Enter")
    expect(drawing.locator("#drawing-said")).to_have_text("Area 1 is removed.")
    expect(drawing.locator("#areas button")).to_be_focused()
    assert _masks(drawing, 1) == [[20, 59, 21, 59, 21, 60]]
    press("Enter")
    expect(drawing.locator("#sketch")).to_be_focused()
    assert _masks(drawing, 0) == []
    press("Escape")
    expect(drawing.locator("#drawing")).to_be_hidden()
    expect(drawing.locator("#draw")).to_be_focused()


def test_the_region_is_drawn_and_removed(drawing: Page) -> None:
    drawing.click("label[for=tool-region]")
    for left in (0, 50):  # the second one takes the place of the first
        _drag(drawing, (left, -0.5), (left + 50, 100.5))
        expect(drawing.locator("#region")).to_have_value(re.compile(rf"^{left}(\.\d)?,0"))
        assert list(_numbers(drawing.input_value("#region"))) == [pytest.approx([left, 0, 50, 100], abs=SLACK)]
    drawing.click("[aria-label='Remove the region']")
    expect(drawing.locator("#region")).to_have_value("")
    expect(drawing.locator("#areas li")).to_have_count(0)


def test_there_are_sixteen_areas_at_most(new_page: NewPage, service: Service) -> None:
    full = ";".join(f"{place},0,1,1" for place in range(16))
    page = _opened(new_page(), service, f"{EXITS}&sample=street&masks={full}")
    _drag(page, (20, 20), (30, 30))
    expect(page.locator("#drawing-said")).to_contain_text("16 areas already")
    assert len(_masks(page, 16)) == 16
    page.click("[aria-label='Remove area 3']")
    assert [2, 0, 1, 1] not in _masks(page, 15)
    _drag(page, (20, 20), (30, 30))
    assert _masks(page, 16)[-1] == pytest.approx([20, 20, 10, 10], abs=SLACK)


def test_fingers_draw_on_a_phone(new_page: NewPage, service: Service) -> None:
    page = _opened(new_page(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True), service)
    page.tap("label[for=tool-polygon]")
    for corner in ((10, 10), (60, 10), (30, 60)):
        page.touchscreen.tap(*_at(page, *corner))
    page.tap("#end-polygon")
    page.tap("label[for=tool-rectangle]")
    touch = page.context.new_cdp_session(page)
    for kind, places in (
        ("touchStart", [(70, 70)]), ("touchMove", [(80, 80)]), ("touchMove", [(90, 95)]), ("touchEnd", []),
    ):  # fmt: skip
        points = [dict(zip("xy", _at(page, *place), strict=True)) for place in places]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    assert _masks(page, 2) == [
        pytest.approx([10, 10, 60, 10, 30, 60], abs=SLACK),
        pytest.approx([70, 70, 20, 25], abs=SLACK),
    ]
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    dialog = page.locator("#drawing").bounding_box()
    assert dialog is not None
    assert dialog["x"] >= 0
    assert dialog["x"] + dialog["width"] <= 360


def _shown(page: Page) -> None:
    """Waits until there is a picture to draw on."""
    page.wait_for_function("() => document.querySelector('#sketch-picture').dataset.ground === 'shown'")
    assert _brightest(page, "#sketch-picture", 50, 50) > 0


def _streams(page: Page, service: Service, count: int) -> None:
    """Waits until the service has so many streams."""
    deadline = time.monotonic() + SCAN_MS / 1000
    while page.request.get(f"{service.url}/healthz").json()["streams"] != count:
        assert time.monotonic() < deadline, f"there are not {count} streams"
        page.wait_for_timeout(50)


def test_on_the_wall_it_is_drawn_on_the_first_picture(page: Page, service: Service) -> None:
    page.goto(f"{service.url}/?mode=wall&tiles=2")
    _open_dialog(page)
    _shown(page)
    _drag(page, (-1, -1), (101, 50))
    assert _masks(page, 1) == [pytest.approx([0, 0, 100, 50], abs=SLACK)]


def test_nothing_of_a_camera_is_sent_while_somebody_draws_on_it(page: Page, service: Service) -> None:
    page.add_init_script(
        "navigator.mediaDevices.getUserMedia = (ask => async (...all) => window.camera = await ask(...all))"
        "(navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices))"
    )
    page.goto(f"{service.url}/?mode=live")
    _open_dialog(page)
    _shown(page)
    _drag(page, (-1, -1), (101, 50))
    assert _masks(page, 1) == [pytest.approx([0, 0, 100, 50], abs=SLACK)]
    page.click("#drawing-done")
    page.wait_for_function("() => window.camera.getTracks().every(track => track.readyState === 'ended')")
    expect(page.locator("#totals")).to_have_text("Nothing streamed yet.")
    page.click("#go")
    expect(page.locator("#live-words")).to_contain_text("erson — ", timeout=SCAN_MS)
    _open_dialog(page)
    _shown(page)
    _streams(page, service, 0)
    page.click("[aria-label='Remove area 1']")
    assert _masks(page, 0) == []
    _streams(page, service, 0)
    read = page.locator("#rate").get_attribute("data-read") or ""
    page.click("#drawing-done")
    expect(page.locator("#rate")).not_to_have_attribute("data-read", read, timeout=SCAN_MS)
    _streams(page, service, 1)


@pytest.mark.skipif(not AXE.is_file(), reason="axe-core is not installed: npm ci in clients/browser")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_the_dialog(new_page: NewPage, service: Service, scheme: str) -> None:
    query = f"{EXITS}&sample=street&masks=0,0,30,100;50,10,90,10,70,60&region=0,0,80,100"
    page = _opened(new_page(color_scheme=scheme, reduced_motion="reduce"), service, query)
    page.click("label[for=tool-polygon]")
    for corner in ((40, 40), (60, 40), (50, 70)):
        page.mouse.click(*_at(page, *corner))
    expect(page.locator("#end-polygon")).to_be_visible()
    assert violations(page) == []
