"""`make screenshots`: the page in its states, of scenes of our own, into a folder."""

import argparse
import tempfile
from pathlib import Path

from playwright.sync_api import Page, expect

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


def shoot(out: Path, exit_threshold: float) -> None:
    """Writes every picture."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        scenes = write_scenes(Path(folder))
        camera = write_camera(Path(folder) / "camera.y4m")
        service = Service(listed("samples", scenes))
        service.start()
        try:
            with chromium(camera) as browser:
                policy = f"policy=published&exit_threshold={exit_threshold}&skip_threshold=0.005"
                for scheme in ("light", "dark"):
                    page = browser.new_page(viewport={"width": 1280, "height": 900}, color_scheme=scheme)
                    _scan(page, service.url, f"sample=street&{policy}")
                    _shoot(page, out, scheme)
                    page.click("#latency summary")
                    page.click("#panel .data summary")
                    _shoot(page, out, f"{scheme}-tables")
                    _scan(page, service.url, f"sample=street&{policy}&compare=never")
                    _shoot(page, out, f"side-by-side-{scheme}")
                    page.goto(f"{service.url}/?mode=wall&tiles=16&slow=30&{policy}")
                    expect(page.locator("#wall-totals[data-frames]")).to_have_count(1, timeout=WAIT_MS)
                    page.wait_for_timeout(3000)
                    _shoot(page, out, f"wall-{scheme}")
                    page.close()
                page = browser.new_page(viewport={"width": 1280, "height": 900})
                page.goto(f"{service.url}/?slow=100&sample=street&{policy}")
                expect(page.locator("#pause")).to_be_enabled(timeout=WAIT_MS)
                page.click("#pause")
                for _ in range(4):
                    page.click("#step")
                    page.wait_for_timeout(200)
                _shoot(page, out, "reading")
                page.close()
                context = browser.new_context(viewport={"width": 1280, "height": 900}, permissions=["camera"])
                page = context.new_page()
                page.goto(f"{service.url}/?mode=live&{policy}")
                page.click("#webcam")
                page.wait_for_timeout(6000)
                _shoot(page, out, "live")
                context.close()
                page = browser.new_page(viewport={"width": 390, "height": 844}, device_scale_factor=2)
                _scan(page, service.url, f"sample=street&{policy}")
                _shoot(page, out, "phone")
                page.close()
        finally:
            service.stop()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/screenshots"))
    parser.add_argument("--exit-threshold", type=float, default=0.6)
    chosen = parser.parse_args()
    shoot(chosen.out, chosen.exit_threshold)
