"""Who may ask for what; the paths of the whole application in odd spellings too."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from fastapi import FastAPI
from pydantic import ValidationError

from server.app import create_app
from server.errors import ServiceError
from server.http.access import GUARDED, Access
from server.settings import Settings
from tests.conftest import served
from tests.server.asking import ask

TOKEN = "a-token"  # noqa: S105 - of these tests
BEARER = (b"authorization", b"Bearer a-token")


def _code(access: Access, method: str = "GET", scheme: str = "http", path: str = "/v1/models", **headers: str) -> str:
    """Why it is refused; empty if it isn't."""
    sent = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    try:
        access.check(method, scheme, path, sent)
    except ServiceError as refusal:
        return refusal.code
    return ""


@pytest.mark.parametrize(
    ("host", "code"),
    [
        ("localhost:8000", ""), ("LOCALHOST", ""), ("127.0.0.1:8000", ""), ("127.1.2.3", ""), ("[::1]:8000", ""),
        ("10.0.0.7:8000", ""), ("sensor.example", ""), ("Sensor.Example.:80", ""),
        ("evil.example", "misdirected"), ("evil.example:8000", "misdirected"), ("10.0.0.8", "misdirected"),
        ("127.0.0.1.evil.example", "misdirected"), ("x@localhost", "bad_request"), ("", "bad_request"),
    ],
)  # fmt: skip
def test_hosts(host: str, code: str) -> None:
    access = Access.of(Settings(host="10.0.0.7", allowed_hosts=["Sensor.example"]))
    assert _code(access, host=host) == code
    assert _code(access, "GET", "ws", "/v1/stream", host=host) == code


def test_a_service_that_listens_on_all_addresses_answers_to_addresses_and_to_no_stranger_s_name() -> None:
    access = Access.of(Settings(host="0.0.0.0"))  # noqa: S104
    assert _code(access, host="192.0.2.7:8000") == _code(access, host="[2001:db8::1]") == ""
    assert _code(access, host="evil.example") == "misdirected"
    assert _code(Access.of(Settings(host="0.0.0.0", allowed_hosts=["*"])), host="evil.example") == ""  # noqa: S104


@pytest.mark.parametrize(
    ("origin", "host", "scheme", "welcome"),
    [
        ("https://friend.example", "localhost", "http", True),
        ("HTTPS://FRIEND.example:443", "localhost", "http", True),
        ("https://friend.example:444", "localhost", "http", False),
        ("http://friend.example", "localhost", "http", False),
        ("http://localhost:8000", "localhost:8000", "http", True),
        ("http://LOCALHOST:8000", "localhost:8000", "http", True),
        ("http://localhost", "localhost:80", "http", True),
        ("https://localhost", "localhost", "http", True),  # a proxy in front speaks TLS
        ("http://localhost", "localhost", "https", False),
        ("https://localhost:443", "localhost", "wss", True),
        ("http://localhost:8001", "localhost:8000", "ws", False),
        ("null", "localhost", "http", False),
        ("http://[", "localhost", "http", False),
        ("", "localhost", "http", False),
    ],
)
def test_origins(origin: str, host: str, scheme: str, welcome: bool) -> None:
    access = Access.of(Settings(allowed_origins=["https://Friend.example/"]))
    assert access.welcomes(origin, scheme, host) is welcome
    code = "" if welcome else "forbidden_origin"
    assert _code(access, "POST", scheme, "/v1/classify", origin=origin, host=host) == code
    reading = code if scheme.startswith("ws") else ""
    assert _code(access, "GET", scheme, "/v1/models", origin=origin, host=host) == reading


def test_tokens() -> None:
    access = Access.of(Settings(bearer_token=TOKEN))
    assert _code(access, authorization="Bearer a-token") == _code(access, authorization="bearer  a-token ") == ""
    for wrong in ("", "Bearer", "Bearer ", "Bearer a-toke", "Bearer a-token2", "Basic a-token", "Bearer \xfc"):
        assert _code(access, authorization=wrong) == "unauthorized"
    offered = "rascanet.v1, rascanet.bearer.YS10b2tlbg"
    assert _code(access, "GET", "ws", "/v1/stream", sec_websocket_protocol=offered) == ""
    for wrong in ("rascanet.bearer.", "rascanet.bearer.!", "rascanet.bearer.YS10b2tlbW", "rascanet.v1"):
        assert _code(access, "GET", "ws", "/v1/stream", sec_websocket_protocol=wrong) == "unauthorized"


@pytest.mark.parametrize("name", ["Host", "Origin", "Authorization"])
def test_a_header_that_decides_comes_once(name: str) -> None:
    access = Access.of(Settings(bearer_token=TOKEN))
    with pytest.raises(ServiceError, match=f"{name} came 2 times") as refused:
        access.check("GET", "http", "/v1/models", [(name.lower().encode(), b"localhost")] * 2)
    assert refused.value.code == "bad_request"


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("allowed_origins", ["*"]), ("allowed_origins", ["null"]), ("allowed_origins", ["example.com"]),
        ("allowed_origins", ["https://example.com/app"]), ("allowed_hosts", ["https://example.com"]),
        ("allowed_hosts", ["a:80"]), ("host", "http://localhost"), ("bearer_token", ""), ("bearer_token", "  "),
        ("bearer_token", "two words"), ("bearer_token", "tökén"), ("bearer_token", "line\n"),
    ],
)  # fmt: skip
def test_settings_that_can_not_match_are_refused(setting: str, value: Any) -> None:
    with pytest.raises(ValidationError):
        Settings(**{setting: value})


def test_the_token_may_come_from_a_file(tmp_path: Any) -> None:
    path = tmp_path / "token"
    path.write_text(TOKEN + "\n")
    assert Access.of(Settings(bearer_token_file=path)).bearer == TOKEN.encode()
    path.write_text("\n")
    for wrong in ({"bearer_token_file": path}, {"bearer_token_file": tmp_path / "none"}):
        with pytest.raises(ValidationError):
            Settings(**wrong)
    with pytest.raises(ValidationError, match="both hold the token"):
        Settings(bearer_token_file=path, bearer_token=TOKEN)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    page = tmp_path_factory.mktemp("page")
    (page / "index.html").write_text("the page")
    return create_app(Settings(bearer_token=TOKEN, page_folder=page), served())


OPEN = ("/", "/docs", "/openapi.json", "/asyncapi.json", "/healthz", "/healthz/live", "/healthz/ready")
OTHERS = ("/v1/stream", "/v2/", "/docs/oauth2-redirect")
"""Paths that the OpenAPI document doesn't have."""


def _paths(app: FastAPI) -> list[str]:
    """A path of every route."""
    return [*(path.format(name="105x120", version="1") for path in app.openapi()["paths"]), *OPEN, *OTHERS]


def _is_guarded(path: str) -> bool:
    return path.split("/")[1] in GUARDED


def _spellings(path: str) -> Iterator[str]:
    yield path
    for odd in (
        "/", "%0a", "%0d", "%00", "%20", "%09", "%7f", "/.", "/..", "//", "%2f", "?x", "%3fx", ";x", "%23", "\\", "%5c",
    ):  # fmt: skip
        yield path + odd
    yield "/" + path
    yield "/." + path
    yield "/x/.." + path
    yield path.replace("/", "//")
    yield "".join(f"%{ord(letter):02x}" if letter != "/" else letter for letter in path)
    yield "/" + quote(path[1:], safe="")
    yield path.upper()
    yield "/" + quote(quote(path, safe=""), safe="")


def test_every_route_is_guarded_or_known_to_be_open(app: FastAPI) -> None:
    paths = _paths(app)
    assert sum(map(_is_guarded, paths)) > 12
    assert {path for path in paths if not _is_guarded(path)} <= {*OPEN, *OTHERS}


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE"])
def test_without_the_token_no_spelling_of_a_guarded_path_is_served(app: FastAPI, method: str) -> None:
    for path in filter(_is_guarded, _paths(app)):
        for spelled in _spellings(path):
            answer = ask(app, method, spelled, [("Host", "localhost")])
            assert answer.status in (401, 404, 405), (spelled, answer.status)
            assert answer.status != 200 or b"the page" in answer.body


def test_with_the_token_a_path_has_one_spelling(app: FastAPI) -> None:
    headers = [("Host", "localhost"), ("Authorization", f"Bearer {TOKEN}")]
    for path in ("/metrics", "/v2", "/v1/models", "/v2/models/105x120"):
        assert ask(app, "GET", path, headers).status == 200
        for odd in ("%0a", "%0d", "%00", "//", "/..", "/.", "%5c"):
            answer = ask(app, "GET", path + odd, headers)
            assert (answer.status, answer.code) == (404, "not_found"), path + odd


def test_pages_of_allowed_origins_can_read_answers_and_nobody_else() -> None:
    app = create_app(Settings(allowed_origins=["https://friend.example"], bearer_token=TOKEN), served())
    friend, stranger = ("Origin", "https://friend.example"), ("Origin", "https://stranger.example")
    host, token, wants = (
        ("Host", "localhost"),
        ("Authorization", f"Bearer {TOKEN}"),
        ("Access-Control-Request-Method", "POST"),
    )
    for headers, status in (([token], 200), ([], 401)):
        answer = ask(app, "GET", "/v1/models", [host, friend, *headers])
        assert (answer.status, answer.headers["access-control-allow-origin"]) == (status, friend[1])
        assert "retry-after" in answer.headers["access-control-expose-headers"].lower()
        assert answer.headers["vary"] == "Origin"
        answer = ask(app, "GET", "/v1/models", [host, stranger, *headers])
        assert answer.status == status
        assert "access-control-allow-origin" not in answer.headers
    preflight = ask(app, "OPTIONS", "/v1/classify", [host, friend, wants])
    assert (preflight.status, preflight.body) == (204, b"")
    assert preflight.headers["access-control-allow-origin"] == friend[1]
    for name in ("authorization", "content-type", "inference-header-content-length"):
        assert name in preflight.headers["access-control-allow-headers"].lower()
    assert "POST" in preflight.headers["access-control-allow-methods"]
    refused = ask(app, "OPTIONS", "/v1/classify", [host, stranger, wants])
    assert (refused.status, refused.code) == (403, "forbidden_origin")
    assert not [name for name in refused.headers if name.startswith("access-control-")]
