"""`make screenshots`: the page in its states, of scenes of our own, into a folder."""

import argparse
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from tests.page.scenes import write_camera, write_scenes
from tests.page.serving import SITE, Service, StaticHost, chromium, listed

WAIT_MS = 60_000
SAMPLE = "two"
"""A scene with people; under the policy of the certificate its scan stops early."""
AREAS = "masks=0,0,15,100;70,5,95,5,98,30,75,40&region=5,0,90,90"


def _scan(page: Page, url: str, query: str) -> None:
    page.goto(f"{url}/?slow=10&{query}")
    expect(page.locator("#decision")).to_contain_text("erson — ", timeout=WAIT_MS)


def _shoot(page: Page, out: Path, name: str, whole: bool = True) -> None:
    path = out / f"{name}.png"
    page.screenshot(path=path, full_page=whole)
    print(path)


def shoot(out: Path) -> None:
    """Writes every picture."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        scenes = write_scenes(Path(folder))
        camera = write_camera(Path(folder) / "camera.y4m")
        service = Service(listed("samples", scenes))
        service.start()
        try:
            with chromium(camera) as browser:
                for scheme in ("light", "dark"):
                    _shoot_scheme(browser, service.url, out, scheme, scenes)
                _shoot_phone(browser, service.url, out)
                if (SITE / "index.html").is_file():
                    _shoot_site(browser, out)
        finally:
            service.stop()


def _shoot_scheme(browser: Browser, url: str, out: Path, scheme: str, scenes: list[Path]) -> None:
    context = browser.new_context(
        viewport={"width": 1280, "height": 900},
        color_scheme="dark" if scheme == "dark" else "light",
        permissions=["camera"],
    )
    page = context.new_page()
    page.goto(url)  # plays by itself
    expect(page.locator("#decision")).to_contain_text("erson — ", timeout=WAIT_MS)
    _shoot(page, out, f"first-visit-{scheme}")
    page.goto(f"{url}/?slow=100&sample={SAMPLE}")
    expect(page.locator("#pause")).to_be_enabled(timeout=WAIT_MS)
    page.click("#pause")
    page.click("#step")
    page.click("#step")
    _shoot(page, out, f"reading-{scheme}")
    _scan(page, url, f"sample={SAMPLE}")
    _shoot(page, out, f"stopped-{scheme}")
    _shoot(page, out, f"stopped-{scheme}-screen", whole=False)
    for _ in range(8):
        page.click("#go")
        expect(page.locator("#decision")).to_contain_text("erson — ", timeout=WAIT_MS)
    page.click("#latency summary")
    page.click("#panel .data summary")
    _shoot(page, out, f"tables-{scheme}")
    _scan(page, url, f"sample={SAMPLE}&compare=never")
    _shoot(page, out, f"side-by-side-{scheme}")
    _scan(page, url, f"sample={SAMPLE}&{AREAS}")
    _shoot_drawing(page, out, scheme)
    page.goto(f"{url}/?slow=1")
    expect(page.locator("[data-sample=street]")).to_be_visible()
    page.set_input_files("#file", scenes)
    expect(page.locator("#results-words")).to_contain_text(f"{len(scenes)} pictures", timeout=WAIT_MS)
    page.click("#results summary")
    _shoot(page, out, f"own-pictures-{scheme}")
    page.goto(f"{url}/?mode=wall&tiles=64&slow=30")
    expect(page.locator("#wall-totals[data-frames]")).to_have_count(1, timeout=WAIT_MS)
    page.wait_for_timeout(3000)
    _shoot(page, out, f"wall-{scheme}")
    page.goto(f"{url}/?mode=live")
    page.click("#go")
    page.wait_for_timeout(6000)
    _shoot(page, out, f"live-{scheme}")
    context.close()


def _shoot_drawing(page: Page, out: Path, name: str) -> None:
    """The dialog in which private areas are drawn, a polygon begun in it."""
    _shoot(page, out, f"masked-{name}")
    page.click("#draw")
    page.click("label[for=tool-polygon]")
    page.wait_for_function("() => document.querySelector('#sketch-picture').dataset.ground === 'shown'")
    box = page.locator("#sketch-picture").bounding_box()
    assert box is not None
    for x, y in ((0.35, 0.3), (0.6, 0.25), (0.65, 0.5), (0.5, 0.7)):
        page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])
    page.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + 0.6 * box["height"])
    _shoot(page, out, f"drawing-{name}", whole=False)


def _shoot_phone(browser: Browser, url: str, out: Path) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 844}, device_scale_factor=2, permissions=["camera"])
    _scan(page, url, f"sample={SAMPLE}")
    _shoot(page, out, "phone")
    _scan(page, url, f"sample={SAMPLE}&{AREAS}")
    _shoot_drawing(page, out, "phone")
    page.goto(url)
    expect(page.locator("#decision")).to_contain_text("erson — ", timeout=WAIT_MS)
    _shoot(page, out, "phone-first-screen", whole=False)
    page.goto(f"{url}/?mode=wall&tiles=16&slow=30")
    expect(page.locator("#wall-totals[data-frames]")).to_have_count(1, timeout=WAIT_MS)
    _shoot(page, out, "phone-wall", whole=False)
    page.goto(f"{url}/?mode=live")
    page.click("#go")
    page.wait_for_timeout(6000)
    _shoot(page, out, "phone-live", whole=False)
    page.close()


def _shoot_site(browser: Browser, out: Path) -> None:
    """The page without a service, as a first visit shows it."""
    host = StaticHost(SITE)
    try:
        for name, options in (
            ("light", {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"}),
            ("dark", {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"}),
            ("phone", {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2}),
        ):
            page = browser.new_page(**options)
            page.goto(host.url)
            expect(page.locator("#decision")).to_contain_text("erson — ", timeout=WAIT_MS)
            _shoot(page, out, f"site-{name}")
            page.close()
    finally:
        host.stop()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/screenshots"))
    shoot(parser.parse_args().out)
