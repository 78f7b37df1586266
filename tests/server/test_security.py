import base64
from collections.abc import Callable
from pathlib import Path

import httpx2
import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin, Subprotocol

from clients.commands.main import app
from clients.python.client import Client, stream_url
from sensor_sim.clock import VirtualClock
from sensor_sim.uplink import StreamError
from sensor_sim.wire import SUBPROTOCOL
from tests.networks import SMALL

TOKEN = "secret token/with+signs"  # noqa: S105 - of these tests
OFFERED = "rascanet.bearer." + base64.urlsafe_b64encode(TOKEN.encode()).decode().rstrip("=")


def _open(url: str, *subprotocols: str, bearer: str | None = None, origin: str | None = None) -> int:
    headers = {"Authorization": f"Bearer {bearer}"} if bearer else None
    offered = [Subprotocol(name) for name in (SUBPROTOCOL, *subprotocols)]
    try:
        with connect(
            stream_url(url),
            subprotocols=offered,
            additional_headers=headers,
            origin=Origin(origin) if origin else None,
            compression=None,
            proxy=None,
        ) as connection:
            assert connection.subprotocol == SUBPROTOCOL
            return 101
    except InvalidStatus as refused:
        return refused.response.status_code


def test_bearer_token(start: Callable[..., str]) -> None:
    url = start(bearer_token=TOKEN)
    assert _open(url) == 401
    assert _open(url, bearer="wrong") == 401
    assert _open(url, "rascanet.bearer.!") == 401
    assert _open(url, bearer=TOKEN) == 101
    assert _open(url, OFFERED) == 101
    for path in ("/v1/models", "/v1/limits", "/metrics"):
        assert httpx2.get(url + path).status_code == 401
        assert httpx2.get(url + path, headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
    assert httpx2.get(f"{url}/healthz/live").status_code == 200


def test_origin(start: Callable[..., str]) -> None:
    url = start(allowed_origins=["https://friend.example"])
    assert _open(url, origin="https://stranger.example") == 403
    assert _open(url, origin="https://friend.example") == 101
    assert _open(url, origin=url) == 101
    assert httpx2.post(f"{url}/v1/classify", headers={"Origin": "null"}).status_code == 403


@pytest.mark.parametrize("path", ["/v1/models", "/", "/nothing"])
def test_headers(service_url: str, path: str) -> None:
    headers = httpx2.get(service_url + path).headers
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"


def test_the_clients_send_the_token(start: Callable[..., str], tmp_path: Path) -> None:
    url = start(bearer_token=TOKEN)
    with Client(url, SMALL.name, clock=VirtualClock(), bearer_token=TOKEN) as client:
        client.emit(np.zeros((SMALL.height, SMALL.width, 3), np.uint8))
    with pytest.raises(StreamError, match="401"), Client(url, SMALL.name, bearer_token=OFFERED, backoff=None):
        pass
    picture = tmp_path / "picture.png"
    Image.new("RGB", (40, 30)).save(picture)
    arguments = ["classify", str(picture), "--url", url, "--variant", SMALL.name, "--quiet"]
    assert CliRunner().invoke(app, arguments, env={"RASCANET_BEARER_TOKEN": TOKEN}).exit_code == 0
    refused = CliRunner().invoke(app, arguments)
    assert refused.exit_code == 2
    assert "unauthorized" in refused.output
