"""Refusals of requests for the stream that are no upgrade, and of upgrades of paths without a stream."""

from fastapi import APIRouter
from starlette.websockets import WebSocket

from server.errors import ServiceError
from server.http.openapi import refusals
from server.http.problem import problem


def router(path: str, subprotocol: str) -> APIRouter:
    """Makes the route that tells clients who GET the stream's path how a stream is opened."""
    routes = APIRouter(tags=["service"])

    @routes.get(path, summary="The stream", status_code=101, responses=refusals("upgrade_required"))
    async def stream() -> None:
        """Rows in, decisions out: a websocket, described by `/asyncapi.json` and PROTOCOL.md."""
        raise ServiceError(
            "upgrade_required",
            f"this is the path of a websocket: ask for an upgrade and offer the subprotocol {subprotocol!r}",
        )

    return routes


async def no_stream_here(websocket: WebSocket) -> None:
    """Refuses an upgrade to a path that has no stream."""
    refusal = ServiceError("not_found", f"there is no websocket at {websocket.url.path[:200]!r}")
    await websocket.send_denial_response(problem(refusal))
