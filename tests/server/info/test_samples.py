from pathlib import Path

import httpx2
import pytest

from tests.page.serving import Service


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
