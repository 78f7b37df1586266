"""`POST /v1/classify`: pictures in, one entry each out."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, aclosing
from functools import partial
from time import monotonic
from typing import Annotated, Any, Final, cast

from fastapi import APIRouter, Query, Request
from pydantic import ValidationError
from starlette.requests import ClientDisconnect
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from model.exit_policy import WHOLE_PICTURE_POLICY, Policy, describe_policy
from model.picture import MEDIA_TYPES, PictureLimits
from server.connections.addresses import client_of
from server.errors import ServiceError
from server.http.openapi import refusals, schema_of
from server.http.policies import policy_from
from server.http.problem import in_words
from server.networks import Networks, ServedNetwork, choose
from server.pictures.classify import classify_picture
from server.pictures.decoder_pool import DecoderPool
from server.pictures.entries import ImageDecision, ImageError
from server.pictures.form import FILES, FormReader, Upload
from server.pictures.schemas import Classified, ClassifyOptions
from server.process.request_pool import RequestPool

NDJSON = "application/x-ndjson"
FORM = "multipart/form-data"
ANYTHING = "application/octet-stream"
RAW_TYPES = (*MEDIA_TYPES, ANYTHING)

Entry = ImageDecision | ImageError


def _form_field(field: dict[str, Any]) -> dict[str, Any]:
    """Schema of an option in a form, which has no null."""
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
                FORM: {
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
    """Takes pictures, classifies them in the threads of `pool`, and answers.

    Args:
        networks: the networks served.
        pool: room for requests, and the threads that run them.
        decoders: processes that decode pictures.
        limits: the largest picture that is read.
        max_images: most pictures in one request.
    """

    def __init__(
        self, networks: Networks, pool: RequestPool, decoders: DecoderPool, limits: PictureLimits, max_images: int
    ) -> None:
        self._networks, self._pool, self._decoders = networks, pool, decoders
        self._limits, self._max_images = limits, max_images

    async def classify(self, request: Request, options: Annotated[ClassifyOptions, Query()]) -> Response:
        """Classifies pictures, each read burst by burst as a stream would be.

        Send them as multipart form fields `files`, or one as the body itself. JPEG, PNG, WebP, AVIF, TIFF, BMP and
        GIF are taken; of an animation the first frame counts, EXIF's orientation is applied, transparent pixels lie on
        white.

        With `Accept: application/x-ndjson` the entries come one a line as they are done, each with its `index` in the
        request; else as one JSON document in the order of the request. A picture that can't be read gets an entry with
        `code` and `message`; where it is the only one, the request is refused.
        """
        pool, limits = self._pool, self._limits
        async with AsyncExitStack() as held:
            held.enter_context(pool.request(client_of(request.scope)))
            deadline = pool.deadline()
            uploads, fields = await pool.in_time(deadline, self._receive(request, options))
            if fields:
                options = _merged(options, fields)
            served = choose(self._networks, options.variant)
            policy = _policy(options, served)
            # The service's clock stands still with its loop; threads that wait go by the machine's.
            decode_by = monotonic() + pool.left_s(deadline)

            def decide(index: int, upload: Upload) -> Entry:
                self._decoders.prepare(upload.content, decode_by)  # its start is no part of the picture's time
                return classify_picture(
                    upload.content,
                    served.runtime,
                    policy,
                    limits,
                    name=upload.name,
                    index=index,
                    curve=options.reports == "curve",
                    decode=partial(self._decoders.decode, deadline=decode_by),
                )

            async def one(index: int, upload: Upload) -> Entry:
                try:
                    return await pool.run(deadline, decide, index, upload)
                except ServiceError as error:  # no thread was free in time
                    return ImageError(index=index, name=upload.name, code=error.code, message=str(error))

            entries = _as_they_are_done(one, uploads, 2 * pool.threads)
            if NDJSON in request.headers.get("accept", ""):
                if options.top is None:
                    return _HeldResponse(_lines(entries), held.pop_all())
                chosen = _top(await _all(entries, request), options.top)
                return Response("".join(map(_line, chosen)), media_type=NDJSON)
            results = await _all(entries, request)
        if len(results) == 1 and isinstance(results[0], ImageError):
            raise ServiceError(results[0].code, results[0].message)
        return _document(served, policy, _top(results, options.top))

    async def _receive(self, request: Request, options: ClassifyOptions) -> tuple[list[Upload], dict[str, str]]:
        """The pictures of a request, and the options among its form fields.

        The bytes of a picture tell its format; the content type only tells a form from a picture.
        """
        content_type = request.headers.get("content-type", ANYTHING)
        kind = content_type.partition(";")[0].strip().lower()
        try:
            if kind == FORM:
                form = FormReader(content_type, _FIELDS, self._max_images, self._limits.most_bytes)
                async for part in request.stream():
                    form.take(part)
                return form.finish()
            if not kind.startswith("image/") and kind not in ("", "*/*", ANYTHING):
                raise ServiceError(
                    "unsupported_media_type",
                    f"{kind[:80]!r} is not taken: send {FORM} with pictures in the field {FILES!r}, "
                    f"or one picture as image/* or {ANYTHING}",
                )
            body = bytearray()
            async for part in request.stream():
                body += part
                if len(body) > self._limits.most_bytes:  # what follows can't make it smaller
                    break
        except ClientDisconnect:
            raise ServiceError("bad_request", "the client left before its pictures were there") from None
        return [Upload(options.name, bytes(body))], {}


def router(
    networks: Networks, pool: RequestPool, decoders: DecoderPool, limits: PictureLimits, max_images: int
) -> APIRouter:
    """`POST /v1/classify`; the arguments are those of `ClassifyEndpoint`."""
    routes = APIRouter(tags=["pictures"])
    endpoint = ClassifyEndpoint(networks, pool, decoders, limits, max_images)
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
    """Keeps the request's resources until the last line is sent, or the client has left."""

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
    """The entries with the `count` highest P(person), in their order; errors stay."""
    decisions = [each for each in results if isinstance(each, ImageDecision)]
    best = sorted(decisions, key=lambda each: -each.p_person)[:count]
    kept = {each.index for each in best}
    return [each for each in results if isinstance(each, ImageError) or each.index in kept]


async def _all(entries: AsyncGenerator[Entry], request: Request) -> list[Entry]:
    """All entries in the order of the request; pictures that wait are given up when the client has left.

    Raises:
        ServiceError: the client has left.
    """
    found: list[Entry] = []
    async with aclosing(entries):
        async for each in entries:
            found.append(each)
            if await request.is_disconnected():
                raise ServiceError("bad_request", "the client left before its pictures were decided")
    return sorted(found, key=_index)


async def _as_they_are_done(
    one: Callable[[int, Upload], Awaitable[Entry]], uploads: Sequence[Upload], at_a_time: int
) -> AsyncGenerator[Entry]:
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


def _merged(options: ClassifyOptions, fields: dict[str, Any]) -> ClassifyOptions:
    try:
        return ClassifyOptions.model_validate(options.model_dump(exclude_unset=True) | fields)
    except ValidationError as error:
        raise ServiceError("bad_option", in_words(error.errors())) from error


def _policy(options: ClassifyOptions, served: ServedNetwork) -> Policy:
    given = {"exit_threshold": options.exit_threshold, "skip_threshold": options.skip_threshold}
    return policy_from(options.policy, given, served, WHOLE_PICTURE_POLICY)
