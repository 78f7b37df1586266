"""Health, limits and metrics of the service, for operators."""

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import Response

from server.info.schemas import Health
from server.settings import Limits


def router(
    limits_in_force: Limits,
    open_streams: Callable[[], int],
    admits: Callable[[], bool],
    metrics_text: Callable[[], bytes],
    describe_stream: Callable[[], dict[str, Any]],
) -> APIRouter:
    """Makes the routes of health, limits and metrics.

    Args:
        limits_in_force: the limits.
        open_streams: returns the number of open websocket streams.
        admits: returns true if one more stream would be admitted.
        metrics_text: returns the counts in Prometheus' text format.
        describe_stream: returns the AsyncAPI document.
    """
    routes = APIRouter(tags=["service"])

    @routes.get("/v1/limits")
    async def limits() -> Limits:
        """The limits in force; `welcome` tells the same."""
        return limits_in_force

    @routes.get("/asyncapi.json", include_in_schema=False)
    async def asyncapi() -> dict[str, Any]:
        """The stream's description, as `/openapi.json` is the one of the rest."""
        return describe_stream()

    @routes.get("/healthz")
    async def health() -> Health:
        """Answers while the service runs."""
        return Health(streams=open_streams())

    @routes.get("/healthz/live")
    async def live() -> dict[str, str]:
        """Answers while the process runs."""
        return {"status": "ok"}

    @routes.get("/healthz/ready", responses={503: {"description": "no more streams are admitted"}})
    async def ready() -> JSONResponse:
        """Answers whether streams are admitted; 503 when the service is full, busy or stopping."""
        is_open = admits()
        return JSONResponse({"status": "ok" if is_open else "closed"}, 200 if is_open else 503)

    @routes.get("/metrics", response_class=Response)
    async def metrics() -> Response:
        """Counts in Prometheus' text format."""
        return Response(metrics_text(), media_type=CONTENT_TYPE_LATEST)

    return routes
