"""Heads of requests, sans I/O: checks, the ASGI scope, and upgrades to websockets."""

import re
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import h11

HEAD_BYTES: Final = 65_536
"""Most bytes of a request's head, and of the trailers of a chunked body."""
HEAD_LINES: Final = 128

_CONTROL: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")

BODY: Final = frozenset({b"content-length", b"transfer-encoding"})
"""Headers that announce a body; a request with both is ambiguous (RFC 9112, section 6.1)."""


def too_large(request: h11.Request) -> bool:
    """True if the head is over the bounds; the parser misses it when all of the head arrives at once."""
    return len(request.target) + _size(request) > HEAD_BYTES or len(request.headers) >= HEAD_LINES


def trailers_too_large(end: h11.EndOfMessage) -> bool:
    """True if the headers behind a body are over the bound, which the parser misses likewise."""
    return _size(end) > HEAD_BYTES


def _size(event: h11.Request | h11.EndOfMessage) -> int:
    return sum(len(name) + len(value) + 4 for name, value in event.headers)


def scope_of(request: h11.Request) -> dict[str, Any] | None:
    """The parts of an ASGI scope that the head gives; None if the target is neither a path nor a URL.

    The path of a URL counts as a path: RFC 9112, section 3.2.2, lets clients send either.
    """
    target = request.target
    if not target.startswith(b"/") and target != b"*":
        try:
            url = urlsplit(target)
        except ValueError:  # an IPv6 address that is none
            return None
        if url.scheme.lower() not in (b"http", b"https"):
            return None
        target = (url.path or b"/") + (b"?" + url.query if url.query else b"")
    raw_path, _, query = target.partition(b"#")[0].partition(b"?")
    return {
        "http_version": request.http_version.decode(),
        "method": request.method.decode(),
        "path": unquote(raw_path.decode("ascii")),
        "raw_path": raw_path,
        "query_string": query,
        "headers": list(request.headers),
    }


def announces_body(request: h11.Request) -> bool:
    """True if a body follows the head."""
    return any(name in BODY and (name, value) != (b"content-length", b"0") for name, value in request.headers)


def ambiguous_body(request: h11.Request) -> bool:
    """True if two servers could disagree about the end of the body."""
    return {name for name, _ in request.headers} >= BODY


def controlled(request: h11.Request) -> bool:
    """True if a value has a control character, which h11 lets in and RFC 9110, section 5.5, does not."""
    return any(_CONTROL.search(value) for _, value in request.headers)


def asks_for_websocket(request: h11.Request) -> bool:
    """True if the request is an upgrade by RFC 6455, section 4.1; others are ignored (RFC 9110, section 7.8)."""
    if request.method != b"GET" or request.http_version != b"1.1" or announces_body(request):
        return False
    return b"websocket" in _tokens(request, b"upgrade") and b"upgrade" in _tokens(request, b"connection")


def _tokens(request: h11.Request, name: bytes) -> set[bytes]:
    values = b",".join(value for found, value in request.headers if found == name)
    return {token.strip() for token in values.lower().split(b",")}


def written(request: h11.Request) -> bytes:
    """Writes the head again, for the websocket library; h11 lets no bytes in that could be read as another line."""
    lines = [b"%b %b HTTP/%b" % (request.method, request.target, request.http_version)]
    lines += [name + b": " + value for name, value in request.headers]
    return b"\r\n".join((*lines, b"", b""))
