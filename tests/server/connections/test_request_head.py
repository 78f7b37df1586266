import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.connections.request_head import (
    HEAD_BYTES,
    HEAD_LINES,
    ambiguous_body,
    announces_body,
    asks_for_websocket,
    controlled,
    scope_of,
    too_large,
    written,
)  # fmt: skip
from server.stream.upgrade import raw_headers, read_head

HOST = (b"Host", b"here")
WEBSOCKET = [HOST, (b"Upgrade", b"WebSocket"), (b"Connection", b"keep-alive, upgrade")]
_value = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20).map(str.encode)
_name = st.from_regex(rb"[A-Za-z-]{1,12}", fullmatch=True).map(lambda name: b"X-" + name)
_headers = st.lists(st.tuples(_name, _value), max_size=8).map(lambda found: [HOST, *found])
_target = st.from_regex(rb"/[!-~]{0,30}", fullmatch=True)


def request(
    target: bytes = b"/",
    headers: list[tuple[bytes, bytes]] | None = None,
    method: bytes = b"GET",
    http_version: bytes = b"1.1",
) -> h11.Request:
    return h11.Request(method=method, target=target, headers=headers or [HOST], http_version=http_version)


@given(_target, _headers)
def test_a_head_that_is_written_again_is_the_same(target: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    before = request(target, headers)
    reader = h11.Connection(h11.SERVER)
    reader.receive_data(written(before))
    after = reader.next_event()
    assert isinstance(after, h11.Request)
    assert (after.method, after.target, list(after.headers)) == (before.method, before.target, list(before.headers))
    assert isinstance(reader.next_event(), h11.EndOfMessage)
    assert reader.trailing_data == (b"", False)


@given(_target)
def test_a_url_is_its_path(path: bytes) -> None:
    alone, whole = scope_of(request(path)), scope_of(request(b"http://there:80" + path))
    assert alone is not None
    assert whole is not None
    if b"#" not in path and not path.startswith(b"//"):
        assert (whole["path"], whole["query_string"]) == (alone["path"], alone["query_string"])


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        (b"/a%20b/%C3%A4?c=%20", "/a b/\u00e4", b"c=%20"),
        (b"/metrics%0a", "/metrics\n", b""),
        (b"/%ff", "/\ufffd", b""),
        (b"*", "*", b""),
        (b"HTTP://there", "/", b""),
    ],
)
def test_targets(target: bytes, path: str, query: bytes) -> None:
    scope = scope_of(request(target))
    assert scope is not None
    assert (scope["path"], scope["query_string"]) == (path, query)


@pytest.mark.parametrize("target", [b"here:80", b"ftp://there/", b"a", b"http://[", b"http://[::1/"])
def test_what_is_no_target(target: bytes) -> None:
    assert scope_of(request(target)) is None


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (request(headers=WEBSOCKET), True),
        (request(headers=[*WEBSOCKET[:2], (b"Connection", b"close"), (b"connection", b"Upgrade")]), True),
        (request(headers=[*WEBSOCKET, (b"Content-Length", b"0")]), True),
        (request(headers=[*WEBSOCKET, (b"Content-Length", b"3")]), False),
        (request(headers=[*WEBSOCKET, (b"Transfer-Encoding", b"chunked")]), False),
        (request(headers=WEBSOCKET, http_version=b"1.0"), False),
        (request(headers=WEBSOCKET, method=b"POST"), False),
        (request(headers=[HOST, (b"Upgrade", b"h2c"), (b"Connection", b"Upgrade")]), False),
        (request(headers=WEBSOCKET[:2]), False),
    ],
)
def test_what_asks_for_a_websocket(found: h11.Request, expected: bool) -> None:
    assert asks_for_websocket(found) is expected


@given(st.lists(st.tuples(_name, st.binary(max_size=8)), max_size=4))
def test_a_head_without_control_characters_is_read_by_who_reads_upgrades(found: list[tuple[bytes, bytes]]) -> None:
    try:
        head = request(headers=[*WEBSOCKET, *found])
    except h11.LocalProtocolError:
        return
    values = [value for _, value in head.headers]
    assert controlled(head) == any((byte < 32 and byte != 9) or byte == 127 for value in values for byte in value)
    if not controlled(head):
        assert [value for _, value in raw_headers(read_head(written(head)))] == values


def test_a_body_is_announced_in_one_way() -> None:
    length, chunked = (b"Content-Length", b"3"), (b"Transfer-Encoding", b"chunked")
    for headers, announced, ambiguous in (
        ([HOST], False, False),
        ([HOST, length], True, False),
        ([HOST, (b"Content-Length", b"0")], False, False),
        ([HOST, chunked], True, False),
        ([HOST, length, chunked], True, True),
    ):
        assert announces_body(request(headers=headers)) is announced
        assert ambiguous_body(request(headers=headers)) is ambiguous


def test_bounds_of_a_head() -> None:
    assert not too_large(request(headers=[HOST, *[(b"a", b"b")] * (HEAD_LINES - 2)]))
    assert too_large(request(headers=[HOST, *[(b"a", b"b")] * (HEAD_LINES - 1)]))
    assert not too_large(request(headers=[HOST, (b"a", b"b" * (HEAD_BYTES - 100))]))
    assert too_large(request(headers=[HOST, (b"a", b"b" * HEAD_BYTES)]))
