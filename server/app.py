"""The composition root: makes the parts of one process and gives each door the parts that the door needs."""

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from fastapi_offline import FastAPIOffline
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Match, Mount, Route, WebSocketRoute
from starlette.types import Scope

from model.picture import PictureLimits
from sensor_sim.wire import STREAM_PATH, SUBPROTOCOL
from server.audit_counts import AuditCounts
from server.connections.registry import Registry
from server.http import openapi, stream_refusals
from server.http.access import Access
from server.http.compression import Unpacked
from server.http.head_method import HeadAsGet
from server.http.problem import tell_problems
from server.http.request_limit import RequestLimit
from server.http.security import Guard
from server.info import health, models, samples
from server.networks import Networks
from server.pictures import endpoint as pictures
from server.pictures.decoder_pool import DecoderPool
from server.pictures.entries import ImageDecision, ImageError
from server.process.audits_file import AuditsFile
from server.process.clock import ServiceClock
from server.process.metrics import Metrics
from server.process.request_pool import RequestPool
from server.settings import Settings
from server.stream import asyncapi
from server.stream.endpoint import StreamEndpoint
from server.stream.streams import Streams
from server.tensors import endpoint as tensors
from server.tensors.schemas import InferRequest, InferResponse
from server.tensors.sequences import Sequences


class _Page(Mount):
    """The page's files. The interface is not among them: a wrong method or address there is the router's to answer."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        path: str = scope["path"]
        return (Match.NONE, {}) if path.startswith(("/v1/", "/v2/")) else super().matches(scope)


KEEP_S: Final = 10.0
"""Time from one writing of the counts of audits to the next."""


def create_app(
    settings: Settings, networks: Networks, counts: AuditCounts | None = None, kept: AuditsFile | None = None
) -> FastAPI:
    """Makes the application of one process.

    Args:
        settings: settings of the service.
        networks: the served networks.
        counts: counts of audits, shared with other processes; None: counts of this process alone.
        kept: the file that this process writes the counts of audits to; None: no file, or another process writes it.

    The lifespan state has `streams` (`Streams`) and `access` (`Access`), for the server that serves streams and ends
    the process, and `connections` (`Registry`), for the protocol of the connections.

    Raises:
        TlsError: a certificate or a key that cannot be used.
    """
    metrics, clock = Metrics(), ServiceClock()
    connections = Registry(settings, metrics, clock)
    streams = Streams(settings, networks, metrics, clock, counts)
    pool = RequestPool(settings.max_requests, settings.request_s, clock, settings.request_threads)
    access = Access.of(settings)
    decoders = DecoderPool()

    def metrics_text() -> bytes:
        streams.publish()
        return metrics.text()

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        tasks = [streams.measure(), connections.watch(), *([kept.keep(KEEP_S)] if kept else [])]
        watching = [asyncio.create_task(each) for each in tasks]
        # Loaded objects stay: a full collection, which delays every stream, need not look at them again.
        gc.freeze()
        yield {"streams": streams, "access": access, "connections": connections}
        for task in watching:
            task.cancel()
        await asyncio.gather(*watching, return_exceptions=True)
        pool.close()
        decoders.close()

    app = FastAPIOffline(title="rascanet-stream", version=_version(), redoc_url=None, lifespan=lifespan)
    app.add_middleware(HeadAsGet)
    app.add_middleware(RequestLimit, limit_bytes=settings.request_bytes, total_bytes=settings.bodies_bytes)
    app.add_middleware(Unpacked)
    app.add_middleware(Guard, access=access, refused=metrics.refused)
    tell_problems(app)
    examples = {"variant": next(iter(networks))} if networks else {}
    openapi.describe(app, (ImageDecision, ImageError, InferRequest, InferResponse), examples)
    picture_limits = PictureLimits(settings.image_bytes, settings.image_pixels)
    sequences = Sequences(settings.max_sequences, settings.sequence_idle_s, clock)
    for router in (
        pictures.router(networks, pool, decoders, picture_limits, settings.max_images),
        tensors.router(
            networks, pool, sequences, settings.max_images, settings.sequence_idle_s, app.version, streams.audits
        ),
        health.router(
            settings.limits, lambda: len(streams), lambda: streams.admission.open, metrics_text, asyncapi.document
        ),
        samples.router(settings.samples, settings.recordings),
        models.router(networks, streams.audits.watch_of),
        stream_refusals.router(STREAM_PATH, SUBPROTOCOL),
    ):
        app.include_router(router)
    app.router.routes.insert(0, Route("/openapi.json", _told_once(app.openapi)))
    app.router.routes.append(WebSocketRoute(STREAM_PATH, StreamEndpoint(streams)))
    app.router.routes.append(WebSocketRoute("/{path:path}", stream_refusals.no_stream_here))
    if settings.page_folder.is_dir():
        app.router.routes.append(_Page("/", StaticFiles(directory=settings.page_folder, html=True)))
    return app


def _told_once(document: Callable[[], dict[str, Any]]) -> Callable[[Request], Awaitable[Response]]:
    """Makes an endpoint that writes a long document once; writing it for every request costs as much as many bursts."""
    written: list[bytes] = []

    async def endpoint(_request: Request) -> Response:
        if not written:
            written.append(bytes(JSONResponse(document()).body))
        return Response(written[0], media_type="application/json")

    return endpoint


def _version() -> str:
    try:
        return version("rascanet-stream")
    except PackageNotFoundError:
        return "unknown"
