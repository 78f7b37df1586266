"""Bounds of requests: options in the query, the body, announced or not, and all bodies under way together."""

from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.errors import ServiceError
from server.http.problem import problem

MOST_OPTIONS: Final = 64
"""Most options in a query; an answer names each unknown one."""

MOST_DIGITS: Final = 18
"""Most digits of a `Content-Length` that are read; Python refuses numbers of more than 4,300."""


class RequestLimit:
    """ASGI middleware that refuses HTTP requests before the application sees them.

    Args:
        limit_bytes: largest body; a larger one is answered with 413.
        total_bytes: largest sum of all bodies under way; past it 429.
    """

    def __init__(self, app: ASGIApp, limit_bytes: int, total_bytes: int) -> None:
        self._app, self._limit, self._total = app, limit_bytes, total_bytes
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            options = scope["query_string"].count(b"&") + 1
            if options > MOST_OPTIONS:
                raise ServiceError("bad_option", f"a request has at most {MOST_OPTIONS} options, not {options}")
            announced = announced_bytes(dict(scope["headers"]).get(b"content-length", b"0"))
            self._check(announced, self._held + announced)
        except ServiceError as refusal:
            await problem(refusal, scope["path"])(scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            size = len(message.get("body", b""))
            received += size
            self._held += size
            self._check(received, self._held)
            return message

        try:
            await self._app(scope, counted, send)
        finally:
            self._held -= received

    def _check(self, body: int, held: int) -> None:
        if body > self._limit:
            raise ServiceError("request_too_large", f"a request body has at most {self._limit} bytes")
        if held > self._total:
            raise ServiceError(
                "too_many_requests", f"the bodies of all requests have at most {self._total} bytes; try again later"
            )


def announced_bytes(content_length: bytes) -> int:
    """The number in a `Content-Length` header; a number with too many digits counts as a very large one.

    Raises:
        ServiceError: `bad_request`.
    """
    if not content_length.isdigit():
        raise ServiceError("bad_request", "the header Content-Length must be a number of bytes")
    digits = content_length.lstrip(b"0") or b"0"
    return int(digits) if len(digits) < MOST_DIGITS else 10**MOST_DIGITS
