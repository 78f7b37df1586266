"""What operators ask for over HTTP: health, limits, metrics."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import Response

from server.http.schemas import Health
from server.service import service_of
from server.settings import Limits
from server.stream.asyncapi import document

router = APIRouter(tags=["service"])


@router.get("/v1/limits")
async def limits(request: Request) -> Limits:
    """The limits in force; `welcome` tells the same."""
    return service_of(request).settings.limits


@router.get("/asyncapi.json", include_in_schema=False)
async def asyncapi() -> dict[str, Any]:
    """The stream's description, as `/openapi.json` is the one of the rest."""
    return document()


@router.get("/healthz")
async def health(request: Request) -> Health:
    """Answers while the service runs."""
    return Health(streams=service_of(request).streams)


@router.get("/healthz/live")
async def live() -> dict[str, str]:
    """Answers while the process runs."""
    return {"status": "ok"}


@router.get("/healthz/ready", responses={503: {"description": "no more streams are admitted"}})
async def ready(request: Request) -> JSONResponse:
    """Whether streams are admitted; 503 when the service is full, busy or stopping."""
    is_open = service_of(request).admission.open
    return JSONResponse({"status": "ok" if is_open else "closed"}, 200 if is_open else 503)


@router.get("/metrics", response_class=Response)
async def metrics(request: Request) -> Response:
    """Counts in Prometheus' text format."""
    service = service_of(request)
    service.publish()
    return Response(service.metrics.text(), media_type=CONTENT_TYPE_LATEST)
