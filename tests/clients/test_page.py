import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import skimage.data
from playwright.sync_api import Browser, Page, Playwright, expect, sync_playwright

ROOT = Path(__file__).parent.parent.parent
DIST = ROOT / "clients" / "browser" / "dist"
SAMPLE = Path(skimage.data.__file__).parent / "astronaut.png"
CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
]
START_S = 60
SCAN_MS = 20_000

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
    pytest.mark.skipif(
        not (DIST / "index.html").is_file(), reason="the page is not built: npm ci && npm run build in clients/browser"
    ),
]


@pytest.fixture(scope="module")
def page_url() -> Iterator[str]:
    """The service as people start it, with the shipped weights and one sample."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "server", "--port", str(port), "--samples", str(SAMPLE)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RASCANET_")}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_until_healthy(url, process)
        yield url
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def _wait_until_healthy(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            pytest.fail(f"the service ended with exit status {process.returncode}")
        try:
            with urllib.request.urlopen(f"{url}/healthz", timeout=2):  # noqa: S310 - the address is ours
                return
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            time.sleep(0.1)
    pytest.fail(f"the service did not answer within {START_S} s")


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
    yield browser
    browser.close()


@pytest.fixture
def page(browser: Browser, page_url: str) -> Iterator[Page]:
    """The page, loaded; a complaint on its console fails the test."""
    complaints: list[str] = []
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(page_url)
    expect(page.locator("[data-sample=astronaut]")).to_be_visible()
    yield page
    page.close()
    assert complaints == []


def _scan_astronaut(page: Page, policy: str, thresholds: dict[str, str] | None = None) -> None:
    page.select_option("#policy", policy)
    for name, value in (thresholds or {}).items():
        page.fill(f"#{name}", value)
    page.fill("#line-time", "0")
    page.click("[data-sample=astronaut]")


def _row_colours(page: Page, share: float) -> int:
    """How many colours the row of the canvas has that lies this far down."""
    colours: int = page.evaluate(
        """share => {
            const canvas = document.getElementById("scan-canvas");
            const row = Math.floor(canvas.height * share);
            const pixels = canvas.getContext("2d").getImageData(0, row, canvas.width, 1).data;
            return new Set(new Uint32Array(pixels.buffer)).size;
        }""",
        share,
    )
    return colours


def test_offers_samples_networks_and_policies(page: Page) -> None:
    expect(page.locator("#decision")).to_have_text("Choose a photo")
    expect(page.locator("#variant option")).not_to_have_count(0)
    assert page.locator("#policy option").evaluate_all("all => all.map(one => one.value)") == ["published", "never"]
    expect(page.locator("#scan")).to_be_disabled()


def test_never_reads_to_the_end(page: Page) -> None:
    _scan_astronaut(page, "never")
    expect(page.locator("#decision")).to_contain_text("erson — read to the end", timeout=SCAN_MS)
    expect(page.locator("#saved-rows")).to_have_text("105")
    expect(page.locator("#saved-bytes")).to_have_text("0 B")
    assert _row_colours(page, 0.7) > 50


def test_exit_stops_early(page: Page) -> None:
    _scan_astronaut(page, "published", {"exit-threshold": "0.01", "skip-threshold": "0"})
    decision = page.locator("#decision")
    expect(decision).to_contain_text("decided after", timeout=SCAN_MS)
    words = decision.inner_text()
    rows = int(words.split("decided after ")[1].split(" of 105 rows")[0])
    assert 0 < rows < 105
    expect(page.locator("#saved-rows")).not_to_have_text("–")  # noqa: RUF001 - as printed
    sent = int(page.locator("#saved-rows").inner_text())
    assert rows <= sent <= rows + 5  # one burst may be on its way when the decision comes
    expect(page.locator("#scan")).to_have_text("Scan again")
    assert _row_colours(page, 0.9) < 20  # hatching, no photo


def test_a_slow_scan_can_be_stopped_and_run_again(page: Page) -> None:
    page.select_option("#policy", "never")
    page.fill("#line-time", "7")
    page.click("[data-sample=astronaut]")
    expect(page.locator("#scan")).to_have_text("Stop")
    page.click("#scan")
    expect(page.locator("#status")).to_contain_text("Stopped before a decision")
    page.fill("#line-time", "0")
    page.click("#scan")
    expect(page.locator("#decision")).to_contain_text("read to the end", timeout=SCAN_MS)


def test_an_unreadable_file_is_told_and_the_page_goes_on(page: Page) -> None:
    page.set_input_files("#file", {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"no picture"})
    expect(page.locator("#status")).to_contain_text("notes.txt can’t be read as a picture")  # noqa: RUF001 - as printed
    expect(page.locator("#way-on")).to_have_text("Choose another photo")
    page.fill("#line-time", "0")
    page.set_input_files("#file", SAMPLE)
    expect(page.locator("#decision")).to_contain_text("erson — ", timeout=SCAN_MS)
    expect(page.locator("#way-on")).to_be_hidden()


def test_a_dropped_file_is_scanned(page: Page) -> None:
    page.fill("#line-time", "0")
    page.evaluate(
        """async url => {
            const photo = await (await fetch(url)).blob();
            const carried = new DataTransfer();
            carried.items.add(new File([photo], "dropped.png"));
            document.dispatchEvent(new DragEvent("drop", { dataTransfer: carried, cancelable: true }));
        }""",
        "/v1/samples/astronaut.png",
    )
    expect(page.locator("#decision")).to_contain_text("erson — ", timeout=SCAN_MS)
    expect(page.locator("#drop-title")).to_have_text("dropped.png")


def test_thresholds_that_cannot_be_are_refused_in_the_form(page: Page) -> None:
    _scan_astronaut(page, "published", {"exit-threshold": "0.2", "skip-threshold": "0.5"})
    expect(page.locator("#skip-threshold:invalid")).to_have_count(1)
    expect(page.locator("#saved-rows")).to_have_text("–")  # noqa: RUF001 - as printed


def test_phone_width_has_no_horizontal_scroll(page: Page) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    _scan_astronaut(page, "never")
    expect(page.locator("#decision")).to_contain_text("read to the end", timeout=SCAN_MS)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_a_server_that_went_away_is_told(browser: Browser, page_url: str) -> None:
    page = browser.new_page()
    page.goto(page_url)
    expect(page.locator("[data-sample=astronaut]")).to_be_visible()
    page.context.set_offline(True)
    page.click("[data-sample=astronaut]")
    expect(page.locator("#status")).to_contain_text("can’t be reached")  # noqa: RUF001 - as printed
    page.context.set_offline(False)
    page.fill("#line-time", "0")
    page.click("#way-on")
    expect(page.locator("#decision")).to_contain_text("erson — ", timeout=SCAN_MS)
    page.close()
