import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from model.checkpoint import save_checkpoint
from model.config import VARIANTS
from tests.networks import random_checkpoint
from tests.page.scenes import write_camera, write_scenes
from tests.page.serving import CHROMIUM, DIST, Service, chromium, listed

expect.set_options(timeout=30_000)  # tests run beside each other; five seconds are too few on a busy machine


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    missing = (
        "chromium is not installed"
        if CHROMIUM is None
        else "the page is not built: npm ci && npm run build in clients/browser"
        if not (DIST / "index.html").is_file()
        else ""
    )
    for item in items:
        if missing and Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.skip(reason=missing))


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("page")


@pytest.fixture(scope="session")
def scenes(folder: Path) -> list[Path]:
    return write_scenes(folder)


def _write_weights(folder: Path, variant: str, seed: int) -> Path:
    path = folder / f"{variant}.safetensors"
    save_checkpoint(random_checkpoint(VARIANTS[variant], seed), path)
    return path


@pytest.fixture(scope="session")
def small_weights(folder: Path) -> Path:
    """Random weights under which P(person) of the street rises from 0.2 to 0.7 in a third of the frame, then falls.

    The tests' thresholds stand on that curve; nothing here depends on the weights that come with the project.
    """
    return _write_weights(folder, "105x120", seed=35)


@pytest.fixture(scope="session")
def large_weights(folder: Path) -> Path:
    """The larger network with random weights: what it says does not matter here, what it costs does."""
    return _write_weights(folder, "210x240", seed=7)


@pytest.fixture(scope="session")
def service(scenes: list[Path], small_weights: Path, large_weights: Path, folder: Path) -> Iterator[Service]:
    """The service with a small and a large network, the scenes, and a recording of one."""
    recording = folder / "street.rec"
    command = [sys.executable, "-m", "clients.commands.main", "record", str(scenes[0]), "--out", str(recording)]
    subprocess.run([*command, "--frames", "4", "--preset", "daylight"], check=True, capture_output=True, timeout=120)
    weights = listed("weights", [small_weights, large_weights])
    service = Service([*weights, *listed("samples", scenes), *listed("recordings", [recording])])
    service.start()
    yield service
    service.stop()


@pytest.fixture(scope="module")
def browser(folder: Path) -> Iterator[Browser]:
    """One a module: while Playwright is open, no other test of this thread can run an event loop."""
    with chromium(write_camera(folder / "camera.y4m")) as browser:
        yield browser


NewPage = Callable[..., Page]


@pytest.fixture
def new_page(browser: Browser) -> Iterator[NewPage]:
    """Opens a page in a context with these options; a complaint on its console fails the test."""
    complaints: list[str] = []
    with ExitStack() as contexts:

        def open_one(**options: Any) -> Page:
            context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}} | options)
            contexts.callback(context.close)
            page = context.new_page()
            page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
            page.on("pageerror", lambda error: complaints.append(str(error)))
            return page

        yield open_one
        assert complaints == []


@pytest.fixture
def page(new_page: NewPage, service: Service) -> Page:
    """The page, loaded."""
    page = new_page(permissions=["camera"])
    page.goto(f"{service.url}/?slow=10")
    expect(page.locator("[data-sample=street]")).to_be_visible()
    return page
