"""The bench page: what it shows of a link, and that everybody can use it. The smoke run of `test_command` measures."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from clients.commands.bench import browser
from clients.commands.bench.browser import PAGE, tables
from tests.page.serving import CHROMIUM, ROOT, chromium

AXE = ROOT / "clients" / "browser" / "node_modules" / "axe-core" / "axe.min.js"
PAGE_FORMAT = "rascanet-stream browser bench/1"


def contender(name: str, us: float, ours: bool = True) -> dict[str, Any]:
    return {"name": name, "ours": ours, "loadMs": [us / 10], "bytes": 1000, "usPerBurst": [us, us], "logits": [0, 1]}


def report() -> dict[str, Any]:
    contenders = [contender("ours, float32, SIMD", 40), contender("onnxruntime-web, conv form", 400, ours=False)]
    contenders.append(contender("ours, float32, relaxed SIMD", 1) | {"missing": "this browser has none"})
    variants = [{"variant": "105x120", "contenders": contenders}]
    return {"format": PAGE_FORMAT, "agent": "A browser", "cores": 3, "variants": variants}


def link(content: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    with browser._serving(tmp_path) as address, chromium() as started:
        made = started.new_page()
        made.set_default_timeout(20_000)
        made.goto(address)
        yield made


@pytest.mark.long
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
@pytest.mark.skipif(not PAGE.is_dir(), reason="the page is not built: `make browser-bench`")
def test_a_link_shows_its_figures_and_others_are_refused(page: Page) -> None:
    address = page.url
    page.goto(f"{address}#{link(report())}")
    page.reload()
    expect(page.locator("#status")).to_have_text("Figures of a link, measured on 3 cores. A browser")
    cells = page.locator("tbody tr").first.locator("th, td").all_inner_texts()
    assert cells == ["ours, float32, SIMD", "40.0", "10.0", "4.0", "1"]
    assert "this browser has none" in page.locator("tbody tr").last.inner_text()
    if AXE.is_file():
        page.evaluate(AXE.read_text())
        assert page.evaluate("axe.run().then(found => found.violations.map(one => one.id))") == []
    for wrong in ("x", link({"format": "other"}), link(report() | {"agent": 1}), link(report() | {"variants": [{}]})):
        page.goto(f"{address}#{wrong}")
        page.reload()
        expect(page.locator("#status")).to_have_text("The link holds no figures. Measure your own.")
        assert page.locator("tbody").count() == 0


@pytest.mark.long
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
@pytest.mark.skipif(not PAGE.is_dir(), reason="the page is not built: `make browser-bench`")
def test_each_load_is_alone_and_turns_are_beside_each_other(page: Page) -> None:
    alive: list[int] = []
    page.on("worker", lambda _: alive.append(len(page.workers)))
    page.goto(f"{page.url}?variant=105x120&loads=1&rounds=1&turn=1")
    page.click("#start")
    page.wait_for_selector("#tables[data-report]", state="attached")
    reported = json.loads(page.locator("#tables").get_attribute("data-report") or "")
    contenders = reported["variants"][0]["contenders"]
    measured = [row for row in contenders if "missing" not in row]
    # The other runtime's step is not exported here: it is loaded, and takes no turn.
    assert [row["ours"] for row in contenders if "missing" in row] == [False, False]
    assert alive == [1] * len(contenders) + list(range(1, 1 + len(measured)))
    assert all(len(row["loadMs"]) == len(row["usPerBurst"]) == 1 for row in measured)


def test_a_machine_without_a_browser_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browser, "BROWSERS", ("no-such-browser",))
    assert "no-such-browser is not installed" in tables({"missing": browser.missing()})[0].markdown()


def test_contenders_that_disagree_end_the_run() -> None:
    measured = report()["variants"][0]
    browser._check(measured)
    assert [row.get("difference") for row in measured["contenders"]] == [0, 0, None]
    measured["contenders"][1]["logits"] = [0, 1.1]
    with pytest.raises(ArithmeticError, match="onnxruntime-web, conv form disagrees with ours, float32, SIMD"):
        browser._check(measured)


def test_the_table_compares_with_the_fastest_other() -> None:
    text = tables(report() | {"browser": "156"})[0].markdown()
    assert "| ours, float32, SIMD | 40 | 10 [10..10] | 4 | 10% | 1 | - |" in text
    assert "| ours, float32, relaxed SIMD | this browser has none | - |" in text
