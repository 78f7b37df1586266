"""The request that opens a stream, sans I/O: read, judged, and refused in a few bytes."""

import logging
from http import HTTPStatus
from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit

from websockets import Headers, InvalidHandshake, Request, ServerProtocol

from sensor_sim.wire import STREAM_PATH, SUBPROTOCOL
from server.errors import ServiceError
from server.http.access import Access
from server.http.problem import problem
from server.http.security import HEADERS

STREAM_HEADER: Final = "rascanet-stream"
"""Header of the answer to an upgrade; its value is the name of the stream in the log."""

HEAD_END: Final = b"\r\n\r\n"

LIBRARY_LOG: Final = logging.getLogger(f"{__name__}.websockets")
"""Logger for the library, kept quiet: the service logs beginning and end of each connection with more facts."""
LIBRARY_LOG.setLevel(logging.WARNING)


class Opening(NamedTuple):
    """An upgrade that may begin a stream.

    Attributes:
        name: name of the stream.
        answer: bytes of the answer that begins the stream.
        forwarded: values of `X-Forwarded-For`, in order.
    """

    name: str
    answer: bytes
    forwarded: list[str]


def judge(head: bytes, secure: bool, access: Access, name: str) -> Opening:
    """Judges an upgrade in everything but the place that its stream needs.

    Args:
        head: the whole head of the request.
        secure: true if the request came over TLS.
        access: decides who may ask.
        name: name for the stream.

    Raises:
        ServiceError: the refusal: as `read_head`, `path_of`, `Access.check` and `answer_to`, or `not_found`.
    """
    request = read_head(head)
    path = path_of(request)
    if path != STREAM_PATH:
        raise ServiceError("not_found", f"there is no stream at {path[:200]!r}, but at {STREAM_PATH}")
    access.check(request.method, "wss" if secure else "ws", path, raw_headers(request))
    return Opening(name, answer_to(request, name), request.headers.get_all("X-Forwarded-For"))


def read_head(head: bytes) -> Request:
    """Parses a whole head, with its final empty line.

    Raises:
        ServiceError: `bad_request`: not a head, or a head that announces a body.
    """
    first, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    parts = first.split(" ")
    headers = Headers()
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise ServiceError("bad_request", f"{line[:80]!r} is not a header")
        try:
            headers[name] = value.strip(" \t")
        except InvalidHandshake:
            raise ServiceError("bad_request", f"the header {name[:80]!r} has a control character") from None
    if len(parts) != 3:
        raise ServiceError("bad_request", f"{first[:80]!r} is not a method, a target and a version")
    if "Transfer-Encoding" in headers or not set(headers.get_all("Content-Length")) <= {"0"}:
        raise ServiceError("bad_request", "an upgrade has no body; send none, and no Content-Length but 0")
    method, target, version = parts
    return Request(target, headers, method, version)


def path_of(request: Request) -> str:
    """The path of a request, percent-decoded; the request's target may be a URL (RFC 9112, section 3.2.2).

    Raises:
        ServiceError: `bad_request`: a URL that cannot be read.
    """
    target = request.path
    if not target.startswith("/"):
        try:
            target = urlsplit(target).path
        except ValueError:
            raise ServiceError("bad_request", f"{target[:80]!r} is not a URL") from None
    return unquote(target.partition("?")[0].partition("#")[0])


def raw_headers(request: Request) -> list[tuple[bytes, bytes]]:
    """The headers in ASGI's form, with names in lower case."""
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in request.headers.raw_items()]


def answer_to(request: Request, stream: str) -> bytes:
    """Makes the answer that begins the stream named `stream` (RFC 6455, section 4.2).

    Raises:
        ServiceError: `wrong_subprotocol`; `bad_request`: not an upgrade as RFC 6455 requires.
    """
    offered = [name.strip() for value in request.headers.get_all("Sec-WebSocket-Protocol") for name in value.split(",")]
    if SUBPROTOCOL not in offered:
        raise wrong_subprotocol()
    handshake = ServerProtocol(logger=LIBRARY_LOG)
    response = handshake.accept(request)
    if response.status_code != HTTPStatus.SWITCHING_PROTOCOLS:
        why = handshake.handshake_exc
        said = str(why) if isinstance(why, InvalidHandshake) else "its headers can't be read"
        raise ServiceError("bad_request", f"this is not an upgrade to a websocket: {said[:200]}")
    response.headers["Sec-WebSocket-Protocol"] = SUBPROTOCOL
    response.headers[STREAM_HEADER] = stream
    handshake.send_response(response)
    return b"".join(handshake.data_to_send())


def wrong_subprotocol() -> ServiceError:
    """The refusal of a client that does not speak the protocol."""
    return ServiceError("wrong_subprotocol", f"offer the websocket subprotocol {SUBPROTOCOL!r}")


def denial(error: ServiceError) -> bytes:
    """Bytes of a refusal as an HTTP answer, after which the connection ends."""
    answer = problem(error)
    status = HTTPStatus(answer.status_code)
    head = [f"HTTP/1.1 {status.value} {status.phrase}".encode(), b"connection: close"]
    head += [f"{name}: {value}".encode() for name, value in HEADERS.items()]
    head += [name + b": " + value for name, value in answer.raw_headers]
    return b"\r\n".join((*head, b"", bytes(answer.body)))
