"""One's own pictures: many at once, unreadable ones, what each came to, and how the page says so."""

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.page.serving import Service
from tests.page.test_scan import EXITS, SCAN_MS, decided, open_page

LIMIT = 64


def chips(page: Page) -> list[str]:
    return page.locator("[data-own] .chip").all_inner_texts()


def add(page: Page, count: int, broken: tuple[int, ...] = ()) -> None:
    """Drops so many small pictures; those with a number in `broken` are none."""
    page.evaluate(
        """async ({ count, broken }) => {
            const carried = new DataTransfer();
            for (let index = 0; index < count; index++) {
                const canvas = new OffscreenCanvas(40, 30);
                const context = canvas.getContext("2d");
                context.fillStyle = `hsl(${index * 37} 60% ${20 + index % 60}%)`;
                context.fillRect(0, 0, 40, 30);
                const content = broken.includes(index) ? new Blob(["no picture"]) : await canvas.convertToBlob();
                carried.items.add(new File([content], `p${index}.png`, { type: "image/png" }));
            }
            document.dispatchEvent(new DragEvent("drop", { dataTransfer: carried, cancelable: true }));
        }""",
        {"count": count, "broken": list(broken)},
    )


def test_every_picture_says_what_it_came_to(page: Page, service: Service, scenes: list[Path]) -> None:
    open_page(page, service, EXITS)
    page.set_input_files("#file", scenes)
    expect(page.locator("#results-words")).to_contain_text(f"{len(scenes)} pictures", timeout=SCAN_MS)
    found = chips(page)
    assert len(found) == len(scenes)
    for chip in found:
        assert re.fullmatch(r"(Person|No person) · (row \d+ · \d+ % not needed|read whole|\d+ % not needed)", chip), (
            chip
        )
    assert "Person · row 35 · 67 % not needed" in found  # the street
    assert re.search(r"\d+ % of the rows not needed on average", page.locator("#results-words").inner_text())
    page.click("#results summary")
    expect(page.locator("#results-table tbody tr")).to_have_count(len(scenes))
    page.select_option("#policy", "never")  # what was found under another policy says nothing any more
    expect(page.locator("#results")).to_be_hidden()
    page.click(f"[data-own='{scenes[0].name}']")
    decided(page, "read to the end")
    found = [chip for chip in chips(page) if chip != ""]  # the picture that was shown may have been scanned again
    assert found
    assert all(chip.endswith("read whole") for chip in found)


def test_files_beyond_the_limit_are_counted_and_the_form_stays_in_reach(page: Page) -> None:
    add(page, LIMIT + 20)
    expect(page.locator("#left-out")).to_have_text(f"20 more were left out: {LIMIT} at most.")
    expect(page.locator("[data-own]")).to_have_count(LIMIT)
    form = page.locator("#settings").bounding_box()
    assert form is not None
    assert form["height"] < 1350
    page.evaluate(  # the scans that go on meanwhile say the next thing soon
        """() => {
            const status = document.querySelector("#status");
            window.said = [];
            new MutationObserver(() => window.said.push(status.textContent)).observe(
                status, { childList: true, characterData: true, subtree: true });
        }"""
    )
    add(page, 3)
    page.wait_for_function(
        "words => window.said.some(text => text.includes(words))", arg=f"no room for more pictures: {LIMIT} at most"
    )


@pytest.mark.parametrize("broken", [(1,), (0, 3)])
def test_unreadable_files_take_nothing_away(page: Page, broken: tuple[int, ...]) -> None:
    add(page, 4, broken)
    words = f"{4 - len(broken)} pictures"
    expect(page.locator("#results-words")).to_contain_text(words, timeout=SCAN_MS)
    expect(page.locator("#results-words")).to_contain_text(f"{len(broken)} could not be read")
    expect(page.locator(".chip[data-kind=fault]")).to_have_text(["can’t be read"] * len(broken))  # noqa: RUF001 - as printed
    decided(page)  # the last one that could be read is still shown
    last = max({0, 1, 2, 3} - set(broken))
    expect(page.locator(f"[data-own='p{last}.png']")).to_have_attribute("aria-pressed", "true")


def test_ones_own_pictures_can_be_removed(page: Page) -> None:
    remove = page.get_by_role("button", name="Remove your pictures")
    expect(remove).to_be_hidden()
    add(page, 3, (1,))
    expect(page.locator("#results-words")).to_contain_text("2 pictures", timeout=SCAN_MS)
    samples = page.locator("[data-sample]").count()
    remove.click()
    expect(page.locator("[data-own]")).to_have_count(0)
    expect(page.locator("#results")).to_be_hidden()
    expect(page.locator("#decision")).to_have_text("Choose a picture")
    expect(remove).to_be_hidden()
    assert page.locator("[data-sample]").count() == samples
    add(page, 1)
    decided(page)


def test_an_address_says_that_ones_own_picture_is_not_in_it(page: Page, service: Service, scenes: list[Path]) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    open_page(page, service, f"{EXITS}&sample=street")
    decided(page)
    explained = page.locator("#detail").inner_text()
    page.click("#share")
    expect(page.locator("#share-said")).to_have_text("The address with all settings is on the clipboard.")
    assert page.locator("#detail").inner_text() == explained  # what explains the decision stays
    page.set_input_files("#file", scenes[1])
    expect(page.locator(f"[data-own='{scenes[1].name}']")).to_have_attribute("aria-pressed", "true")
    decided(page)
    page.click("#share")
    expect(page.locator("#share-said")).to_contain_text("Your own picture is not in it")


def test_a_drag_from_another_page_is_told_what_to_do(page: Page) -> None:
    page.evaluate(
        """() => {
            const carried = new DataTransfer();
            carried.setData("text/uri-list", "https://example.org/cat.jpg");
            carried.setData("text/html", "<img src='https://example.org/cat.jpg'>");
            document.dispatchEvent(new DragEvent("drop", { dataTransfer: carried, cancelable: true }));
        }"""
    )
    expect(page.locator("#status")).to_contain_text("copy it and paste it here")


def test_a_picture_keeps_its_own_shape(page: Page, service: Service, folder: Path) -> None:
    from tests.page.scenes import scene

    open_page(page, service, "policy=never")
    for size, words in (((400, 400), "squeezed from top and bottom"), ((640, 360), "squeezed from the sides")):
        path = folder / f"shape{size[1]}.png"
        scene("two").resize(size).save(path)
        page.set_input_files("#file", path)
        expect(page.locator(f"[data-own='{path.name}']")).to_have_attribute("aria-pressed", "true")
        expect(page.locator("#panel .squashed")).to_contain_text(words, timeout=SCAN_MS)
        box = page.locator("#panel-frame").bounding_box()
        assert box is not None
        assert box["width"] / box["height"] == pytest.approx(size[0] / size[1], rel=0.02)
        decided(page)


def test_no_file_that_is_saved_lets_anybody_go_on_with_the_stream(page: Page, service: Service) -> None:
    open_page(page, service, f"{EXITS}&sample=street&compare=never")
    decided(page)
    saved = {}
    for name in ("csv", "json", "png"):
        with page.expect_download() as download:
            page.click(f"#export-{name}")
        saved[name] = Path(download.value.path()).read_bytes()
    for content in saved.values():
        assert not re.search(rb"token|credit|bearer|resume", content, re.IGNORECASE)
    decision = json.loads(saved["json"])["curves"][0]["decision"]
    assert set(decision) <= {
        *("burst_index", "p_person", "person", "exited", "processed", "skipped", "unread", "compute_us", "certificate")
    }


def test_the_picture_that_is_saved_explains_itself(page: Page, service: Service) -> None:
    page.add_init_script(
        """window.drawn = [];
        const draw = CanvasRenderingContext2D.prototype.fillText;
        CanvasRenderingContext2D.prototype.fillText = function (text, ...place) {
            window.drawn.push(text);
            return draw.call(this, text, ...place);
        };"""
    )
    open_page(page, service, f"{EXITS}&sample=street")
    decided(page)
    page.evaluate("window.drawn = []")
    with page.expect_download():
        page.click("#export-png")
    drawn = page.evaluate("window.drawn")
    assert "street" in drawn
    assert "Published rule: Person — decided after 35 of 105 rows (33 %)" in drawn
    for words in ("rascanet-stream", "P(person) 0.6", "exit: person, at or above 0.6", "skip, at or below 0.005"):
        assert any(words in text for text in drawn), (words, drawn)
