"""Bounds request bodies, announced or not: each of them, and all that are under way together."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.errors import ServiceError
from server.http.problem import problem


class BodyLimit:
    """ASGI middleware that refuses HTTP bodies: over `limit_bytes` with 413, past `total_bytes` in all with 429."""

    def __init__(self, app: ASGIApp, limit_bytes: int, total_bytes: int) -> None:
        self._app, self._limit, self._total = app, limit_bytes, total_bytes
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = int(dict(scope["headers"]).get(b"content-length", b"0"))  # the HTTP parser let digits alone pass
        try:
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
