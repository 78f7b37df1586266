"""What the OpenAPI document says beside the routes: tags, refusals with examples, schemas of hand-read bodies."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from server.errors import REFUSALS, ServiceError
from server.http.access import GUARDED
from server.http.problem import RETRIABLE, problem
from server.http.schemas import InferError, Problem

DESCRIPTION = """\
Person or no person, decided while the image sensor is still reading out its frame.

Rows of a frame go to the websocket `/v1/stream` (PROTOCOL.md); whole pictures and tensors go here. All doors run the
same network and the same exit decision.

A refusal is a problem document (RFC 9457) whose `code` is for programs and whose `detail` says what was expected. 429
and 503 come with `Retry-After`.
"""

TAGS = [
    {"name": "pictures", "description": "Picture files in, decisions out."},
    {
        "name": "tensors",
        "description": "The Open Inference Protocol v2 with the binary tensor and the sequence extension: whole frames "
        "for the models `105x120` and `210x240`, bursts one after the other for `105x120-sequence` and "
        "`210x240-sequence`.",
    },
    {"name": "service", "description": "What is served, and whether it is well."},
]

WORDS = {
    400: "not understood",
    401: "without the bearer token that this service asks for",
    403: "from a page of an origin that is not allowed",
    404: "not here",
    405: "not this way",
    408: "came too slowly",
    409: "out of order",
    410: "no longer here",
    413: "too large",
    415: "not a type that is taken",
    421: "for another host",
    422: "understood, but can't be done",
    426: "a websocket's path",
    429: "too many at a time; see Retry-After",
    500: "the service's own fault",
    503: "not now; see Retry-After",
}
EXAMPLES = {
    "bad_request": "the multipart body can't be read: Missing boundary in multipart.",
    "unauthorized": "send the header 'Authorization: Bearer' with this service's token",
    "forbidden_origin": "pages of https://elsewhere.example may not use this service",
    "internal": "the server failed on this request; it is not the client's fault",
    "upgrade_required": "this is the path of a websocket: ask for an upgrade and offer the subprotocol 'rascanet.v1'",
    "unknown_variant": "the variant '64x64' is not served; there is 105x120, 210x240",
    "unknown_model": "there is no model 'resnet'; there is 105x120, 105x120-sequence, 210x240, 210x240-sequence",
    "unknown_sequence": "there is no sequence '7' of this client; its first request has sequence_start",
    "request_timeout": "the request did not arrive within 60 s",
    "out_of_order": "burst 3 came, burst 2 is next",
    "sequence_in_use": "the sequence '7' is under way; end it, choose another sequence_id, or wait until it had no "
    "request for 30 s",
    "sequence_expired": "the sequence '7' was dropped: it had no request for 30 s, or was decided and another one "
    "needed its room",
    "too_many_images": "at most 64 pictures a request are taken",
    "request_too_large": "a request body has at most 67108864 bytes",
    "image_too_large": "the picture has more than the 20971520 bytes that are taken",
    "image_too_many_pixels": "the picture has 30000 x 30000 px; at most 50000000 px are taken",
    "unsupported_media_type": "'application/pdf' is not taken: send multipart/form-data with pictures in the field "
    "'files', or one picture as image/jpeg, image/png, image/webp, image/avif, image/tiff, image/bmp, image/gif, "
    "application/octet-stream",
    "bad_option": "top: Input should be greater than or equal to 1",
    "bad_policy": "'often' is not one of the policies never, published",
    "bad_tensor": "the input 'frames' has the shape [-1, 105, 120, 3], -1 being 1 or more, not [1, 5, 120, 3]",
    "wrong_geometry": "rows of 120 px were agreed on, not of 240",
    "no_images": "there is no picture in the field 'files'",
    "unreadable_image": "the picture is cut off before its end",
    "too_many_requests": "64 requests are under way; try again later",
    "too_many_sequences": "1000 sequences are under way; end one, or try again later",
    "out_of_time": "no core was free within the 60 s of a request; try again later",
    "unknown_sample": "there is no sample 'street.jpg'",
    "unknown_recording": "there is no recording 'street.rsr'",
}
"""What the service says with each code."""
BEARER = {"type": "http", "scheme": "bearer", "description": "only where the service was started with `bearer_token`"}
_RETRY = {"Retry-After": {"description": "seconds to wait", "schema": {"type": "integer"}}}


def schema_of(model: type[BaseModel]) -> dict[str, str]:
    """Where the document has the model's schema."""
    return {"$ref": f"#/components/schemas/{model.__name__}"}


def refusals(*codes: str, tensors: bool = False) -> dict[int | str, dict[str, Any]]:
    """The answers to requests refused with one of these codes, for a route's `responses`."""
    by_status: dict[int, list[str]] = defaultdict(list)
    for code in codes:
        by_status[REFUSALS[code].http_status or 500].append(code)
    model, kind = (InferError, "application/json") if tensors else (Problem, "application/problem+json")
    path = "/v2/" if tensors else "/v1/"
    return {
        status: {
            "description": WORDS[status],
            "content": {
                kind: {
                    "schema": schema_of(model),
                    "examples": {
                        code: {"value": json.loads(bytes(problem(ServiceError(code, EXAMPLES[code]), path).body))}
                        for code in known
                    },
                }
            },
        }
        | ({"headers": _RETRY} if status in RETRIABLE else {})
        for status, known in sorted(by_status.items())
    }


def _add_everybodys(path: str, method: str, operation: dict[str, Any]) -> None:
    """What any operation may be refused for before it is reached, and what may go wrong in any that takes a body."""
    codes = []
    if path.split("/")[1] in GUARDED:
        codes.append("unauthorized")
        operation["security"] = [{"bearer": []}, {}]
    if method == "post":
        codes += ["forbidden_origin", "internal"]
    further = refusals(*codes, tensors=path.startswith("/v2"))
    answers = operation["responses"] | {str(status): answer for status, answer in further.items()}
    operation["responses"] = dict(sorted(answers.items()))


def _add_examples(operation: dict[str, Any], examples: Mapping[str, Any]) -> None:
    form = operation.get("requestBody", {}).get("content", {}).get("multipart/form-data", {}).get("schema", {})
    options = {each["name"]: each["schema"] for each in operation.get("parameters", ()) if each["in"] == "query"}
    for fields in (options, form.get("properties", {})):
        for name in fields.keys() & examples.keys():
            fields[name]["examples"] = [examples[name]]


def _drop_fastapis_own(answers: dict[str, Any]) -> None:
    """Takes out the 422 that FastAPI adds wherever there is a parameter; ours are named by `refusals`."""
    if "HTTPValidationError" in answers["422"]["content"]["application/json"]["schema"].get("$ref", ""):
        del answers["422"]


def describe(app: FastAPI, schemas: Iterable[type[BaseModel]], examples: Mapping[str, Any]) -> None:
    """Lets the application's document carry all of this.

    Args:
        app: the application.
        schemas: of bodies that the doors read and write by hand.
        examples: of options, by name, that depend on what is served. The page of the API fills its forms with examples.
    """
    models: list[type[BaseModel]] = [Problem, InferError, *schemas]

    def openapi() -> dict[str, Any]:
        if not app.openapi_schema:
            document = get_openapi(
                title=app.title, version=app.version, description=DESCRIPTION, routes=app.routes, tags=TAGS
            )
            _, found = models_json_schema(
                [(model, "serialization") for model in models], ref_template="#/components/schemas/{model}"
            )
            document["components"]["schemas"] |= found["$defs"]
            document["components"]["securitySchemes"] = {"bearer": BEARER}
            for path, operations in document["paths"].items():
                for method, operation in operations.items():
                    if "application/json" in operation["responses"].get("422", {}).get("content", {}):
                        _drop_fastapis_own(operation["responses"])
                    _add_everybodys(path, method, operation)
                    _add_examples(operation, examples)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way
