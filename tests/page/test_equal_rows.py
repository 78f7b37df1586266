"""One picture is one frame, whichever door it comes through: the page and the Python client send the same rows."""

import threading
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import uvicorn
from PIL import Image
from playwright.sync_api import Browser, Page

from clients.commands.ports import free_port
from clients.python.client import Client
from model.picture import read_picture
from sensor_sim.clock import VirtualClock
from sensor_sim.scene import sample_photos
from sensor_sim.window import Polygon, Rectangle, Shape, Window
from sensor_sim.wire import Message, Progress, Rows
from server.app import create_app
from server.networks import load_networks
from server.settings import Settings
from server.stream.session import StreamSession
from tests.page.scenes import scene
from tests.page.test_scan import decided, exported
from tests.waiting import until

VARIANT, SIZE = "105x120", (105, 120)
MOST_JPEG_DIFFERENCE = 0.02

Streams = list[bytearray]


@pytest.fixture(scope="module")
def heard() -> Streams:
    """The rows of each stream that the service took, joined."""
    return []


@pytest.fixture(scope="module")
def url(heard: Streams) -> Iterator[str]:
    """A service in this process, so that what it takes can be listened to."""
    streams: dict[int, bytearray] = {}
    receive = StreamSession.receive

    def listening(session: StreamSession, message: Message, *, behind: bool = False) -> object:
        if isinstance(message, Rows):
            if id(session) not in streams or message.first_burst == 0:
                streams[id(session)] = bytearray()
                heard.append(streams[id(session)])
            streams[id(session)] += message.rows.tobytes()
        return receive(session, message, behind=behind)

    port = free_port()
    settings = Settings(port=port)
    app = create_app(settings, load_networks(settings))
    server = uvicorn.Server(uvicorn.Config(app, port=port, ws="websockets-sansio", log_config=None))
    thread = threading.Thread(target=server.run, daemon=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StreamSession, "receive", listening)
        thread.start()
        until(lambda: server.started, "the service did not start")
        yield f"http://127.0.0.1:{port}"
        server.should_exit = True
        thread.join(10)


@pytest.fixture(scope="module")
def page_here(browser: Browser, url: str) -> Iterator[Page]:
    page = browser.new_page()
    page.goto(f"{url}/?slow=1&policy=never")
    page.wait_for_selector("#drop")
    yield page
    page.close()


def _by_page(page: Page, path: Path, heard: Streams) -> tuple[list[bytes], list[float]]:
    heard.clear()
    page.set_input_files("#file", path)
    page.wait_for_selector(f"[data-own='{path.name}'][aria-pressed=true]")
    decided(page, "read to the end")
    rows = [bytes(stream) for stream in heard]
    return rows, [point["p_person"] for point in exported(page)["curves"][0]["points"]]


def _by_client(url: str, path: Path, heard: Streams) -> tuple[bytes, list[float]]:
    heard.clear()
    curve: list[float] = []

    def observe(message: object) -> None:
        if isinstance(message, Progress):
            curve.append(message.p_person)

    never = {"name": "never"}
    with Client(url, VARIANT, policy=never, progress_every=1, clock=VirtualClock(), observer=observe) as client:
        list(client.stream([client.photo(path)]))
    [rows] = heard
    return bytes(rows), curve


def _pictures() -> dict[str, Image.Image]:
    noise = np.random.default_rng(5).integers(0, 256, (333, 500, 4), np.uint8)
    return {
        "street": scene("street"),
        "tall": scene("two").resize((300, 900)),
        "tiny": scene("hills").resize((40, 30)),
        "noise": Image.fromarray(noise[..., :3]),
        "grey": Image.fromarray(noise[..., 0]),
        "palette": scene("cup").quantize(64),
        "transparent": Image.fromarray(noise),
    } | {path.stem: read_picture(path) for path in sample_photos()}


@pytest.mark.parametrize("name", list(_pictures()))
def test_png_rows_are_byte_identical(page_here: Page, url: str, heard: Streams, folder: Path, name: str) -> None:
    path = folder / f"{name}.png"
    _pictures()[name].save(path)
    rows, curve = _by_page(page_here, path, heard)
    expected, expected_curve = _by_client(url, path, heard)
    assert [len(stream) for stream in rows] == [len(expected)] * 2, "once under the policy, once without exit"
    assert rows == [expected] * 2
    assert curve == expected_curve


def test_what_is_shown_behind_masks_is_sent_as_the_commands_send_it(
    browser: Browser, url: str, heard: Streams, folder: Path
) -> None:
    path = folder / "masked.png"
    _pictures()["street"].save(path)
    picture = np.asarray(read_picture(path))
    masks: tuple[Shape, ...] = Rectangle(0, 0, 30, 100), Polygon(((60.5, 50), (100, 35.2), (80, 95)))
    region = Rectangle(10, 0, 80, 90)
    page = browser.new_page()
    page.goto(f"{url}/?slow=1&policy=never&masks=0,0,30,100;60.5,50,100,35.2,80,95")
    page.wait_for_selector("#drop")
    rows, _ = _by_page(page, path, heard)
    assert rows == [Window(masks=masks).frame(picture, *SIZE).tobytes()] * 2
    heard.clear()
    page.fill("#region", "10, 0, 80, 90")
    page.press("#region", "Tab")
    expected = Window("part", region, masks).frame(picture, *SIZE).tobytes()
    deadline = time.monotonic() + 30
    while [bytes(stream) for stream in heard] != [expected] * 2:
        assert time.monotonic() < deadline, "the region was not sent"
        page.wait_for_timeout(50)
    page.fill("#region", "10, 0, 800, 90")
    page.press("#region", "Tab")
    assert page.eval_on_selector("#region", "field => field.validationMessage").endswith("100 percent wide and high.")
    page.close()


def test_jpeg_curves_are_close(page_here: Page, url: str, heard: Streams, folder: Path) -> None:
    largest = 0.0
    for name, picture in _pictures().items():
        if name in ("noise", "transparent", "grey", "tiny"):
            continue  # no photographs
        content = BytesIO()
        picture.convert("RGB").save(content, "JPEG", quality=90)
        path = folder / f"{name}-jpeg.jpg"
        path.write_bytes(content.getvalue())
        _, curve = _by_page(page_here, path, heard)
        _, expected = _by_client(url, path, heard)
        largest = max(largest, float(np.abs(np.array(curve) - expected).max()))
    print(f"largest difference of P(person) over the JPEG samples: {largest:.6f}")
    assert largest < MOST_JPEG_DIFFERENCE
