"""The site of `make site`: static files below a sub-path of any host, no service; offline once it was loaded."""

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from model.checkpoint import WEIGHTS_FOLDER
from model.config import VARIANTS
from tests.page.conftest import NewPage
from tests.page.serving import SITE, StaticHost
from tests.page.test_access import AXE, MOST_BYTES, violations
from tests.page.test_scan import SCAN_MS, decided, decided_rows, drag, exported

BUILT = (SITE / "index.html").is_file()
KERNEL = any(SITE.glob("assets/int8-simd128-*.wasm"))
MOST_WASM_BYTES = 25_000

pytestmark = pytest.mark.skipif(
    not (BUILT and KERNEL), reason="the site is not built with its kernels: make site (needs npm and clang-19)"
)


@pytest.fixture
def host() -> Iterator[StaticHost]:
    """A host whose sub-path /site/ the site is."""
    host = StaticHost(SITE.parent)
    yield host
    host.stop()


def test_a_first_visit_shows_an_early_exit_on_a_photograph_without_a_click(new_page: NewPage, host: StaticHost) -> None:
    page = new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{host.url}/site/")
    assert decided_rows(page) < 105
    weights = [url for url in asked if url.endswith(".safetensors")]
    assert len(weights) == 1, "the page fetches the network that it runs alone"
    assert "/105x120_int8-" in weights[0]
    assert decided(page).startswith("Person")
    expect(page.locator("[data-sample=astronaut]")).to_have_attribute("aria-pressed", "true")
    assert page.locator("#policy").input_value() == "calibrated"
    expect(page.locator("footer .at-page")).to_contain_text("pictures stay here")
    expect(page.locator("#engine-field")).to_be_hidden()
    for link in page.locator("footer a:visible").all():
        assert page.request.get(f"{host.url}/site/{link.get_attribute('href')}").ok


def test_scan_threshold_webcam_wall_and_offline(new_page: NewPage, host: StaticHost) -> None:
    page = new_page(permissions=["camera"], reduced_motion="reduce")
    page.goto(f"{host.url}/site/?slow=1&policy=two_sided&exit_above=0.9&exit_below=0.001&sample=camera")
    before = decided_rows(page) if "decided after" in decided(page) else 105
    drag(page, page.locator("#panel .threshold-exit"), 0.6)
    expect(page.locator("#detail")).to_contain_text("nothing was sent again")
    assert decided_rows(page) < before
    content = exported(page)
    assert len(content["weights"]) == 64
    for summary in page.locator("summary:visible").all():
        summary.click()
    expect(page.locator("#latency-table")).to_contain_text("Compute")
    assert "Sensor readout" not in page.locator("#latency-table").inner_text()
    if AXE.is_file():
        assert violations(page) == []

    page.click("label[for=mode-live]")
    page.click("#go")
    expect(page.locator("#live-words")).to_contain_text("erson — ", timeout=SCAN_MS)
    page.click("#go")

    page.click("label[for=mode-wall]")
    page.click("#go")
    expect(page.locator(".wall-tile")).to_have_count(16, timeout=SCAN_MS)
    page.wait_for_function("() => Number(document.getElementById('wall-totals').dataset.frames) >= 16", timeout=SCAN_MS)
    page.click("#go")

    page.wait_for_function("() => navigator.serviceWorker.ready.then(({ active }) => active?.state === 'activated')")
    host.stop()
    page.goto(f"{host.url}/site/?slow=1&policy=never&variant=210x240&sample=chelsea")  # weights not loaded before
    decided(page, "read to the end")


COUNTED = """
window.tasks = [];
const post = Worker.prototype.postMessage;
Worker.prototype.postMessage = function (message, ...rest) {
    if (message.task) window.tasks.push(message.task.kind);
    return post.call(this, message, ...rest);
};
"""


def test_a_picture_chosen_again_before_its_file_came_is_scanned_once(new_page: NewPage, host: StaticHost) -> None:
    page = new_page(reduced_motion="reduce")
    page.add_init_script(COUNTED)
    page.goto(f"{host.url}/site/?slow=1&policy=never&sample=chelsea")
    decided(page, "read to the end")
    page.evaluate(
        """() => {
            tasks.length = 0;
            for (let i = 0; i < 3; i++) document.querySelector("[data-sample=camera]").click();
        }"""
    )
    expect(page.locator("#status")).not_to_contain_text("Scanning", timeout=SCAN_MS)
    decided(page, "read to the end")
    assert page.evaluate("tasks") == ["expose", "scan"]


def test_a_picture_without_pixels_is_refused(new_page: NewPage, host: StaticHost) -> None:
    page = new_page()
    page.goto(f"{host.url}/site/?slow=1&policy=never&sample=chelsea")
    decided(page, "read to the end")
    header = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR" + bytes(8) + b"\x08\x02" + bytes(7)
    page.set_input_files("#file", {"name": "none.png", "mimeType": "image/png", "buffer": header})
    expect(page.locator("#status")).to_contain_text("none.png has no pixels", timeout=SCAN_MS)


def test_the_sites_policy_is_strict_and_its_files_are_small() -> None:
    page = (SITE / "index.html").read_text()
    assert "Content-Security-Policy" in page
    assert "unsafe-" not in page

    def packed(path: Path) -> int:
        return len(gzip.compress(path.read_bytes()))

    files = [path for path in SITE.rglob("*") if path.suffix in (".js", ".css", ".html", ".svg")]
    assert sum(map(packed, files)) < MOST_BYTES
    kernels = list(SITE.glob("assets/*.wasm"))
    assert kernels
    assert max(map(packed, kernels)) < MOST_WASM_BYTES
    for variant in VARIANTS:
        for arithmetic in ("_int8", ""):
            (weights,) = SITE.glob(f"assets/{variant}{arithmetic}-*.safetensors")
            assert weights.read_bytes() == (WEIGHTS_FOLDER / f"rascanet_{variant}{arithmetic}.safetensors").read_bytes()


def test_every_photograph_of_the_site_names_its_licence() -> None:
    licences = (SITE / "samples" / "LICENSES.txt").read_text()
    pictures: list[Any] = [path.name for path in (SITE / "samples").glob("*.jpg")]
    assert pictures
    for name in pictures:
        assert name in licences or (name.startswith("drawn-") and "drawn-*.jpg" in licences)
