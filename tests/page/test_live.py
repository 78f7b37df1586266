from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.page.conftest import NewPage
from tests.page.serving import Service
from tests.page.soak import check, watch

WAIT_MS = 30_000


def test_the_webcam_keeps_pace_at_the_large_network(page: Page, service: Service) -> None:
    """Five seconds of what `make page-soak` does for sixty."""
    check(
        watch(page, service.url, seconds=5), least_fps=2
    )  # the processor may be busy with other things; the soak asks for more
    page.click("#go")
    expect(page.locator("#go")).to_have_text("Use the webcam")
    expect(page.locator("#way-on")).to_have_text("Go on")


def test_the_webcam_is_asked_for_only_after_a_click(page: Page, service: Service) -> None:
    page.add_init_script(
        "navigator.mediaDevices.getUserMedia = (ask => (...all) => { window.asked = true; return ask(...all) })"
        "(navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices))"
    )
    page.goto(f"{service.url}/?mode=live")
    expect(page.locator("#camera")).to_be_visible()
    assert not page.evaluate("window.asked === true")
    page.click("#go")
    expect(page.locator("#live-words")).to_contain_text("erson — ", timeout=WAIT_MS)
    assert page.evaluate("window.asked === true")
    expect(page.locator("#rate dt")).to_have_count(8)
    page.click("#strip-data summary")
    expect(page.locator("#strip-table tbody tr").first).to_contain_text("erson")
    page.select_option("#policy", "never")
    expect(page.locator("#live-words")).to_contain_text("read to the end", timeout=WAIT_MS)


def test_a_background_tab_is_told_of(page: Page, service: Service) -> None:
    """Where the page takes the pictures itself; a camera's go to the worker, background or not."""
    page.add_init_script("delete window.MediaStreamTrackProcessor")
    page.goto(f"{service.url}/?mode=live")
    page.click("#go")
    expect(page.locator("#live-words")).to_contain_text("erson — ", timeout=WAIT_MS)
    for hidden in ("true", "false"):
        page.evaluate(
            f"Object.defineProperty(document, 'hidden', {{ configurable: true, value: {hidden} }});"
            "document.dispatchEvent(new Event('visibilitychange'))"
        )
    expect(page.locator("#status")).to_contain_text("in the background")
    read = page.locator("#rate").get_attribute("data-read")
    expect(page.locator("#rate")).not_to_have_attribute("data-read", read or "", timeout=WAIT_MS)


def test_a_camera_granted_after_turning_away_is_let_go(page: Page, service: Service) -> None:
    page.add_init_script(
        "navigator.mediaDevices.getUserMedia = (ask => async (...all) => {"
        " const camera = await ask(...all);"
        " await new Promise(resolve => { window.grant = resolve });"
        " window.camera = camera; return camera })"
        "(navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices))"
    )
    page.goto(f"{service.url}/?mode=live")
    page.click("#go")
    page.wait_for_function("() => typeof window.grant === 'function'")
    page.click("label[for=mode-scan]")
    page.evaluate("window.grant()")
    page.wait_for_function("() => window.camera?.getTracks().every(track => track.readyState === 'ended')")
    expect(page.locator("#decision")).to_have_text("Choose a picture")


def test_hysteresis_says_who_appeared(page: Page, service: Service) -> None:
    page.goto(f"{service.url}/?mode=live&policy=published&exit_threshold=0.6")
    page.click("#go")
    expect(page.locator("#events li").first).to_contain_text("Person appeared", timeout=WAIT_MS)


@pytest.mark.parametrize(
    ("error", "words"),
    [("NotAllowedError", "The camera was refused"), ("NotFoundError", "There is no camera here")],
)
def test_a_camera_that_cannot_be_had(page: Page, service: Service, error: str, words: str) -> None:
    page.add_init_script(f"navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', '{error}'))")
    page.goto(f"{service.url}/?mode=live")
    page.click("#go")
    expect(page.locator("#status")).to_contain_text(words)
    expect(page.locator("#way-on")).to_have_text("Try again")


def test_a_camera_refused_by_the_browser(new_page: NewPage, service: Service) -> None:
    page = new_page()
    page.goto(f"{service.url}/?mode=live")
    page.click("#go")
    expect(page.locator("#status")).to_contain_text("The camera was refused", timeout=WAIT_MS)


def test_a_recording_is_played(page: Page, service: Service) -> None:
    page.goto(f"{service.url}/?mode=live&policy=never")
    page.click("[data-recording=street]")
    expect(page.locator("#live-words")).to_contain_text("read to the end", timeout=WAIT_MS)
    expect(page.locator("#totals")).to_contain_text("frames")


def test_a_recording_is_not_sent_past_private_areas(page: Page, service: Service) -> None:
    page.goto(f"{service.url}/?mode=live&policy=never&masks=0,0,50,100")
    page.click("[data-recording=street]")
    expect(page.locator("#status")).to_contain_text("be applied to a recording", timeout=WAIT_MS)


def test_an_altered_recording_is_refused(page: Page, folder: Path) -> None:
    whole = bytearray((folder / "street.rec").read_bytes())
    whole[len(whole) // 2] ^= 1
    page.set_input_files("#file", {"name": "bad.rec", "mimeType": "", "buffer": bytes(whole)})
    expect(page.locator("#status")).to_contain_text("altered: its checksum is wrong", timeout=WAIT_MS)


def test_a_video_file_is_watched(page: Page, folder: Path) -> None:
    pytest.importorskip("av", reason="PyAV (extra video) is not installed")
    from tests.films import write_film
    from tests.page.scenes import scene

    pictures = (np.asarray(scene("street", shift=index * 8.0)) for index in range(15))
    page.set_input_files("#file", write_film(folder / "walk.webm", pictures, rate=15, codec="libvpx"))
    expect(page.locator("#live-words")).to_contain_text("erson — ", timeout=WAIT_MS)


def test_a_file_that_is_no_video_is_told(page: Page) -> None:
    page.set_input_files("#file", {"name": "bad.webm", "mimeType": "video/webm", "buffer": b"none"})
    expect(page.locator("#status")).to_contain_text("bad.webm can’t be played")  # noqa: RUF001 - as printed
