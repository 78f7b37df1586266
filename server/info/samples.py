"""Photographs and recordings that the service offers, for the demo page."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter
from fastapi.responses import FileResponse

from server.errors import ServiceError
from server.http.openapi import refusals
from server.info.schemas import Sample
from server.offered_files import is_readable, served_name


def _file(media_type: str, refusal: str) -> dict[str, Any]:
    """Describes a route that gives a file, for the OpenAPI document."""
    content = {media_type: {"schema": {"type": "string", "format": "binary"}}}
    return {"response_class": FileResponse, "responses": {200: {"content": content}, **refusals(refusal)}}


def _listed(paths: Sequence[Path], url: str) -> list[Sample]:
    return [Sample(name=Path(served_name(path)).stem, url=f"{url}/{quote(served_name(path))}") for path in paths]


def _found(paths: Sequence[Path], name: str, kind: str) -> Path:
    for path in paths:
        if served_name(path) == name:
            if not is_readable(path):
                raise ServiceError(f"unknown_{kind}", f"the {kind} {name[:80]!r} is not there any more")
            return path
    raise ServiceError(f"unknown_{kind}", f"there is no {kind} {name[:80]!r}; GET /v1/{kind}s lists them")


def router(pictures: Sequence[Path], recordings: Sequence[Path]) -> APIRouter:
    """The routes of these files."""
    routes = APIRouter(tags=["service"])

    @routes.get("/v1/samples")
    async def samples() -> list[Sample]:
        """Pictures to try the service with."""
        return _listed(pictures, "/v1/samples")

    @routes.get("/v1/samples/{name}", **_file("image/*", "unknown_sample"))
    async def sample(name: str) -> FileResponse:
        """One of the pictures."""
        return FileResponse(_found(pictures, name, "sample"))

    @routes.get("/v1/recordings", name="recordings")
    async def listed() -> list[Sample]:
        """Recordings of the simulated sensor."""
        return _listed(recordings, "/v1/recordings")

    @routes.get("/v1/recordings/{name}", **_file("application/octet-stream", "unknown_recording"))
    async def recording(name: str) -> FileResponse:
        """One of the recordings, as `rascanet record` wrote it."""
        return FileResponse(_found(recordings, name, "recording"), media_type="application/octet-stream")

    return routes
