"""The ASGI application."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from fastapi_offline import FastAPIOffline
from starlette.routing import Match, Mount, WebSocketRoute
from starlette.types import Scope

from server.http import openapi
from server.http.body_limit import BodyLimit
from server.http.problem import tell_problems
from server.http.security import Guard
from server.info import health, models, samples
from server.pictures import endpoint as pictures
from server.service import Service
from server.stream.endpoint import STREAM_PATH, StreamEndpoint
from server.tensors import endpoint as tensors


class _Page(Mount):
    """The page's files. The interface is not among them: a wrong method or address there is the router's to answer."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        path: str = scope["path"]
        return (Match.NONE, {}) if path.startswith(("/v1/", "/v2/")) else super().matches(scope)


def create_app(service: Service) -> FastAPI:
    """The application around a loaded service."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        measuring = asyncio.create_task(service.measure())
        gc.freeze()  # what was loaded stays: a full collection, which holds every stream up, need not look at it again
        yield {"service": service}
        measuring.cancel()
        await asyncio.gather(measuring, return_exceptions=True)
        service.work.close()

    app = FastAPIOffline(title="rascanet-stream", version=_version(), redoc_url=None, lifespan=lifespan)
    app.state.service = service
    app.add_middleware(BodyLimit, limit_bytes=service.settings.request_bytes, total_bytes=service.settings.bodies_bytes)
    bearer = service.settings.bearer_token
    app.add_middleware(
        Guard,
        bearer=bearer.get_secret_value() if bearer else None,
        origins=frozenset(service.settings.allowed_origins),
        refused=service.metrics.refused,
    )
    tell_problems(app)
    openapi.describe(app)
    for door in (pictures, tensors, health, samples, models):
        app.include_router(door.router)
    app.router.routes.append(WebSocketRoute(STREAM_PATH, StreamEndpoint()))
    if service.settings.page_folder.is_dir():
        app.router.routes.append(_Page("/", StaticFiles(directory=service.settings.page_folder, html=True)))
    return app


def _version() -> str:
    try:
        return version("rascanet-stream")
    except PackageNotFoundError:
        return "unknown"
