"""A first visit, the desks in the browser's history, a token, and what a phone shows first."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.page.conftest import NewPage
from tests.page.serving import Service, listed
from tests.page.test_certified import certified  # noqa: F401 - a fixture
from tests.page.test_scan import EXITS, SCAN_MS, decided, open_page

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
TOKEN = "s3cret-?~token"  # noqa: S105 - of a service of the test's own


def in_sight(page: Page, selector: str) -> bool:
    """Whether the whole element is on the first screen."""
    box = page.locator(selector).bounding_box()
    size = page.viewport_size
    assert size is not None
    return box is not None and box["y"] >= 0 and box["y"] + box["height"] <= size["height"]


@pytest.mark.parametrize("options", [{}, PHONE], ids=["desktop", "phone"])
def test_a_first_visit_plays_by_itself_until_somebody_chooses(
    new_page: NewPage,
    certified: tuple[Service, str],  # noqa: F811 - the fixture
    options: dict[str, object],
) -> None:
    service, _ = certified
    page = new_page(**options)
    page.goto(f"{service.url}/")
    decided(page, "decided after 5 of 105 rows")  # the policy of the certificate, without being asked for
    assert in_sight(page, "#decision")
    assert in_sight(page, "#go")
    assert page.locator("#policy").input_value() == "calibrated"
    second = page.locator("[data-sample=two]")
    expect(second).to_have_attribute("aria-pressed", "true", timeout=SCAN_MS)  # the next one, by itself
    page.locator("[data-sample=cup]").click()
    decided(page, "decided after 5 of 105 rows")
    expect(page.locator("[data-sample=cup]")).to_have_attribute("aria-pressed", "true")
    assert "sample=cup" in page.url


def test_an_address_that_names_settings_plays_nothing(page: Page, service: Service) -> None:
    open_page(page, service, EXITS)
    expect(page.locator("#decision")).to_have_text("Choose a picture")


def test_a_phone_has_verdict_and_stop_in_sight(new_page: NewPage, service: Service) -> None:
    page = new_page(**PHONE, permissions=["camera"], reduced_motion="reduce")
    page.goto(f"{service.url}/?mode=live")
    expect(page.locator("#go")).to_have_text("Use the webcam")
    assert in_sight(page, "#go")
    assert page.locator("#camera option").all_inner_texts() == ["Front camera", "Back camera"]
    page.click("#go")
    expect(page.locator("#live-words")).to_contain_text("erson — ", timeout=SCAN_MS)
    expect(page.locator("#go")).to_have_text("Stop")
    assert in_sight(page, "#go")
    assert in_sight(page, "#decision")


def test_the_camera_that_was_chosen_is_asked_for(page: Page, service: Service) -> None:
    page.add_init_script(
        "navigator.mediaDevices.getUserMedia = (ask => asked => { window.asked = asked.video; return ask(asked) })"
        "(navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices))"
    )
    page.goto(f"{service.url}/?mode=live")
    page.select_option("#camera", "environment")
    page.click("#go")
    expect(page.locator("#live-words")).to_contain_text("erson — ", timeout=SCAN_MS)
    assert page.evaluate("window.asked.facingMode") == "environment"
    name = page.locator("#camera option").last
    expect(name).not_to_have_text("Back camera")  # by its own name, now that the browser tells it
    page.select_option("#camera", label=name.inner_text())
    page.wait_for_function("() => window.asked.deviceId !== undefined")


def test_a_page_that_is_not_secure_says_how_to_have_a_camera(page: Page, service: Service) -> None:
    page.add_init_script("Object.defineProperty(window, 'isSecureContext', { value: false })")
    page.goto(f"{service.url}/?mode=live")
    expect(page.locator("#insecure")).to_contain_text("over https")


def test_back_leads_through_the_desks(page: Page, service: Service) -> None:
    open_page(page, service, f"{EXITS}&sample=street")
    decided(page)
    page.click("label[for=mode-wall]")
    page.select_option("#policy", "never")
    page.click("label[for=mode-live]")
    expect(page.locator("#go")).to_have_text("Use the webcam")
    page.go_back()
    expect(page.locator("body")).to_have_attribute("data-mode", "wall")
    expect(page.locator("#policy")).to_have_value("never")
    page.go_back()
    expect(page.locator("body")).to_have_attribute("data-mode", "scan")
    assert page.locator("#policy").input_value() == "published"
    decided(page, "decided after 35 of")
    page.go_forward()
    expect(page.locator("body")).to_have_attribute("data-mode", "wall")


def test_a_recording_goes_on_after_coming_back_and_a_webcam_waits(page: Page, service: Service) -> None:
    page.goto(f"{service.url}/?mode=live&policy=never")
    page.click("[data-recording=street]")
    expect(page.locator("#live-words")).to_contain_text("read to the end", timeout=SCAN_MS)
    page.click("label[for=mode-scan]")
    expect(page.locator("#decision")).to_have_text("Choose a picture")
    page.go_back()
    expect(page.locator("#status")).to_contain_text("recording", timeout=SCAN_MS)
    expect(page.locator("#go")).to_have_text("Stop")
    page.click("#go")
    page.click("#go")
    expect(page.locator("#status")).to_contain_text("the webcam", timeout=SCAN_MS)
    expect(page.locator("#go")).to_have_text("Stop", timeout=SCAN_MS)
    page.click("label[for=mode-scan]")
    page.go_back()
    expect(page.locator("#way-on")).to_have_text("Use it again")
    assert page.evaluate("document.getElementById('video').srcObject") is None
    page.click("#way-on")
    expect(page.locator("#go")).to_have_text("Stop", timeout=SCAN_MS)


def test_a_recording_is_known_by_its_bytes(page: Page, folder: Path) -> None:
    content = (folder / "street.rec").read_bytes()
    page.set_input_files("#file", {"name": "night.rasc", "mimeType": "", "buffer": content})
    expect(page.locator("#live-words")).to_contain_text("erson — ", timeout=SCAN_MS)


@pytest.fixture(scope="module")
def guarded(scenes: list[Path], small_weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that asks for a token."""
    file = tmp_path_factory.mktemp("token") / "token"
    file.write_text(TOKEN)
    service = Service(
        [*listed("weights", [small_weights]), *listed("samples", scenes), "--bearer-token-file", str(file)]
    )
    service.start()
    yield service
    service.stop()


def test_a_service_with_a_token_can_be_used(browser: Browser, guarded: Service) -> None:
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
    page.goto(f"{guarded.url}/?slow=1&{EXITS}&sample=street")
    expect(page.locator("#decision")).to_have_text("This service asks for a token")
    page.fill("#token", "wrong")
    page.press("#token", "Enter")
    expect(page.locator("#status")).to_contain_text("not the service’s token")  # noqa: RUF001 - as printed
    page.fill("#token", TOKEN)
    page.press("#token", "Enter")
    decided(page, "decided after 35 of")
    expect(page.locator("#sign-in")).to_be_hidden()
    assert TOKEN not in page.url
    with page.expect_download() as download:
        page.click("#export-json")
    assert TOKEN not in Path(download.value.path()).read_text()
    page.reload()
    decided(page, "decided after 35 of")  # kept for the session
    # A browser itself writes down each request that was refused: one a wrong answer, no more.
    assert [bool(re.search("401", words)) for words in complaints] == [True, True]
    page.context.close()


def test_the_page_links_to_what_explains_it(page: Page) -> None:
    for link in page.locator("footer a:visible").all():
        answer = page.request.get(str(link.evaluate("link => link.href")))
        assert answer.ok, link.inner_text()
