"""Who may ask, and what browsers are told (SECURITY.md)."""

import base64
import hmac
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from server.errors import ServiceError
from server.http.problem import problem

BEARER_SUBPROTOCOL: Final = "rascanet.bearer."
"""Offered beside the protocol by browsers, which can't set a header: followed by the token in base64url, unpadded."""

GUARDED: Final = ("/v1", "/v2", "/metrics")
"""What the bearer token is asked for, with everything below; page and health are open."""

HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
}
CONTENT_POLICY: Final = (
    "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; connect-src 'self'; "
    "worker-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
DESCRIPTIONS: Final = ("/docs",)
"""FastAPI's page of the API, which has a script in its text: without the content policy."""


class Guard:
    """ASGI middleware: bearer token, origin, security headers.

    Args:
        bearer: token to ask for; none if None.
        origins: that browsers may come from, beside the service's own.
        refused: called with the code of every upgrade that is refused.
    """

    def __init__(
        self, app: ASGIApp, bearer: str | None, origins: frozenset[str], refused: Callable[[str], None]
    ) -> None:
        self._app, self._origins, self._refused = app, origins, refused
        self._bearer = bearer.encode() if bearer else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        path: str = scope["path"]

        async def secured(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if not path.startswith(DESCRIPTIONS):
                    headers.setdefault("Content-Security-Policy", CONTENT_POLICY)
            await send(message)

        websocket = scope["type"] == "websocket"
        outgoing = send if websocket else secured  # an open stream needs no headers, and pays for no wrapper
        try:
            self._check(scope, {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]})
        except ServiceError as error:
            if websocket:
                self._refused(error.code)
                await WebSocket(scope, receive, secured).send_denial_response(problem(error))
            else:
                await problem(error, path)(scope, receive, secured)
            return
        await self._app(scope, receive, outgoing)

    def _check(self, scope: Scope, headers: Mapping[str, str]) -> None:
        origin = headers.get("origin")
        unsafe = scope["type"] == "websocket" or scope.get("method") not in ("GET", "HEAD", "OPTIONS")
        if origin and unsafe and origin not in self._origins and urlsplit(origin).netloc != headers.get("host"):
            raise ServiceError("forbidden_origin", f"pages of {origin[:100]} may not use this service")
        path: str = scope["path"]
        guarded = any(path == part or path.startswith(part + "/") for part in GUARDED)
        if self._bearer and guarded and not self._knows(scope, headers):
            raise ServiceError("unauthorized", "send the header 'Authorization: Bearer' with this service's token")

    def _knows(self, scope: Scope, headers: Mapping[str, str]) -> bool:
        assert self._bearer is not None  # noqa: S101 - asked before
        kind, _, given = headers.get("authorization", "").partition(" ")
        found = given.strip().encode() if kind.lower() == "bearer" else b""
        for offered in scope.get("subprotocols", ()):
            if offered.startswith(BEARER_SUBPROTOCOL):
                encoded = offered.removeprefix(BEARER_SUBPROTOCOL)
                try:
                    found = base64.b64decode(encoded + "=" * (-len(encoded) % 4), b"-_", validate=True)
                except ValueError:
                    found = b""
        return hmac.compare_digest(found, self._bearer)
