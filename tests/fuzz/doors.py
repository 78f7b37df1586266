"""Requests at random to every HTTP door: whatever is sent, the fault is never the service's.

Targets, headers and bodies are made of what is right and what is almost right, of what once was an unhandled exception,
and of noise. Requests go straight to the application; `raw` sends bytes to a real service through a socket.
"""

import asyncio
import gzip
import json
import socket
import zlib
from collections import Counter
from typing import Any
from urllib.parse import urlencode, urlsplit

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from starlette.types import ASGIApp

from server.app import create_app
from server.errors import REFUSALS
from server.settings import Settings
from tests.model.random_networks import random_frames
from tests.networks import SMALL
from tests.picture_files import animation, picture
from tests.server.asking import Answer, asked

TOKEN = "a-token"
NASTY_NUMBERS = st.sampled_from(
    [2**63, 2**64, -(2**63) - 1, 10**400, 0, -1, 1e308, -0.0, float("nan"), float("inf"), True]
)
NASTY_TEXTS = st.sampled_from(
    [
        "\ud800", "\0", "\n", "a" * 5000, "../..", "%s{0}", "calibrated", "never", "published", "patience",
        "per_burst", '{"name":"patience","bursts":18446744073709551616}', '{"name":"\\ud800"}', "{" * 3000,
        '{"name":' * 900, "[", "NaN", '{"name":"published","exit_threshold":NaN}',
        '{"name":"fixed","row":1e999}', SMALL.name, f"{SMALL.name}-sequence",
    ]
)  # fmt: skip
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | NASTY_NUMBERS | NASTY_TEXTS | st.text(max_size=8)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6) | NASTY_TEXTS, inner, max_size=4),
    max_leaves=12,
)
OPTIONS = st.sampled_from(["policy"] * 5 + ["exit_threshold", "skip_threshold", "reports", "top", "name", "wish"])
PARAMETERS = st.sampled_from(
    ["policy"] * 5 + ["exit_threshold", "sequence_id", "sequence_start", "sequence_end", "burst_index", "priority"]
)
PATHS = st.sampled_from(
    [
        "/v1/classify", "/v1/models", "/v1/limits", "/v1/samples", "/v1/samples/x", "/v1/recordings/x",
        "/v1/stream", "/metrics", "/healthz", "/healthz/ready", "/v2", "/v2/health/live",
        f"/v2/models/{SMALL.name}", f"/v2/models/{SMALL.name}/infer",
        f"/v2/models/{SMALL.name}-sequence/infer", f"/v2/models/{SMALL.name}/config", "/v2/models/stats",
        "/v2/repository/index", "/docs", "/openapi.json", "/asyncapi.json", "/", "/nothing",
    ]
)  # fmt: skip
ODD = st.sampled_from(["", "%0a", "%00", "/", "//", "/..", "%ff", "%", "%2f", "\\", ";x", "é", "%ed%a0%80"])
VALUES = st.sampled_from(
    [
        "9" * 5000, "-1", "0", "10", "http://[", "null", "https://a:99999", "gzip", "deflate", "br",
        "gzip, gzip", "identity", "application/json", "application/octet-stream", "image/jpeg",
        "multipart/form-data", "multipart/form-data; boundary=b",
        "multipart/form-data; boundary=b; charset=utf-7", 'multipart/form-data; boundary="',
        "application/x-ndjson", "*/*", "Bearer", f"Bearer {TOKEN}", "Basic \xff", "localhost", "[::1", "a@b",
        "POST", "\xff\xfe", "", " ", "websocket", "x" * 3000,
    ]
)  # fmt: skip
NAMES = st.sampled_from(
    [
        "Host", "Origin", "Content-Length", "Content-Type", "Content-Encoding", "Accept", "Authorization",
        "Cookie", "Expect", "Inference-Header-Content-Length", "Access-Control-Request-Method", "Range",
        "If-None-Match", "X-Forwarded-For",
    ]
)  # fmt: skip
HEADERS = st.lists(st.tuples(NAMES, VALUES | st.text(st.characters(codec="latin-1"), max_size=12)), max_size=4)


def _dumped(document: Any) -> bytes:
    """As JSON, what isn't JSON's included."""
    return json.dumps(document).encode("utf-8", "surrogatepass")


@st.composite
def tensors(draw: st.DrawFn) -> bytes:
    """A request of the Open Inference Protocol, more or less."""
    burst = draw(st.booleans())
    frame = random_frames(SMALL, 1, 0)
    shape = [1, 5, SMALL.width, 3] if burst else list(frame.shape)
    data: Any = frame[:, :5].tolist() if burst else frame.ravel().tolist()
    tensor: dict[str, Any] = {
        "name": "bursts" if burst else "frames",
        "shape": shape,
        "datatype": "UINT8",
        "data": data,
    }
    tensor |= draw(
        st.dictionaries(st.sampled_from(["name", "shape", "datatype", "data", "parameters"]), ANYTHING, max_size=1)
    )
    parameters: dict[str, Any] = draw(st.dictionaries(PARAMETERS, SCALARS, max_size=2))
    if burst and draw(st.integers(0, 3)):
        parameters |= {"sequence_id": draw(st.integers(1, 3)), "sequence_start": draw(st.booleans())}
    document = {"inputs": [tensor], "parameters": parameters, "outputs": draw(st.none() | st.just([]) | ANYTHING)}
    document |= draw(
        st.dictionaries(st.sampled_from(["inputs", "id", "parameters", "outputs", "x"]), ANYTHING, max_size=1)
    )
    return _damaged(draw, _dumped(document))


@st.composite
def forms(draw: st.DrawFn) -> bytes:
    """A multipart form with the boundary `b`, more or less."""
    parts = []
    for _ in range(draw(st.integers(0, 4))):
        name = draw(st.sampled_from(["files", "policy", "top", "wish"]))
        file = draw(
            st.sampled_from(
                ["", '; filename="a.jpg"', "; filename*=utf-7''+2AA-", '; filename="\\ud800"', '; filename="']
            )
        )
        content = draw(st.sampled_from([picture(), animation("GIF"), b"", b"x" * 9000]) | st.binary(max_size=30))
        kind = draw(
            st.sampled_from(["", "Content-Type: text/plain; charset=unicode_escape\r\n", "X: " + "y" * 99 + "\r\n"])
        )
        parts.append(
            f'--b\r\nContent-Disposition: form-data; name="{name}"{file}\r\n{kind}\r\n'.encode() + content + b"\r\n"
        )
    return _damaged(draw, b"".join(parts) + b"--b--\r\n")


def _damaged(draw: st.DrawFn, body: bytes) -> bytes:
    if draw(st.integers(0, 3)):
        return body
    place = draw(st.integers(0, len(body)))
    return body[:place] + draw(st.binary(max_size=5)) + body[place + draw(st.integers(0, 9)) :]


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, str, list[tuple[str, str]], bytes]:
    """Method, target, headers and body."""
    method, headers, query = "POST", [("Host", "localhost")], draw(st.lists(st.tuples(OPTIONS, SCALARS), max_size=2))
    door = draw(st.sampled_from(["form", "form", "form", "tensor", "tensor", "tensor", "picture", "any"]))
    if door == "form":
        path, body = "/v1/classify", draw(forms())
        headers.append(("Content-Type", "multipart/form-data; boundary=b"))
        query.append(("variant", SMALL.name))
    elif door == "tensor":
        path, body = f"/v2/models/{SMALL.name}{draw(st.sampled_from(['', '-sequence']))}/infer", draw(tensors())
    elif door == "picture":
        path, body = "/v1/classify", draw(st.sampled_from([picture(), animation("GIF")]) | st.binary(max_size=60))
    else:
        method = draw(st.sampled_from(["POST", "GET", "HEAD", "OPTIONS", "DELETE", "BREW"]))
        path = draw(PATHS) + draw(ODD)
        body = draw(ANYTHING.map(_dumped) | st.sampled_from([b"[" * 30_000, b'{"inputs":' * 5000, b""]))
    if not draw(st.integers(0, 5)):
        headers += draw(HEADERS)
    if not draw(st.integers(0, 5)):
        coding = draw(st.sampled_from(["gzip", "deflate"]))
        headers.append(("Content-Encoding", coding))
        body = gzip.compress(body) if coding == "gzip" else zlib.compress(body)
    text = urlencode(query, errors="surrogatepass") + "&x=1" * (draw(st.integers(0, 300)) // 200 * 99)
    return method, path.encode().decode("latin-1") + (f"?{text}" if text else ""), headers, body


def check(answer: Answer) -> None:
    """Nothing is the service's fault, and every refusal says so in its one form."""
    assert answer.status < 500, (answer.status, answer.body[:500])
    if answer.status >= 400 and answer.body:
        assert answer.code in REFUSALS
        assert REFUSALS[answer.code].http_status == answer.status, (answer.code, answer.status)
        assert answer.json.get("error") or answer.json.get("detail")


def application(networks: Any, **chosen: Any) -> ASGIApp:
    """The service's application with small limits."""
    limits = {"request_bytes": 400_000, "image_bytes": 200_000, "image_pixels": 1_000_000, "max_images": 3}
    return create_app(Settings(**{**limits, "max_sequences": 5, **chosen}), networks)


def ask_at_random(app: ASGIApp, count: int, *, shrink: bool = True) -> Counter[str]:
    """So many requests to the application; one that fails is made as short as can be.

    Returns:
        How often each code, or status without one, was the answer.
    """
    found: Counter[str] = Counter()

    @settings(
        max_examples=count, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink] if shrink else [Phase.generate],
    )  # fmt: skip
    @given(requests())
    def one(request: tuple[str, str, list[tuple[str, str]], bytes]) -> None:
        method, target, headers, body = request
        answer = loop.run_until_complete(asyncio.wait_for(asked(app, method, target, headers, body), 20))
        check(answer)
        found[answer.code if answer.status >= 400 and answer.body else str(answer.status)] += 1

    loop = asyncio.new_event_loop()
    try:
        one()
    finally:
        loop.close()
    return found


RAW_LINES = st.sampled_from(
    [
        b"Host: localhost", b"Content-Length: 5", b"Content-Length: " + b"9" * 5000, b"Content-Length: -1",
        b"Origin: http://[", b"Transfer-Encoding: chunked", b"Expect: 100-continue",
        b"Content-Type: multipart/form-data; boundary=b", b"Upgrade: h2c", b"Connection: Upgrade",
        b"Connection: close", b"Content-Encoding: gzip", b" folded", b"no colon", b"\xff: \xff",
        b"Host: evil.example", b"Sec-WebSocket-Version: 13", b"Upgrade: websocket", b"Sec-WebSocket-Key: x",
        b"Accept: */*",
    ]
)  # fmt: skip


@st.composite
def raw_requests(draw: st.DrawFn) -> bytes:
    """The bytes of a request, more or less."""
    method = draw(st.sampled_from([b"GET", b"POST", b"HEAD", b"BREW", b"", b"\xff"]))
    target = draw(PATHS).encode() + draw(ODD).encode()
    version = draw(st.sampled_from([b"HTTP/1.1", b"HTTP/1.1", b"HTTP/1.0", b"HTTP/9.9", b""]))
    lines = [method + b" " + target + b" " + version, *draw(st.lists(RAW_LINES, max_size=5))]
    body = draw(
        st.sampled_from([b"", b"hello", b"5\r\nhello\r\n0\r\n\r\n", b"ffffffffffffffff\r\n", picture()])
        | st.binary(max_size=20)
    )
    return b"\r\n".join([*lines, b"", body])


def send_raw(url: str, data: bytes, seconds: float = 10.0) -> bytes:
    """What comes back for some bytes, after which nothing more is sent."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=seconds) as connection:
        connection.settimeout(seconds)
        found = b""
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            while part := connection.recv(65_536):
                found += part
        except (ConnectionError, TimeoutError):
            pass
        return found


def send_at_random(url: str, count: int) -> None:
    """So many requests as bytes to a real service."""

    @settings(
        max_examples=count, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
    )  # fmt: skip
    @given(raw_requests())
    def one(data: bytes) -> None:
        for line in send_raw(url, data).split(b"\r\n"):
            if line.startswith(b"HTTP/1."):
                assert line.split(b" ")[1][:1] in b"1234", (line, data)

    one()
