import json
import re
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.page.serving import Service

SCAN_MS = 30_000
EXITS = "policy=published&exit_threshold=0.6&skip_threshold=0.005"


def open_page(page: Page, service: Service, query: str) -> None:
    page.goto(f"{service.url}/?slow=10&{query}")
    expect(page.locator("[data-sample=street]")).to_be_visible()


def decided(page: Page, words: str = "erson — ") -> str:
    expect(page.locator("#decision")).to_contain_text(words, timeout=SCAN_MS)
    return page.locator("#decision").inner_text()


def decided_rows(page: Page) -> int:
    found = re.search(r"decided after (\d+) of", decided(page, "decided after"))
    assert found
    return int(found[1])


def expect_picture_until(page: Page, row: int) -> None:
    """Waits until the canvas shows the picture just above a row of the frame, and hatching from some way below it on.

    Hatching has a handful of colours, whatever its pattern; the scenes have noise, so their rows have many.
    """
    page.wait_for_function(
        """row => {
            const canvas = document.getElementById("panel-frame");
            const copy = new OffscreenCanvas(canvas.width, canvas.height);
            const context = copy.getContext("2d", { willReadFrequently: true });
            context.drawImage(canvas, 0, 0);
            const colours = at => {
                const pixels = context.getImageData(0, Math.floor(canvas.height * at / 105), canvas.width, 1).data;
                return new Set(new Uint32Array(pixels.buffer)).size;
            };
            return colours(row - 2.5) > 30 && colours(row + 20.5) < 20 && colours(104.5) < 20;
        }""",
        arg=row,
        timeout=SCAN_MS,
    )


def drag(page: Page, handle: Locator, value: float) -> None:
    """Moves an upright threshold line to a P(person)."""
    plot = page.locator("#panel .u-over").bounding_box()
    grip = handle.bounding_box()
    assert plot is not None
    assert grip is not None
    y = plot["y"] + plot["height"] / 3
    page.mouse.move(grip["x"] + grip["width"] / 2, y)
    page.mouse.down()
    page.mouse.move(plot["x"] + plot["width"] * (value + 0.02) / 1.04, y, steps=8)
    page.mouse.up()


def exported(page: Page) -> dict[str, Any]:
    with page.expect_download() as download:
        page.click("#export-json")
    content: dict[str, Any] = json.loads(Path(download.value.path()).read_text())
    return content


def test_offers_pictures_networks_and_policies(page: Page) -> None:
    expect(page.locator("#decision")).to_have_text("Choose a picture")
    assert page.locator("#variant option").evaluate_all("all => all.map(one => one.value)") == ["105x120", "210x240"]
    names = page.locator("#policy option").evaluate_all("all => all.map(one => one.value)")
    assert {"published", "never"} <= set(names)
    page.click("#go")
    decided(page)
    expect(page.locator("[data-sample=street]")).to_have_attribute("aria-pressed", "true")


def test_a_sample_scan_exits_early(page: Page, service: Service) -> None:
    page.goto(f"{service.url}/?slow=100&{EXITS}")
    page.click("[data-sample=street]")
    rows = decided_rows(page)
    assert rows == 35  # the first P(person) of this curve that reaches 0.6
    expect_picture_until(page, rows)
    expect(page.locator("#full-frame")).to_contain_text("What the full frame says")
    expect(page.locator("#detail")).to_contain_text("at burst 7 of 21; the remaining 70 rows are not needed")
    sent = int(page.locator("#saved-rows").inner_text())
    assert rows <= sent < 105  # what was on its way when the decision came counts
    expect(page.locator("#totals")).to_contain_text("1 frame,")
    page.click("#latency summary")
    expect(page.locator("#latency-table tbody tr")).to_have_count(4)
    expect(page.locator("#latency-table td").first).not_to_have_text("–")  # noqa: RUF001 - as printed
    content = exported(page)
    [curve] = content["curves"]
    assert curve["decision"]["exited"]
    assert curve["decision"]["compute_us"] > 0
    assert (curve["decision"]["burst_index"] + 1) * 5 == rows


def test_moving_a_threshold_changes_the_stated_exit(page: Page, service: Service) -> None:
    open_page(page, service, f"{EXITS}&sample=street")
    before = decided_rows(page)
    handle = page.locator("#panel .threshold-exit")
    drag(page, handle, 0.45)
    expect(page.locator("#detail")).to_contain_text("Worked out from the frame")
    after = decided_rows(page)
    assert after < before
    assert page.locator("#exit-threshold").input_value().startswith("0.4")
    handle.press("End")
    decided(page, "read to the end")
    content = exported(page)
    assert not content["curves"][0]["decision"]["exited"]


def test_the_re_evaluated_exit_is_the_streamed_one(page: Page, service: Service) -> None:
    open_page(page, service, f"{EXITS}&sample=street")
    decided_rows(page)
    page.fill("#exit-threshold", "0.45")
    page.press("#exit-threshold", "Tab")
    expect(page.locator("#detail")).to_contain_text("Worked out")
    told = exported(page)["curves"][0]
    page.click("#go")
    expect(page.locator("#detail")).not_to_contain_text("Worked out")
    decided_rows(page)
    streamed = exported(page)["curves"][0]
    assert told["decision"].items() <= streamed["decision"].items()
    assert told["points"] == streamed["points"]


def test_moving_the_skip_line_reruns_from_the_rows_kept(page: Page, service: Service) -> None:
    open_page(page, service, "policy=published&exit_threshold=0.99&skip_threshold=0&sample=hills")
    decided(page, "read to the end")
    drag(page, page.locator("#panel .threshold-skip"), 0.3)
    expect(page.locator("#detail")).to_contain_text("a skip changes the hidden state")
    expect(page.locator("#detail")).to_contain_text("bursts skipped")
    told = exported(page)["curves"][0]
    assert told["skipped"]
    page.click("#go")
    expect(page.locator("#detail")).not_to_contain_text("Read again")
    decided(page, "read to the end")
    streamed = exported(page)["curves"][0]
    assert told["points"] == streamed["points"]
    assert told["skipped"] == streamed["skipped"]


def test_pause_step_scrub_and_replay(page: Page, service: Service) -> None:
    page.goto(f"{service.url}/?slow=300&policy=never&sample=two")
    expect(page.locator("#pause")).to_be_enabled(timeout=SCAN_MS)
    page.click("#pause")
    expect(page.locator("#pause")).to_have_text("Go on")
    rows = page.locator("#row-count").inner_text()
    page.click("#step")
    page.click("#step")
    expect(page.locator("#row-count")).not_to_have_text(rows)
    page.select_option("#slow", "1")
    page.click("#pause")
    decided(page, "read to the end")
    page.locator("#scrub").focus()
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#row-count")).to_have_text("100 of 105 rows (95 %)")
    page.click("#back")
    expect(page.locator("#row-count")).to_have_text("95 of 105 rows (90 %)")
    page.click("#replay")
    expect(page.locator("#row-count")).to_have_text("105 of 105 rows (100 %)", timeout=SCAN_MS)


def test_two_policies_side_by_side(page: Page, service: Service) -> None:
    open_page(page, service, f"{EXITS}&sample=street")
    decided_rows(page)
    page.check("#beside")
    expect(page.locator("#panel-beside .panel-words")).to_contain_text("read to the end", timeout=SCAN_MS)
    expect(page.locator("#panel .panel-words")).to_contain_text("decided after")
    expect(page.locator("#saved-rows-beside")).to_have_text("105")
    expect(page.locator("#comparison")).to_have_text(
        "Published rule needed 35 rows, 67 % fewer than Never exit with 105."
    )
    content = exported(page)
    assert [curve["policy"]["name"] for curve in content["curves"]] == ["published", "never"]
    first, second = content["curves"]
    assert second["points"][: len(first["points"])] == first["points"]


def test_the_address_holds_the_settings(page: Page, service: Service) -> None:
    open_page(page, service, "sample=two")
    decided(page)
    page.select_option("#policy", "never")
    decided(page, "read to the end")
    expect(page.locator("#full-frame")).to_have_text("Every row was read: nothing was left out.")
    page.select_option("#sensor", "hm0360-vga")
    page.goto(page.url)
    expect(page.locator("#policy")).to_have_value("never")
    expect(page.locator("#sensor")).to_have_value("hm0360-vga")
    expect(page.locator("#slow")).to_have_value("10")
    decided(page, "read to the end")
    expect(page.locator("[data-sample=two]")).to_have_attribute("aria-pressed", "true")


def test_dropped_files_are_scanned_one_after_the_other(page: Page) -> None:
    page.evaluate(
        """async urls => {
            const carried = new DataTransfer();
            for (const [name, url] of Object.entries(urls)) {
                carried.items.add(new File([await (await fetch(url)).blob()], name, { type: "image/png" }));
            }
            document.dispatchEvent(new DragEvent("drop", { dataTransfer: carried, cancelable: true }));
        }""",
        {"first.png": "/v1/samples/hills.png", "second.png": "/v1/samples/cup.png"},
    )
    expect(page.locator("#totals")).to_contain_text("2 frames", timeout=SCAN_MS)
    expect(page.locator("[data-own='second.png']")).to_have_attribute("aria-pressed", "true")


def test_a_pasted_picture_is_scanned(page: Page) -> None:
    page.evaluate(
        """async () => {
            const carried = new DataTransfer();
            const picture = await (await fetch("/v1/samples/cup.png")).blob();
            carried.items.add(new File([picture], "image.png", { type: "image/png" }));
            document.dispatchEvent(new ClipboardEvent("paste", { clipboardData: carried, bubbles: true }));
        }"""
    )
    decided(page)
    expect(page.locator("[data-own='image.png']")).to_have_count(1)


def test_an_unreadable_file_is_told_and_the_page_goes_on(page: Page, scenes: list[Path]) -> None:
    page.set_input_files("#file", {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"no picture"})
    expect(page.locator("#status")).to_contain_text("notes.txt can’t be read as a picture")  # noqa: RUF001 - as printed
    expect(page.locator("#way-on")).to_have_text("Choose another file")
    page.set_input_files("#file", scenes[1])
    decided(page)
    expect(page.locator("#way-on")).to_be_hidden()
    explained = page.locator("#detail").inner_text()
    assert explained.startswith("P(person) came to")
    page.set_input_files("#file", {"name": "more.txt", "mimeType": "text/plain", "buffer": b"no picture"})
    expect(page.locator("#status")).to_contain_text("more.txt can’t be read as a picture")  # noqa: RUF001 - as printed
    expect(page.locator("#detail")).to_have_text(explained)  # of the picture that is still shown


def test_thresholds_that_cannot_be_are_refused_in_the_form(page: Page, service: Service) -> None:
    open_page(page, service, "policy=published&exit_threshold=0.2&skip_threshold=0.1")
    page.fill("#skip-threshold", "0.5")
    page.press("#skip-threshold", "Tab")
    page.click("[data-sample=street]")
    expect(page.locator("#skip-threshold:invalid")).to_have_count(1)
    expect(page.locator("#saved-rows")).to_have_text("–")  # noqa: RUF001 - as printed


def test_curves_and_picture_can_be_taken_along(page: Page, service: Service) -> None:
    open_page(page, service, f"{EXITS}&sample=street")
    rows = decided_rows(page)
    with page.expect_download() as download:
        page.click("#export-csv")
    lines = Path(download.value.path()).read_text().splitlines()
    assert lines[0] == "policy,burst_index,rows,state,p_person,confidence"
    assert sum("processed" in line for line in lines) == rows / 5
    with page.expect_download() as download:
        page.click("#export-png")
    assert Path(download.value.path()).read_bytes().startswith(b"\x89PNG")


def test_the_scan_works_by_keyboard_alone(page: Page, service: Service) -> None:
    open_page(page, service, EXITS)
    page.locator("[data-sample=street]").focus()
    page.keyboard.press("Enter")
    before = decided_rows(page)
    page.locator("#panel .threshold-exit").focus()
    for _ in range(4):
        page.keyboard.press("PageDown")
    expect(page.locator("#detail")).to_contain_text("Worked out")
    assert decided_rows(page) < before
    page.locator("#mode-scan").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#camera")).to_be_visible()
