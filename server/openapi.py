"""What the OpenAPI document says beside the routes: tags, refusals with examples, schemas of hand-read bodies."""

import json
from collections import defaultdict
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from server.entries import ImageDecision, ImageError
from server.errors import HTTP_STATUS, ServiceError
from server.problem import RETRIABLE, problem
from server.schemas import InferError, InferRequest, InferResponse, Problem

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
    404: "not here",
    405: "not this way",
    408: "came too slowly",
    409: "out of order",
    410: "no longer here",
    413: "too large",
    415: "not a type that is taken",
    422: "understood, but can't be done",
    429: "too many at a time; see Retry-After",
    503: "not now; see Retry-After",
}
_RETRY = {"Retry-After": {"description": "seconds to wait", "schema": {"type": "integer"}}}


def schema_of(model: type[BaseModel]) -> dict[str, str]:
    """Where the document has the model's schema."""
    return {"$ref": f"#/components/schemas/{model.__name__}"}


def refusals(*codes: str, tensors: bool = False) -> dict[int | str, dict[str, Any]]:
    """The answers to requests refused with one of these codes, for a route's `responses`."""
    by_status: dict[int, list[str]] = defaultdict(list)
    for code in codes:
        by_status[HTTP_STATUS[code]].append(code)
    model, kind = (InferError, "application/json") if tensors else (Problem, "application/problem+json")
    path = "/v2/" if tensors else "/v1/"
    return {
        status: {
            "description": WORDS[status],
            "content": {
                kind: {
                    "schema": schema_of(model),
                    "examples": {
                        code: {"value": json.loads(bytes(problem(ServiceError(code, "what was wrong"), path).body))}
                        for code in known
                    },
                }
            },
        }
        | ({"headers": _RETRY} if status in RETRIABLE else {})
        for status, known in sorted(by_status.items())
    }


def _drop_fastapis_own(answers: dict[str, Any]) -> None:
    """Takes out the 422 that FastAPI adds wherever there is a parameter; ours are named by `refusals`."""
    if "HTTPValidationError" in answers["422"]["content"]["application/json"]["schema"].get("$ref", ""):
        del answers["422"]


def describe(app: FastAPI) -> None:
    """Lets the application's document carry all of this."""

    def openapi() -> dict[str, Any]:
        if not app.openapi_schema:
            document = get_openapi(
                title=app.title, version=app.version, description=DESCRIPTION, routes=app.routes, tags=TAGS
            )
            models = (Problem, ImageDecision, ImageError, InferRequest, InferResponse, InferError)
            _, found = models_json_schema(
                [(model, "serialization") for model in models], ref_template="#/components/schemas/{model}"
            )
            document["components"]["schemas"] |= found["$defs"]
            for operations in document["paths"].values():
                for operation in operations.values():
                    if "application/json" in operation["responses"].get("422", {}).get("content", {}):
                        _drop_fastapis_own(operation["responses"])
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way
