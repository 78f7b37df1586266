import json
from contextlib import suppress
from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets import Headers, Request

from sensor_sim.wire import SUBPROTOCOL
from server.errors import ServiceError, before_upgrade
from server.http.security import HEADERS
from server.stream.upgrade import HEAD_END, answer_to, denial, path_of, raw_headers, read_head
from tests.server.stream.ways import UPGRADE

NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,10}", fullmatch=True).filter(
    lambda name: name.lower() not in ("content-length", "transfer-encoding")
)
VALUES = st.from_regex(r"[!-~\xa1-\xff]([ -~\xa1-\xff]{0,20}[!-~\xa1-\xff])?", fullmatch=True)


@given(target=st.from_regex(r"/[!-~]{0,30}", fullmatch=True), headers=st.lists(st.tuples(NAMES, VALUES), max_size=8))
def test_a_head_is_read_as_it_was_written(target: str, headers: list[tuple[str, str]]) -> None:
    written = Request(target, Headers(headers))
    read = read_head(
        f"GET {target} HTTP/1.1\r\n".encode()
        + b"".join(f"{name}: {value}\r\n".encode("latin-1") for name, value in headers)
        + b"\r\n"
    )
    assert (read.method, read.path, read.protocol) == ("GET", written.path, "HTTP/1.1")
    assert list(read.headers.raw_items()) == headers
    assert raw_headers(read) == [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]


@given(st.binary(max_size=200))
def test_anything_else_is_refused_or_read(head: bytes) -> None:
    with suppress(ServiceError):  # and nothing else is raised
        path_of(read_head(head + HEAD_END))


@pytest.mark.parametrize("character", [b"\0", b"\x01", b"\x0b", b"\x1f", b"\x7f"])
def test_a_control_character_in_a_header_is_refused(character: bytes) -> None:
    with pytest.raises(ServiceError, match="the header 'A' has a control character"):
        read_head(b"GET / HTTP/1.1\r\nA: b" + character + b"c\r\n\r\n")


def test_the_answer_names_the_stream_and_the_protocol() -> None:
    answer = answer_to(read_head(UPGRADE), "abc")
    assert answer.startswith(b"HTTP/1.1 101 ")
    assert answer.endswith(HEAD_END)
    assert b"\r\nrascanet-stream: abc\r\n" in answer
    assert f"\r\nSec-WebSocket-Protocol: {SUBPROTOCOL}\r\n".encode() in answer


@pytest.mark.parametrize("refusal", before_upgrade(), ids=lambda refusal: refusal.code)
def test_every_refusal_is_an_http_answer(refusal: object) -> None:
    code, status = getattr(refusal, "code", ""), getattr(refusal, "http_status", 0)
    head, _, body = denial(ServiceError(code, "as it is: ä")).partition(HEAD_END)
    lines = head.decode("latin-1").split("\r\n")
    assert lines[0] == f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"
    headers = dict(line.lower().split(": ", 1) for line in lines[1:])
    assert headers["connection"] == "close"
    assert int(headers["content-length"]) == len(body)
    assert headers["content-type"] == "application/problem+json"
    assert set(map(str.lower, HEADERS)) <= set(headers)
    assert ("retry-after" in headers) == (status == 503)
    assert json.loads(body)["code"] == code
    assert json.loads(body)["detail"] == "as it is: ä"
