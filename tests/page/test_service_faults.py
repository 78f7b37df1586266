from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.page.serving import Service, listed

WAIT_MS = 60_000


@pytest.fixture(scope="module")
def small_service(scenes: list[Path]) -> Iterator[Service]:
    service = Service([*listed("samples", scenes), "--max-streams", "3"])
    yield service
    service.close()


@pytest.fixture
def mortal(small_service: Service) -> Service:
    """A service that a test may stop; the next one finds it running."""
    small_service.start()
    return small_service


@pytest.fixture
def lone_page(browser: Browser) -> Iterator[Page]:
    """A page whose console may complain: a browser reports each refused connection there."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    yield page
    page.close()


def test_a_scan_goes_on_after_the_server_was_restarted(lone_page: Page, mortal: Service) -> None:
    page = lone_page
    mortal.prepare()
    page.goto(f"{mortal.url}/?slow=300&policy=never&sample=two")
    expect(page.locator("#pause")).to_be_enabled(timeout=WAIT_MS)
    mortal.stop(kill=True)
    expect(page.locator("#status")).to_contain_text("The connection was lost", timeout=WAIT_MS)
    mortal.start()
    expect(page.locator("#decision")).to_contain_text("read to the end", timeout=WAIT_MS)
    expect(page.locator("#detail")).to_contain_text("the frame went on from the rows kept")


def test_a_server_that_went_away_is_told(lone_page: Page, mortal: Service) -> None:
    page = lone_page
    page.goto(f"{mortal.url}/?slow=1")
    expect(page.locator("[data-sample=two]")).to_be_visible()
    mortal.stop()
    page.click("[data-sample=two]")
    expect(page.locator("#status")).to_contain_text("can’t be reached", timeout=WAIT_MS)  # noqa: RUF001 - as printed
    mortal.start()
    page.click("#way-on")
    expect(page.locator("#decision")).to_contain_text("erson — ", timeout=WAIT_MS)


def test_a_full_server_is_told(lone_page: Page, mortal: Service) -> None:
    page = lone_page
    page.goto(f"{mortal.url}/?mode=wall&tiles=16&slow=100")
    expect(page.locator("#status")).to_contain_text("it is probably full", timeout=WAIT_MS)
    expect(page.locator("#way-on")).to_have_text("Try again")
