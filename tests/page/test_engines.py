"""The network in the page decides as the service does, on a page that has both."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.page.conftest import NewPage
from tests.page.serving import DIST, Service, listed
from tests.page.site import write_samples
from tests.page.test_scan import decided, exported

pytestmark = pytest.mark.skipif(
    not list(DIST.glob("assets/int8-simd128-*.wasm")), reason="the page was built without its kernels: make page"
)

POLICIES = ("policy=calibrated", "policy=published&exit_threshold=0.9&skip_threshold=0.2", "policy=patience")
SAMPLES = ("astronaut", "camera", "chelsea", "drawn-two")


@pytest.fixture(scope="module")
def integers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with the shipped networks in integers, and the site's pictures."""
    samples = write_samples(tmp_path_factory.mktemp("samples"))
    service = Service([*listed("samples", samples), "--arithmetic", "int8"])
    service.start()
    yield service
    service.stop()


def scanned(page: Page, url: str) -> list[dict[str, Any]]:
    """The curves and decisions of a scan, without how long they took."""
    page.goto(url)
    decided(page)
    content = exported(page)
    for curve in content["curves"]:
        curve["decision"].pop("compute_us", None)
    curves: list[dict[str, Any]] = content["curves"]
    return [{**curve, "weights": content["weights"]} for curve in curves]


@pytest.mark.parametrize("policy", POLICIES)
def test_both_engines_say_the_same_to_the_bit(new_page: NewPage, integers: Service, policy: str) -> None:
    page = new_page(reduced_motion="reduce")
    for sample in SAMPLES:
        address = f"{integers.url}/?slow=1&{policy}&sample={sample}"
        here = scanned(page, f"{address}&engine=page&variant=105x120_int8")
        there = scanned(page, f"{address}&engine=service&variant=105x120")
        assert here == there


def test_the_engine_is_chosen_in_the_form(new_page: NewPage, integers: Service) -> None:
    page = new_page(reduced_motion="reduce")
    page.goto(f"{integers.url}/?slow=1&sample=astronaut")
    decided(page)
    expect(page.locator("#engine")).to_have_value("service")
    expect(page.locator("footer .at-service").first).to_be_visible()
    page.select_option("#engine", "page")
    decided(page)
    expect(page.locator("#engine")).to_have_value("page")
    expect(page.locator("footer .at-page")).to_be_visible()
    assert page.locator("#variant option").evaluate_all("all => all.map(one => one.value)")[0] == "105x120_int8"
    assert "engine=page" in page.url
