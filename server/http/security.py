"""Security of answers: checks `Access` before every request, and adds the headers that guide browsers (SECURITY.md)."""

from collections.abc import Callable
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from server.errors import ServiceError
from server.http.access import Access
from server.http.problem import problem

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
WORKERS: Final = "/assets/worker-"
"""Beginning of the paths of the page's workers. A worker obeys the policy of its own answer, and compiles the
network in WebAssembly, which the page itself may not."""
WORKER_POLICY: Final = f"{CONTENT_POLICY}; script-src 'self' 'wasm-unsafe-eval'"
DESCRIPTIONS: Final = ("/docs",)
"""Paths without the content policy: FastAPI's page of the API has a script in its text."""

READABLE: Final = "Allow, Inference-Header-Content-Length, Retry-After"
"""Response headers that pages of allowed origins may read, beside those that every page may (Fetch standard, CORS)."""

PREFLIGHT: Final = {
    "Access-Control-Allow-Methods": "GET, HEAD, POST",
    "Access-Control-Allow-Headers": (
        "Accept, Authorization, Content-Encoding, Content-Type, Inference-Header-Content-Length"
    ),
    "Access-Control-Max-Age": "600",
}


class Guard:
    """ASGI middleware around `Access`: refusals, security headers, and CORS for the pages that may ask.

    Args:
        access: decides who may ask.
        refused: called with the code of every refused upgrade.
    """

    def __init__(self, app: ASGIApp, access: Access, refused: Callable[[str], None]) -> None:
        self._app, self._access, self._refused = app, access, refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        path: str = scope["path"]
        websocket = scope["type"] == "websocket"
        method: str = scope.get("method", "GET")
        headers = dict(scope["headers"])
        origin = headers.get(b"origin", b"").decode("latin-1")
        scheme = scope.get("scheme", "http")
        welcome = bool(origin) and self._access.welcomes(origin, scheme, headers.get(b"host", b"").decode("latin-1"))

        async def secured(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                answer = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    answer.setdefault(name, value)
                if not path.startswith(DESCRIPTIONS):
                    policy = WORKER_POLICY if path.startswith(WORKERS) else CONTENT_POLICY
                    answer.setdefault("Content-Security-Policy", policy)
                if self._access.origins:
                    answer.add_vary_header("Origin")
                if welcome:
                    answer["Access-Control-Allow-Origin"] = origin
                    answer["Access-Control-Expose-Headers"] = READABLE
            await send(message)

        # An open stream needs no headers, so its messages pass no wrapper.
        outgoing = send if websocket else secured
        preflight = method == "OPTIONS" and b"origin" in headers and b"access-control-request-method" in headers
        try:  # a browser asks without the token whether a page may ask at all
            self._access.check("POST" if preflight else method, scheme, path, scope["headers"], token=not preflight)
        except ServiceError as error:
            if websocket:
                self._refused(error.code)
                await WebSocket(scope, receive, secured).send_denial_response(problem(error))
            else:
                await problem(error, path)(scope, receive, secured)
            return
        if preflight:
            await Response(status_code=204, headers=PREFLIGHT)(scope, receive, secured)
            return
        await self._app(scope, receive, outgoing)
