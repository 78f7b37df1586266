"""The ASGI application."""

from fastapi import FastAPI, Request
from fastapi.staticfiles import StaticFiles
from starlette.responses import Response
from starlette.routing import WebSocketRoute

from server.body_limit import BodyLimit
from server.errors import ServiceError
from server.problem import problem
from server.routes import router
from server.service import Service
from server.stream import StreamEndpoint


def create_app(service: Service) -> FastAPI:
    """The application around a loaded service."""
    app = FastAPI(title="rascanet-stream", description=__doc__, openapi_url="/openapi.json")
    app.state.service = service
    app.add_middleware(BodyLimit, limit_bytes=service.settings.request_bytes)
    app.add_exception_handler(ServiceError, _refuse)
    app.include_router(router)
    app.router.routes.append(WebSocketRoute("/v1/stream", StreamEndpoint()))
    if service.settings.page_folder.is_dir():
        app.mount("/", StaticFiles(directory=service.settings.page_folder, html=True))
    return app


async def _refuse(_request: Request, error: Exception) -> Response:
    assert isinstance(error, ServiceError)  # noqa: S101 - registered for this class
    return problem(error)
