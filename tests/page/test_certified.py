"""A certificate on the page: its policy is offered, and the decision names it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from model.certificate import certificate_beside
from model.checkpoint import load_checkpoint, save_checkpoint
from model.config import VARIANTS
from tests.networks import random_checkpoint
from tests.page.conftest import NewPage
from tests.page.serving import Service, listed
from tests.server.certificates import certificate_of


@pytest.fixture
def certified(scenes: list[Path], tmp_path: Path) -> Iterator[tuple[Service, str]]:
    weights = tmp_path / "w.safetensors"
    save_checkpoint(random_checkpoint(VARIANTS["105x120"], 1), weights)
    certificate = certificate_of(load_checkpoint(weights))
    certificate.save(certificate_beside(weights))
    service = Service([*listed("weights", [weights]), *listed("samples", scenes), "--audit-share", "1"])
    service.start()
    yield service, certificate.digest
    service.stop()


def test_a_scan_under_a_certificate(new_page: NewPage, certified: tuple[Service, str]) -> None:
    service, digest = certified
    page = new_page()
    page.goto(f"{service.url}/?slow=1")
    expect(page.locator("#policy")).to_have_value("calibrated")  # where nobody chooses
    expect(page.locator("#policy-hint")).to_contain_text("Exits change at most 5\N{NO-BREAK SPACE}% of the decisions")
    expect(page.locator("#policy-hint")).to_contain_text("from 0.5 at the first row to 0.5 at the last")
    page.click("[data-sample=street]")
    expect(page.locator("#decision")).to_contain_text("decided after 5 of 105 rows", timeout=20_000)
    legend = page.locator("#panel .legend-plot")
    for words in ("exit: person, at or above", "exit: no person, at or below", "had it been read on"):
        expect(legend).to_contain_text(words)
    with page.expect_download() as download:
        page.click("#export-json")
    (curve,) = json.loads(Path(download.value.path()).read_text())["curves"]
    assert curve["policy"] == {"name": "calibrated"}
    assert curve["decision"]["certificate"] == digest
    assert curve["decision"]["exited"]
    expect(page.locator("#policy-watch")).to_contain_text("Checked so far: ", timeout=20_000)
    expect(page.locator("#policy-watch")).to_have_text(re.compile("1 decision, 0 lost. These are too few"))
    page.select_option("#policy", "never")
    expect(page.locator("#policy-watch")).to_be_empty()
