"""`make screenshots`: the page in its states, of scenes of our own, into a folder."""

import argparse
import json
import math
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from tests.page.scenes import write_camera, write_scenes
from tests.page.serving import Service, chromium, listed

WAIT_MS = 60_000


def _scan(page: Page, url: str, query: str) -> None:
    page.goto(f"{url}/?slow=10&{query}")
    expect(page.locator("#decision")).to_contain_text("erson — ", timeout=WAIT_MS)


def _shoot(page: Page, out: Path, name: str, whole: bool = True) -> None:
    page.wait_for_timeout(600)  # the bars' transition
    path = out / f"{name}.png"
    page.screenshot(path=path, full_page=whole)
    print(path)


def _early_exit(page: Page, url: str) -> tuple[str, float]:
    """A scene with a person, and an exit threshold at which the weights at hand stop in the upper half of it."""
    found = (-1.0, "street")
    for name in ("street", "two"):
        _scan(page, url, f"sample={name}&policy=never")
        with page.expect_download() as download:
            page.click("#export-json")
        points = json.loads(Path(download.value.path()).read_text())["curves"][0]["points"]
        curve = [point["p_person"] for point in points]
        early = range(len(curve) // 5, len(curve) * 3 // 5)
        highest = [curve[burst] for burst in early if curve[burst] == max(curve[: burst + 1])]
        found = max(found, (max(highest, default=-1.0), name))
    return found[1], max(0.01, math.floor(found[0] * 1000) / 1000)


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
                page = browser.new_page()
                sample, threshold = _early_exit(page, service.url)
                page.close()
                for scheme in ("light", "dark"):
                    _shoot_scheme(browser, service.url, out, scheme, sample, threshold)
                _shoot_phone(browser, service.url, out, sample, threshold)
        finally:
            service.stop()


def _shoot_scheme(browser: Browser, url: str, out: Path, scheme: str, sample: str, threshold: float) -> None:
    policy = f"policy=published&exit_threshold={threshold}&skip_threshold=0.005"
    context = browser.new_context(
        viewport={"width": 1280, "height": 900},
        color_scheme="dark" if scheme == "dark" else "light",
        permissions=["camera"],
    )
    page = context.new_page()
    page.goto(url)
    expect(page.locator("[data-sample=street]")).to_be_visible()
    _shoot(page, out, f"start-{scheme}")
    page.goto(f"{url}/?slow=100&sample={sample}&{policy}")
    expect(page.locator("#pause")).to_be_enabled(timeout=WAIT_MS)
    page.click("#pause")
    page.click("#step")
    page.click("#step")
    _shoot(page, out, f"reading-{scheme}")
    _scan(page, url, f"sample={sample}&{policy}")
    _shoot(page, out, f"stopped-{scheme}")
    _shoot(page, out, f"stopped-{scheme}-screen", whole=False)
    for _ in range(8):
        page.click("#go")
        expect(page.locator("#decision")).to_contain_text("erson — ", timeout=WAIT_MS)
    page.click("#latency summary")
    page.click("#panel .data summary")
    _shoot(page, out, f"tables-{scheme}")
    _scan(page, url, f"sample={sample}&{policy}&compare=never")
    _shoot(page, out, f"side-by-side-{scheme}")
    page.goto(f"{url}/?mode=wall&tiles=16&slow=30&{policy}")
    expect(page.locator("#wall-totals[data-frames]")).to_have_count(1, timeout=WAIT_MS)
    page.wait_for_timeout(3000)
    _shoot(page, out, f"wall-{scheme}")
    page.goto(f"{url}/?mode=live&{policy}")
    page.click("#go")
    page.wait_for_timeout(6000)
    _shoot(page, out, f"live-{scheme}")
    context.close()


def _shoot_phone(browser: Browser, url: str, out: Path, sample: str, threshold: float) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 844}, device_scale_factor=2, permissions=["camera"])
    _scan(page, url, f"sample={sample}&policy=published&exit_threshold={threshold}&skip_threshold=0.005")
    _shoot(page, out, "phone")
    _shoot(page, out, "phone-first-screen", whole=False)
    page.goto(f"{url}/?mode=wall&tiles=16&slow=30")
    expect(page.locator("#wall-totals[data-frames]")).to_have_count(1, timeout=WAIT_MS)
    _shoot(page, out, "phone-wall", whole=False)
    page.goto(f"{url}/?mode=live")
    page.click("#go")
    page.wait_for_timeout(6000)
    _shoot(page, out, "phone-live", whole=False)
    page.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/screenshots"))
    shoot(parser.parse_args().out)
