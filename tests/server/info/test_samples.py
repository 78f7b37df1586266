import json
import os
from pathlib import Path

import httpx2
import pytest

from server.app import create_app
from server.settings import Settings
from tests.conftest import served
from tests.page.serving import Service
from tests.server.asking import ask


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "walk.rec"
    path.write_bytes(b"RSCNREC1 and what follows")
    return path


def test_recordings_are_files(recording: Path) -> None:
    service = Service(["--recordings", str(recording)])
    service.start()
    try:
        assert httpx2.get(f"{service.url}/v1/recordings").json() == [{"name": "walk", "url": "/v1/recordings/walk.rec"}]
        assert httpx2.get(f"{service.url}/v1/recordings/walk.rec").content == recording.read_bytes()
        refused = httpx2.get(f"{service.url}/v1/recordings/..%2fwalk.rec")
        assert refused.status_code == 404
    finally:
        service.stop()


@pytest.mark.parametrize(("kind", "content"), [("samples", b"\xff\xd8\xff..."), ("recordings", b"RSCNREC1...")])
def test_any_file_is_found_by_its_address_and_one_that_is_gone_is_told(
    tmp_path: Path, kind: str, content: bytes
) -> None:
    path = tmp_path / os.fsdecode(b"a#1 50%3F caf\xe9.jpg")
    path.write_bytes(content)
    app = create_app(Settings.model_validate({kind: [path]}), served())
    host = [("Host", "localhost")]
    [told] = json.loads(ask(app, "GET", f"/v1/{kind}", host).body)
    assert told["name"] == "a#1 50%3F caf\ufffd"
    assert ask(app, "GET", told["url"], host).body == content
    path.unlink()
    gone = ask(app, "GET", told["url"], host)
    assert (gone.status, gone.code) == (404, f"unknown_{kind.removesuffix('s')}")
