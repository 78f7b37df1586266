"""Everybody can use it: axe, phone width, both colour schemes, the wall; and what the page may load."""

import gzip
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.page.conftest import NewPage
from tests.page.serving import DIST, ROOT, Service
from tests.page.test_scan import EXITS, SCAN_MS, decided, open_page

AXE = ROOT / "clients" / "browser" / "node_modules" / "axe-core" / "axe.min.js"
MOST_BYTES = 150_000


def violations(page: Page) -> list[str]:
    page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run({ resultTypes: ['violations'] })")
    return [f"{one['id']}: {node['html'][:200]}" for one in found["violations"] for node in one["nodes"]]


@pytest.mark.skipif(not AXE.is_file(), reason="axe-core is not installed: npm ci in clients/browser")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("query", [f"{EXITS}&sample=street&compare=never", "mode=live", "mode=wall&tiles=4"])
def test_axe_finds_nothing(new_page: NewPage, service: Service, scheme: str, query: str) -> None:
    page = new_page(color_scheme=scheme, reduced_motion="reduce", permissions=["camera"])
    page.goto(f"{service.url}/?slow=1&{query}")
    if "sample" in query:
        decided(page)
        for summary in page.locator("summary:visible").all():
            summary.click()
    elif "live" in query:
        page.click("#go")
        expect(page.locator("#live-words")).to_contain_text("erson — ", timeout=SCAN_MS)
        page.click("#go")
    else:
        expect(page.locator("#wall-totals[data-frames]")).to_have_count(1, timeout=SCAN_MS)
        page.click("#go")
    assert violations(page) == []


@pytest.mark.skipif(not AXE.is_file(), reason="axe-core is not installed: npm ci in clients/browser")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_the_results_of_ones_own_pictures(
    new_page: NewPage, service: Service, scenes: list[Path], scheme: str
) -> None:
    page = new_page(color_scheme=scheme, reduced_motion="reduce")
    page.goto(f"{service.url}/?slow=1&{EXITS}")
    expect(page.locator("[data-sample=street]")).to_be_visible()
    page.set_input_files("#file", {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"no picture"})
    page.set_input_files("#file", scenes)
    expect(page.locator("#results-words")).to_contain_text("1 could not be read", timeout=SCAN_MS)
    expect(page.locator("#results-words")).to_contain_text(f"{len(scenes)} pictures", timeout=SCAN_MS)
    page.click("#results summary")
    page.click("#share")
    page.evaluate("document.getElementById('sign-in').hidden = false")  # as a service with a token shows it
    assert violations(page) == []


def test_a_phone_shows_it_without_scrolling_sideways(new_page: NewPage, service: Service) -> None:
    page = new_page(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    for query in (f"{EXITS}&sample=street&compare=never", "mode=live", "mode=wall&tiles=9"):
        page.goto(f"{service.url}/?slow=1&{query}")
        if "sample" in query:
            decided(page)
            if AXE.is_file():
                assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_a_wall_of_sixteen(page: Page, service: Service) -> None:
    open_page(page, service, f"mode=wall&tiles=16&{EXITS}")
    expect(page.locator(".wall-tile")).to_have_count(16, timeout=SCAN_MS)
    expect(page.locator("#decision")).to_contain_text("16 sensors")
    page.wait_for_function("() => Number(document.getElementById('wall-totals').dataset.frames) >= 32", timeout=SCAN_MS)
    expect(page.locator("#wall-totals")).to_contain_text("of the bursts computed")
    expect(page.locator(".tile-counts").first).to_contain_text("exits")
    page.click("#go")
    expect(page.locator("#go")).to_have_text("Start")


def test_the_page_is_small_and_loads_nothing_from_elsewhere() -> None:
    files = [path for path in DIST.rglob("*") if path.suffix in (".js", ".css", ".html", ".svg")]
    assert sum(len(gzip.compress(path.read_bytes())) for path in files) < MOST_BYTES
    policy = (DIST / "index.html").read_text()
    assert "Content-Security-Policy" in policy
    assert "unsafe-" not in policy
    assert Path(ROOT / "clients" / "browser" / "index.html").read_text().count("style=") == 0
