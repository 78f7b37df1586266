"""`make page-soak`: the webcam at 30 frames a second through the large network, and whether anything grows."""

import argparse
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from model.checkpoint import save_checkpoint
from model.config import VARIANTS
from tests.networks import random_checkpoint
from tests.page.scenes import write_camera
from tests.page.serving import Service, chromium, listed

MOST_BUFFERED_BYTES = 65_536 + 262_144
"""The page's own limit, and one message of the size that the service takes."""


def watch(page: Page, url: str, seconds: float) -> list[dict[str, float]]:
    """The page's frame pacing once a second."""
    page.goto(f"{url}/?mode=live&variant=210x240&policy=never&sensor=hm01b0-qvga")
    page.click("#go")
    page.wait_for_selector("#rate[data-read]", timeout=20_000)
    reports = []
    for _ in range(round(seconds)):
        page.wait_for_timeout(1000)
        data: dict[str, Any] = page.eval_on_selector("#rate", "list => ({ ...list.dataset })")
        reports.append({name: float(value) for name, value in data.items()})
    return reports


def check(reports: list[dict[str, float]], least_fps: float) -> None:
    """Nothing grows: at most one frame waits, little is left in the socket, and every frame is accounted for."""
    last = reports[-1]
    assert last["read"] > reports[0]["read"], "frames are read until the end"
    assert max(report["waitingPeak"] for report in reports) <= 1
    assert max(report["bufferedPeakBytes"] for report in reports) <= MOST_BUFFERED_BYTES
    assert last["captured"] - last["read"] - last["dropped"] <= 2, "the one that waits and the one being read"
    assert last["framesPerSecond"] >= least_fps, last


def main() -> None:
    """Watches, prints and checks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--least-fps", type=float, default=25)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "large.safetensors"
        save_checkpoint(random_checkpoint(VARIANTS["210x240"], seed=7), weights)
        service = Service(listed("weights", [weights]))
        service.start()
        try:
            with chromium(write_camera(Path(folder) / "camera.y4m")) as browser:
                page = browser.new_context(permissions=["camera"]).new_page()
                reports = watch(page, service.url, chosen.seconds)
        finally:
            service.stop()
    names = list(reports[-1])
    print(" ".join(f"{name:>18}" for name in names))
    for report in [*reports[9::10], reports[-1]]:
        print(" ".join(f"{report[name]:18.1f}" for name in names))
    check(reports, chosen.least_fps)


if __name__ == "__main__":
    main()
