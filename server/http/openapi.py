"""Parts of the OpenAPI document beside the routes: tags, refusals with examples, schemas of bodies read by hand."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from server.errors import REFUSALS, ServiceError
from server.http.access import GUARDED
from server.http.problem import RETRIABLE
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
EXAMPLES_FILE = Path(__file__).parent / "refusal_examples.json"
"""Answers of a service, by operation and code, written by `make vectors`."""

BEARER = {"type": "http", "scheme": "bearer", "description": "only where the service was started with `bearer_token`"}
_RETRY = {"Retry-After": {"description": "seconds to wait", "schema": {"type": "integer"}}}


def schema_of(model: type[BaseModel]) -> dict[str, str]:
    """Reference to a model's schema in the document."""
    return {"$ref": f"#/components/schemas/{model.__name__}"}


def refusals(*codes: str, tensors: bool = False) -> dict[int | str, dict[str, Any]]:
    """Documents the answers of refused requests, for a route's `responses`; examples are added later."""
    by_status: dict[int, list[str]] = defaultdict(list)
    for code in codes:
        by_status[ServiceError(code, "").http_status].append(code)
    model, kind = (InferError, "application/json") if tensors else (Problem, "application/problem+json")
    return {
        status: {
            "description": WORDS[status],
            "content": {kind: {"schema": schema_of(model), "examples": {code: {} for code in known}}},
        }
        | ({"headers": _RETRY} if status in RETRIABLE else {})
        for status, known in sorted(by_status.items())
    }


def _give_refusals_examples(path: str, method: str, operation: dict[str, Any], found: Mapping[str, Any]) -> None:
    """Adds examples of refusals: the service's answers to this operation, or to another that answers in the same form.

    Raises:
        KeyError: a documented refusal without an example.
    """
    own, form = f"{method.upper()} {path}", path.startswith("/v2")
    for answer in operation["responses"].values():
        for content in answer.get("content", {}).values():
            for code, example in content.get("examples", {}).items():
                if code in REFUSALS:
                    others = (each for each in found if code in found[each] and (" /v2" in each) is form)
                    example["value"] = (
                        found[own][code] if code in found.get(own, ()) else found[next(others, own)][code]
                    )


def _add_common_refusals(path: str, method: str, operation: dict[str, Any]) -> None:
    """Adds refusals that middleware may give for any operation, and those that any operation with a body may give."""
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
    """Removes the 422 that FastAPI adds to operations with parameters; `refusals` names our own answers."""
    if "HTTPValidationError" in answers["422"]["content"]["application/json"]["schema"].get("$ref", ""):
        del answers["422"]


def describe(app: FastAPI, schemas: Iterable[type[BaseModel]], examples: Mapping[str, Any]) -> None:
    """Makes the application's document carry tags, refusals, examples and schemas.

    Args:
        app: the application.
        schemas: schemas of bodies that the doors read and write by hand.
        examples: examples of options that depend on the networks served, by name; the API's page shows them in forms.
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
            found_refusals = json.loads(EXAMPLES_FILE.read_text())
            for path, operations in document["paths"].items():
                for method, operation in operations.items():
                    if "application/json" in operation["responses"].get("422", {}).get("content", {}):
                        _drop_fastapis_own(operation["responses"])
                    _add_common_refusals(path, method, operation)
                    _give_refusals_examples(path, method, operation, found_refusals)
                    _add_examples(operation, examples)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way
