"""Bounds the size of request bodies, announced or not."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.errors import ServiceError
from server.problem import problem


class BodyLimit:
    """ASGI middleware that refuses HTTP bodies over a number of bytes with 413."""

    def __init__(self, app: ASGIApp, limit_bytes: int) -> None:
        self._app, self._limit = app, limit_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        error = ServiceError("request_too_large", f"a request body has at most {self._limit} bytes")
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        if int(announced) > self._limit:  # the HTTP parser let digits alone pass
            await problem(error, scope["path"])(scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._limit:
                raise error
            return message

        await self._app(scope, counted, send)
