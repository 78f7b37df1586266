"""`POST /v1/classify`: pictures in, one entry each out."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from io import BytesIO
from typing import Annotated, Any, Final, cast

from fastapi import APIRouter, Query, Request
from pydantic import ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from model.exit_policy import WHOLE_PICTURE_POLICY, Policy, describe_policy
from model.picture import MEDIA_TYPES, PictureLimits
from server.errors import ServiceError
from server.http.openapi import refusals, schema_of
from server.http.policies import policy_from
from server.http.problem import in_words
from server.networks import Networks, ServedNetwork, choose
from server.pictures.classify import classify_picture
from server.pictures.entries import ImageDecision, ImageError
from server.pictures.schemas import Classified, ClassifyOptions
from server.process.work import Work

NDJSON = "application/x-ndjson"
RAW_TYPES = (*MEDIA_TYPES, "application/octet-stream")
FILES = "files"
MAX_FIELD_BYTES = 4096

Entry = ImageDecision | ImageError


@dataclass(frozen=True, slots=True)
class Upload:
    """A picture that came; `read` gives its bytes, up to a number, from memory or from disk."""

    name: str
    read: Callable[[int], bytes]


def _form_field(field: dict[str, Any]) -> dict[str, Any]:
    """Of an option as it may come in a form, which knows no null."""
    kind: dict[str, Any]
    [kind] = [each for each in field.get("anyOf", [{}]) if each.get("type") != "null"]
    left_out = {"title", "anyOf", *(["default"] if field.get("default") is None else [])}
    return kind | {key: value for key, value in field.items() if key not in left_out}


_FIELDS = {
    name: _form_field(field)
    for name, field in ClassifyOptions.model_json_schema()["properties"].items()
    if name != "name"
}
_LINES = {
    "schema": {"anyOf": [schema_of(ImageDecision), schema_of(ImageError)], "description": "of each line"},
    "examples": {
        "two pictures": {
            "value": "".join(
                json.dumps(cast("dict[str, Any]", kind.model_config["json_schema_extra"])["example"]) + "\n"
                for kind in (ImageError, ImageDecision)
            )
        }
    },
}
_BINARY = {"type": "string", "format": "binary"}


_DESCRIBED: Final[dict[str, Any]] = {
    "summary": "Classify pictures",
    "response_model": Classified,
    "responses": {
        200: {"description": "one entry a picture", "content": {NDJSON: _LINES}},
        **refusals(
            "bad_request",
            "unknown_variant",
            "request_timeout",
            "too_many_images",
            "request_too_large",
            "image_too_large",
            "image_too_many_pixels",
            "unsupported_media_type",
            "bad_option",
            "bad_policy",
            "no_images",
            "unreadable_image",
            "too_many_requests",
            "out_of_time",
        ),
    },
    "openapi_extra": {
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {
                    "schema": {
                        "type": "object",
                        "required": [FILES],
                        "additionalProperties": False,
                        "properties": {FILES: {"type": "array", "minItems": 1, "items": _BINARY}} | _FIELDS,
                    },
                    "encoding": {FILES: {"contentType": ", ".join(RAW_TYPES)}},
                },
                **{kind: {"schema": _BINARY} for kind in RAW_TYPES},
            },
        }
    },
}


class ClassifyEndpoint:
    """Takes pictures, classifies them in the threads of `work`, and answers.

    Args:
        networks: to choose from.
        work: room for requests and the threads that do their work.
        limits: of a picture.
        max_images: in one request.
    """

    def __init__(self, networks: Networks, work: Work, limits: PictureLimits, max_images: int) -> None:
        self._networks, self._work, self._limits, self._max_images = networks, work, limits, max_images

    async def classify(self, request: Request, options: Annotated[ClassifyOptions, Query()]) -> Response:
        """Classifies pictures, each read burst by burst as a stream would be.

        Send them as multipart form fields `files`, or one as the body itself. JPEG, PNG, WebP, AVIF, TIFF, BMP and
        GIF are taken; of an animation the first frame counts, EXIF's orientation is applied, transparent pixels lie on
        white.

        With `Accept: application/x-ndjson` the entries come one a line as they are done, each with its `index` in the
        request; else as one JSON document in the order of the request. A picture that can't be read gets an entry with
        `code` and `message`; where it is the only one, the request is refused.
        """
        work, limits = self._work, self._limits
        async with AsyncExitStack() as held:
            held.enter_context(work.request())
            deadline = work.deadline()
            uploads, fields = await work.in_time(deadline, self._receive(request, options, held))
            if fields:
                options = _merged(options, fields)
            served = choose(self._networks, options.variant)
            policy = _policy(options, served)

            def decide(index: int, upload: Upload) -> Entry:
                return classify_picture(
                    upload.read(limits.most_bytes + 1),
                    served.runtime,
                    policy,
                    limits,
                    name=upload.name,
                    index=index,
                    curve=options.reports == "curve",
                )

            async def one(index: int, upload: Upload) -> Entry:
                try:
                    return await work.run(deadline, decide, index, upload)
                except ServiceError as error:  # its turn did not come
                    return ImageError(index=index, name=upload.name, code=error.code, message=str(error))

            entries = _as_they_are_done(one, uploads, 2 * work.threads)
            if NDJSON in request.headers.get("accept", ""):
                if options.top is None:
                    return _HeldResponse(_lines(entries), held.pop_all())
                chosen = _top(sorted([each async for each in entries], key=_index), options.top)
                return Response("".join(map(_line, chosen)), media_type=NDJSON)
            results = sorted([each async for each in entries], key=_index)
        if len(results) == 1 and isinstance(results[0], ImageError):
            raise ServiceError(results[0].code, results[0].message)
        return _document(served, policy, _top(results, options.top))

    async def _receive(
        self, request: Request, options: ClassifyOptions, held: AsyncExitStack
    ) -> tuple[list[Upload], dict[str, Any]]:
        """The pictures of a request, and the options among its form fields."""
        kind = request.headers.get("content-type", RAW_TYPES[-1]).partition(";")[0].strip().lower()
        if kind == "multipart/form-data":
            form = await _form(request, self._max_images)
            held.push_async_callback(form.close)
            return _uploads(form)
        if kind not in RAW_TYPES:
            raise ServiceError(
                "unsupported_media_type",
                f"{kind[:80]!r} is not taken: send multipart/form-data with pictures in the field {FILES!r}, "
                f"or one picture as {', '.join(RAW_TYPES)}",
            )
        body, most = bytearray(), self._limits.most_bytes
        try:
            async for part in request.stream():
                body += part
                if len(body) > most:  # what follows can't make it smaller
                    break
        except ClientDisconnect:
            raise ServiceError("bad_request", "the client left before the picture was there") from None
        return [Upload(options.name, BytesIO(body).read)], {}


def router(networks: Networks, work: Work, limits: PictureLimits, max_images: int) -> APIRouter:
    """`POST /v1/classify`; the arguments are those of `ClassifyEndpoint`."""
    routes = APIRouter(tags=["pictures"])
    endpoint = ClassifyEndpoint(networks, work, limits, max_images)
    routes.add_api_route("/v1/classify", endpoint.classify, methods=["POST"], **_DESCRIBED)
    return routes


def _document(served: ServedNetwork, policy: Policy, results: list[Entry]) -> Response:
    document = Classified(
        variant=served.runtime.config.name,
        weights=served.digest,
        policy=describe_policy(policy),
        results=results,
    )
    return Response(document.model_dump_json(exclude_none=True), media_type="application/json")


class _HeldResponse(StreamingResponse):
    """Keeps what the request holds until its last line is sent, or the client is gone."""

    def __init__(self, lines: AsyncIterator[str], held: AsyncExitStack) -> None:
        super().__init__(lines, media_type=NDJSON)
        self._held = held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._held:
            await super().__call__(scope, receive, send)


def _line(entry: Entry) -> str:
    return entry.model_dump_json(exclude_none=True) + "\n"


async def _lines(entries: AsyncIterator[Entry]) -> AsyncIterator[str]:
    async for entry in entries:
        yield _line(entry)


def _index(entry: Entry) -> int:
    return entry.index


def _top(results: list[Entry], count: int | None) -> list[Entry]:
    """The `count` highest P(person) in their order; errors stay."""
    decisions = [each for each in results if isinstance(each, ImageDecision)]
    best = sorted(decisions, key=lambda each: -each.p_person)[:count]
    kept = {each.index for each in best}
    return [each for each in results if isinstance(each, ImageError) or each.index in kept]


async def _as_they_are_done(
    one: Callable[[int, Upload], Awaitable[Entry]], uploads: Sequence[Upload], at_a_time: int
) -> AsyncIterator[Entry]:
    waiting = iter(enumerate(uploads))
    running: set[asyncio.Future[Entry]] = set()
    try:
        while True:
            while len(running) < at_a_time and (following := next(waiting, None)):
                running.add(asyncio.ensure_future(one(*following)))
            if not running:
                return
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for each in done:
                yield each.result()
    finally:
        for left in running:
            left.cancel()


async def _form(request: Request, max_images: int) -> FormData:
    try:
        return await request.form(max_files=max_images, max_fields=len(_FIELDS), max_part_size=MAX_FIELD_BYTES)
    except HTTPException as error:  # how Starlette tells of a MultiPartException
        if "Too many files" in error.detail:
            raise ServiceError("too_many_images", f"at most {max_images} pictures a request are taken") from error
        raise ServiceError("bad_request", f"the multipart body can't be read: {error.detail}") from error
    except ClientDisconnect:
        raise ServiceError("bad_request", "the client left before its pictures were there") from None
    except (UnicodeDecodeError, ValueError, KeyError) as error:  # of part headers that are not what they should be
        raise ServiceError("bad_request", f"the multipart body can't be read ({type(error).__name__})") from error


def _uploads(form: FormData) -> tuple[list[Upload], dict[str, Any]]:
    uploads, fields = [], {}
    for name, value in form.multi_items():
        if isinstance(value, UploadFile):
            if name != FILES:
                raise ServiceError("bad_request", f"pictures belong in the field {FILES!r}, not {name[:80]!r}")
            uploads.append(Upload(value.filename or "", value.file.read))
        elif name == FILES:
            raise ServiceError("bad_request", f"a part {FILES!r} has no file name, so it is no file")
        elif name in fields:
            raise ServiceError("bad_option", f"{name[:80]!r} came twice; send it once")
        else:
            fields[name] = value
    if not uploads:
        raise ServiceError("no_images", f"there is no picture in the field {FILES!r}")
    return uploads, fields


def _merged(options: ClassifyOptions, fields: dict[str, Any]) -> ClassifyOptions:
    try:
        return ClassifyOptions.model_validate(options.model_dump(exclude_unset=True) | fields)
    except ValidationError as error:
        raise ServiceError("bad_option", in_words(error.errors())) from error


def _policy(options: ClassifyOptions, served: ServedNetwork) -> Policy:
    given = {"exit_threshold": options.exit_threshold, "skip_threshold": options.skip_threshold}
    return policy_from(options.policy, given, served, WHOLE_PICTURE_POLICY)
