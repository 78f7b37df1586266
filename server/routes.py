"""The HTTP interface."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException

from model.exit_policy import POLICIES, ExitPolicy, PolicyError, describe_policy, parse_policy
from model.scan import scan_frame
from server.errors import ServiceError
from server.images import decode_image
from server.schemas import Classified, Health, ImageDecision, ImageError, Model, Models, Policy, Problem, Sample
from server.service import Service
from server.session import ServedModel

router = APIRouter()


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


@router.get("/healthz")
async def health(request: Request) -> Health:
    """Answers while the service runs."""
    return Health(streams=_service(request).streams)


@router.get("/v1/models")
async def models(request: Request) -> Models:
    """The networks and exit policies that clients can ask for."""
    return Models(
        models=[
            Model(
                variant=config.name,
                height=config.height,
                width=config.width,
                burst_rows=config.BURST_ROWS,
                bursts_per_frame=config.bursts_per_frame,
                weights=served.digest,
            )
            for served in _service(request).models.values()
            for config in (served.runtime.config,)
        ],
        policies=[
            Policy(
                name=name, parameters={key: value for key, value in describe_policy(kind()).items() if key != "name"}
            )
            for name, kind in POLICIES.items()
        ],
    )


def _samples(request: Request) -> dict[str, Path]:
    return {path.name: path for path in _service(request).settings.samples}


@router.get("/v1/samples")
async def samples(request: Request) -> list[Sample]:
    """Pictures to try the service with."""
    return [Sample(name=path.stem, url=f"/v1/samples/{name}") for name, path in _samples(request).items()]


@router.get("/v1/samples/{name}", response_class=FileResponse, responses={404: {"model": Problem}})
async def sample(request: Request, name: str) -> FileResponse:
    """One of the pictures."""
    known = _samples(request)
    if name not in known:
        raise ServiceError("unknown_sample", f"there is no sample {name[:80]!r}")
    return FileResponse(known[name])


@router.post(
    "/v1/classify",
    responses={status: {"model": Problem} for status in (400, 404, 413, 422)},
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {
                    "schema": {
                        "type": "object",
                        "required": ["files"],
                        "properties": {"files": {"type": "array", "items": {"type": "string", "format": "binary"}}},
                    }
                }
            },
        }
    },
)
async def classify(
    request: Request,
    variant: Annotated[str | None, Query(description="the network; the first one served if not named")] = None,
    policy: Annotated[str, Query(description="the exit policy")] = "published",
    exit_threshold: Annotated[float | None, Query(description="of the policy `published`")] = None,
    skip_threshold: Annotated[float | None, Query(description="of the policy `published`")] = None,
) -> Classified:
    """Classifies pictures (multipart field `files`), each read burst by burst as a stream would be.

    A picture that can't be read gets an entry of its own; if none can be read, the answer is the first one's error.
    """
    service = _service(request)
    thresholds = {"exit_threshold": exit_threshold, "skip_threshold": skip_threshold}
    try:
        chosen = parse_policy({"name": policy} | {key: value for key, value in thresholds.items() if value is not None})
    except PolicyError as error:
        raise ServiceError("bad_policy", str(error)) from error
    served = _choose(service, variant)
    results: list[ImageDecision | ImageError] = []
    failures: list[ServiceError] = []
    async with _form(request, service.settings.max_images) as form:
        uploads = [upload for upload in form.getlist("files") if isinstance(upload, UploadFile)]
        if not uploads:
            raise ServiceError("no_images", "there is no picture in the field 'files'")
        for upload in uploads:
            name = upload.filename or ""
            try:
                results.append(await _classify(upload, name, served, chosen, service))
            except ServiceError as error:
                failures.append(error)
                results.append(ImageError(name=name, code=error.code, message=str(error)))
    if len(failures) == len(results):
        raise failures[0]
    return Classified(variant=served.runtime.config.name, policy=describe_policy(chosen), results=results)


def _choose(service: Service, variant: str | None) -> ServedModel:
    if variant is None and service.models:
        return next(iter(service.models.values()))
    if variant is None or variant not in service.models:
        served = ", ".join(service.models) or "none"
        raise ServiceError("unknown_variant", f"the variant {str(variant)[:40]!r} is not served; there is {served}")
    return service.models[variant]


@asynccontextmanager
async def _form(request: Request, max_images: int) -> AsyncIterator[FormData]:
    """The multipart body; its files are closed at the end."""
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise ServiceError("bad_request", "send the pictures as multipart/form-data, each in a field 'files'")
    try:
        form = await request.form(max_files=max_images, max_fields=0)
    except HTTPException as error:  # how Starlette tells of a MultiPartException
        if "Too many files" in error.detail:
            raise ServiceError("too_many_images", f"at most {max_images} pictures a request are taken") from error
        raise ServiceError("bad_request", f"the multipart body can't be read: {error.detail}") from error
    try:
        yield form
    finally:
        await form.close()


async def _classify(
    upload: UploadFile, name: str, served: ServedModel, policy: ExitPolicy, service: Service
) -> ImageDecision:
    config = served.runtime.config
    content = await upload.read(service.settings.image_bytes + 1)
    frame = await run_in_threadpool(decode_image, content, config.height, config.width, service.settings)
    scan = await run_in_threadpool(scan_frame, served.runtime, frame, policy)
    return ImageDecision(
        name=name,
        person=scan.person,
        p_person=scan.p_person,
        exited=scan.exited,
        burst_index=scan.last_burst,
        processed=scan.processed,
        skipped=scan.skipped,
        unread=scan.unread,
        processed_ratio=scan.processed_ratio,
    )
