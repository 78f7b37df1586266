import base64
import json
import re
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

import httpx2
import numpy as np
import pytest
import trustme
from PIL import Image
from pydantic import ValidationError
from typer.testing import CliRunner
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from clients.commands.main import app
from clients.python.client import Client, stream_url
from sensor_sim.clock import VirtualClock
from sensor_sim.uplink import StreamError
from sensor_sim.wire import SUBPROTOCOL, Hello, Rows, Welcome, decode, encode
from server.settings import Settings
from tests.fuzz.doors import send_raw
from tests.networks import SMALL
from tests.service_process import service_process

TOKEN = "secret-token/with+signs=="  # noqa: S105 - of these tests
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
    for path in ("/v1/models", "/v1/limits", "/v2", "/v2/models/105x120", "/metrics"):
        assert httpx2.get(url + path).status_code == 401
        assert httpx2.get(url + path, headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
    assert httpx2.get(f"{url}/healthz/live").status_code == 200
    assert _refused(url, "unauthorized", {"Authorization": f"Bearer {TOKEN}"}) == 3


def _refused(url: str, reason: str, headers: dict[str, str] | None = None) -> float:
    """What the metrics say of it."""
    text = httpx2.get(f"{url}/metrics", headers=headers).text
    (count,) = re.findall(rf'^rascanet_streams_refused_total{{reason="{reason}"}} (\S+)$', text, re.MULTILINE)
    return float(count)


def test_origin(start: Callable[..., str]) -> None:
    url = start(allowed_origins=["https://friend.example"])
    assert _open(url, origin="https://stranger.example") == 403
    assert _open(url, origin="https://friend.example") == 101
    assert _open(url, origin=url) == 101
    assert httpx2.post(f"{url}/v1/classify", headers={"Origin": "null"}).status_code == 403
    assert _refused(url, "forbidden_origin") == 1


@pytest.mark.parametrize("path", ["/v1/models", "/", "/nothing"])
def test_headers(service_url: str, path: str) -> None:
    headers = httpx2.get(service_url + path).headers
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"


def test_only_the_pages_worker_may_compile_webassembly(service_url: str) -> None:
    policy = httpx2.get(f"{service_url}/assets/worker-abc.js").headers["content-security-policy"]
    assert policy.replace("'wasm-unsafe-eval'", "").count("unsafe") == 0
    assert "script-src 'self' 'wasm-unsafe-eval'" in policy


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


@pytest.mark.parametrize("trusted", [["127.0.0.1"], []])
def test_the_word_of_a_proxy_counts_if_it_is_trusted(start: Callable[..., str], trusted: list[str]) -> None:
    url = start(trusted_proxies=trusted, max_streams_per_address=1)

    def forwarded(address: str) -> ClientConnection:
        return connect(
            stream_url(url),
            subprotocols=[Subprotocol(SUBPROTOCOL)],
            additional_headers={"X-Forwarded-For": address},
            compression=None,
            proxy=None,
        )

    with forwarded("192.0.2.1"):
        if trusted:
            with forwarded("192.0.2.2"):
                pass
        same = "192.0.2.1" if trusted else "192.0.2.2"
        with pytest.raises(InvalidStatus) as refused:
            forwarded(same)
        assert json.loads(refused.value.response.body or b"")["code"] == "address_full"


def test_tls(start: Callable[..., str], tmp_path: Path) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    for blob in issued.cert_chain_pems:
        blob.write_to_path(certificate, append=True)
    issued.private_key_pem.write_to_path(key)
    url = start(tls_certificate=certificate, tls_key=key).replace("http:", "https:")
    context = ssl.create_default_context()
    authority.configure_trust(context)
    assert httpx2.get(f"{url}/healthz/live", verify=context).status_code == 200
    offered = [Subprotocol(SUBPROTOCOL)]
    with connect(stream_url(url), ssl=context, subprotocols=offered, compression=None, proxy=None) as connection:
        assert connection.subprotocol == SUBPROTOCOL
    with pytest.raises(ValidationError, match="tls_key come together"):
        Settings(tls_certificate=certificate)


def test_the_log_names_streams_and_holds_nothing_of_them(tmp_path: Path) -> None:
    secret = "s3cret"  # noqa: S105 - to be looked for
    rows = np.frombuffer(secret.encode() * 6300, np.uint8)[: 105 * 120 * 3].reshape(105, 120, 3)
    bearer = "a-bearer-token"
    options = ("--bearer-token", bearer)
    with (tmp_path / "log").open("wb") as log, service_process(*options, log=log) as (url, _):
        headers = {"Authorization": f"Bearer {bearer}"}
        with connect(
            stream_url(url),
            subprotocols=[Subprotocol(SUBPROTOCOL)],
            additional_headers=headers,
            compression=None,
            proxy=None,
        ) as connection:
            assert connection.response
            stream = connection.response.headers["rascanet-stream"]
            connection.send(encode(Hello("105x120", {"name": "never"}, 0)))
            welcome = decode(connection.recv(timeout=10))
            assert isinstance(welcome, Welcome)
            connection.send(encode(Rows(7, 0, 21, 0, rows)))
            connection.recv(timeout=10)
            connection.send(secret)
            connection.recv(timeout=10)
        httpx2.post(f"{url}/v1/classify", content=secret.encode(), headers=headers)
    text = (tmp_path / "log").read_text()
    entries = [json.loads(line) for line in text.splitlines()]
    (ended,) = (entry for entry in entries if entry["event"] == "stream ended")
    assert (ended["stream"], ended["reason"], ended["frame"], ended["frames"]) == (stream, "malformed_json", 7, 1)
    for kept in (secret, bearer, welcome.token):
        assert kept not in text


ODD_TARGETS = [
    "/metrics", "/metrics%0a", "/metrics%0A", "/metrics/", "//metrics", "/./metrics", "/x/../metrics", "/%6detrics",
    "/metrics%00", "/v2", "/v2%0a", "/v2/", "//v2", "/v1/models%0a", "/v1//models", "/v1/models/..", "/%76%31/models",
    "http://localhost/metrics", "http://localhost/v2%0a", "/v1/stream%0a", "/metrics?", "/metrics#", "/metrics;a",
]  # fmt: skip


@pytest.mark.parametrize("target", ODD_TARGETS)
def test_a_running_service_serves_no_spelling_without_the_token(guarded: str, target: str) -> None:
    """What the parser of HTTP makes of a target, and what the decision sees, is the same path."""
    head = f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    answer = send_raw(guarded, f"{head}\r\n".encode())
    assert answer.startswith((b"HTTP/1.1 401", b"HTTP/1.1 404", b"HTTP/1.1 400")), answer[:200]
    upgrade = f"{head}Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {'A' * 22}==\r\n\r\n"
    answer = send_raw(guarded, upgrade.replace("Connection: close", "Connection: Upgrade").encode())
    assert answer.startswith((b"HTTP/1.1 401", b"HTTP/1.1 404", b"HTTP/1.1 400")), answer[:200]


@pytest.fixture(scope="module")
def guarded(start: Callable[..., str]) -> str:
    return start(bearer_token=TOKEN)


def test_a_stranger_s_name_gets_nobody_in(service_url: str) -> None:
    """DNS rebinding: the page comes from the very host and port that it asks."""
    port = service_url.rpartition(":")[2]
    for name, status in (("rebound.example", 421), ("127.0.0.1", 200), ("localhost", 200)):
        headers = {"Host": f"{name}:{port}", "Origin": f"http://{name}:{port}"}
        answer = httpx2.get(f"{service_url}/v1/models", headers=headers)
        assert answer.status_code == status
    answer = httpx2.get(f"{service_url}/v1/models", headers={"Host": "rebound.example"})
    assert answer.json()["code"] == "misdirected"
    assert "allowed_hosts" in answer.json()["detail"]
    with (
        pytest.raises(InvalidStatus) as refused,
        connect(
            stream_url(service_url).replace("127.0.0.1", "rebound.example"),
            sock=socket.create_connection(("127.0.0.1", int(port))),
            subprotocols=[Subprotocol(SUBPROTOCOL)],
            origin=Origin(f"http://rebound.example:{port}"),
            compression=None,
            proxy=None,
        ),
    ):
        pass
    assert refused.value.response.status_code == 421
