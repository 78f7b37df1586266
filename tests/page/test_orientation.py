"""A picture that says how it has to be turned is turned on the page as by the service, whatever its format."""

from io import BytesIO
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
from PIL import Image, PngImagePlugin
from playwright.sync_api import Page, expect

from tests.page.scenes import scene
from tests.page.serving import Service
from tests.page.test_scan import SCAN_MS, decided, exported, open_page

ORIENTATION = 0x0112
XMP = '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="{}"/></x:xmpmeta>'
KINDS = ("jpeg", "png", "png16", "png-xmp", "webp", "webp-xmp")
MOST_DIFFERENCE = 0.02
"""As for upright JPEG: a browser may decode a lossy picture in its own way."""


def turned(kind: str, orientation: int) -> bytes:
    """A lopsided picture that says it has to be turned, by EXIF or by XMP."""
    picture = scene("street").resize((200, 120))
    content = BytesIO()
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    xmp = XMP.format(orientation)
    info = PngImagePlugin.PngInfo()
    info.add_itxt("XML:com.adobe.xmp", xmp, zip=True)
    options: dict[str, dict[str, Any]] = {
        "jpeg": {"format": "JPEG", "quality": 95, "exif": exif},
        "png": {"format": "PNG", "exif": exif},
        "png16": {"format": "PNG", "exif": exif},
        "png-xmp": {"format": "PNG", "pnginfo": info},
        "webp": {"format": "WEBP", "lossless": True, "exif": exif},
        "webp-xmp": {"format": "WEBP", "lossless": True, "xmp": xmp.encode()},
    }
    if kind == "png16":
        # Decoded by the browser, not by the page.
        picture = Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257)
    picture.save(content, **options[kind])
    return content.getvalue()


def by_service(service: Service, pictures: dict[str, bytes]) -> dict[str, float]:
    """P(person) of pictures read whole, by their names."""
    answer = httpx2.post(
        f"{service.url}/v1/classify",
        files=[("files", (name, content)) for name, content in pictures.items()],
        params={"variant": "105x120", "policy": "never"},
        trust_env=False,
        timeout=30,
    )
    answer.raise_for_status()
    return {name: one["p_person"] for name, one in zip(pictures, answer.json()["results"], strict=True)}


def test_turned_pictures_are_upright(page: Page, service: Service, tmp_path: Path) -> None:
    pictures = {f"{kind}{orientation}": turned(kind, orientation) for kind in KINDS for orientation in (1, 3, 6, 8)}
    paths = [tmp_path / name for name in pictures]
    for path in paths:
        path.write_bytes(pictures[path.name])
    open_page(page, service, "slow=1&policy=never")
    page.set_input_files("#file", paths)
    expect(page.locator("#results-words")).to_contain_text(f"{len(paths)} pictures", timeout=SCAN_MS)
    page.click("#results summary")
    rows = page.locator("#results-table tbody tr").all()
    shown = {row.locator("th").inner_text(): float(row.locator("td").nth(1).inner_text()) for row in rows}
    assert shown == pytest.approx(by_service(service, pictures), abs=MOST_DIFFERENCE)
    for kind in KINDS:
        assert len({round(shown[f"{kind}{orientation}"], 2) for orientation in (1, 3, 6, 8)}) > 1, "turning matters"


def test_the_specimen_of_a_turned_png(page: Page, service: Service) -> None:
    specimen = Path(__file__).parents[2].parent / "shared" / "cases" / "inputs" / "turned.png"
    if not specimen.is_file():
        pytest.skip("the folder of specimens is not beside this project")
    open_page(page, service, "slow=1&policy=never")
    page.set_input_files("#file", specimen)
    decided(page, "read to the end")
    mine = exported(page)["curves"][0]["points"][-1]["p_person"]
    assert mine == pytest.approx(by_service(service, {"turned.png": specimen.read_bytes()})["turned.png"], abs=1e-6)
