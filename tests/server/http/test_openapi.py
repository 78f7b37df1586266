"""The OpenAPI document and the service say the same."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from server.app import create_app
from server.settings import Settings
from tests.conftest import served
from tests.model.random_networks import random_frames
from tests.networks import SMALL
from tests.picture_files import huge_png, picture

POSITIVE, NEGATIVE = schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
DOCUMENT: dict[str, Any] = create_app(Settings(), served()).openapi()
OPERATIONS = {
    f"{found.method.upper()} {found.path}": found
    for result in schemathesis.openapi.from_dict(DOCUMENT).get_all_operations()
    if isinstance(result, Ok)
    for found in (result.ok(),)
}


@pytest.mark.parametrize(
    ("operation", "mode"),
    [(operation, POSITIVE) for operation in OPERATIONS]
    + [(operation, NEGATIVE) for operation, found in OPERATIONS.items() if "requestBody" in found.definition.raw],
)
def test_nothing_but_what_is_documented(service_url: str, operation: str, mode: schemathesis.GenerationMode) -> None:
    """Requests that fit the document, and requests that don't."""

    @settings(max_examples=15, suppress_health_check=list(HealthCheck))
    @given(OPERATIONS[operation].as_strategy(generation_mode=mode))
    def check(case: Any) -> None:
        answer = case.call(base_url=service_url, timeout=20)
        case.validate_response(answer, checks=CHECKS)

    check()


FRAME = random_frames(SMALL, 1, 0)
TENSOR = {"name": "frames", "shape": list(FRAME.shape), "datatype": "UINT8", "data": FRAME.ravel().tolist()}


@pytest.mark.parametrize(
    ("path", "request_body", "status"),
    [
        ("/v1/classify", {"files": [("files", ("a", picture())), ("files", ("b", b""))]}, 200),
        ("/v1/classify", {"data": picture(), "headers": {"content-type": "image/png"}}, 200),
        ("/v1/classify", {"files": {"files": ("a", picture())}, "headers": {"accept": "application/x-ndjson"}}, 200),
        ("/v1/classify", {"data": huge_png(), "headers": {"content-type": "image/png"}}, 413),
        ("/v1/classify", {"files": [("files", ("a", b""))] * 4}, 413),
        ("/v1/classify", {"data": b"", "headers": {"content-type": "text/plain"}}, 415),
        ("/v2/models/{name}/infer", {"json": {"inputs": [TENSOR]}}, 200),
        ("/v2/models/{name}/infer", {"json": {"inputs": [TENSOR], "parameters": {"binary_data_output": True}}}, 200),
        ("/v2/models/{name}/infer", {"json": {"inputs": [TENSOR], "parameters": {"policy": "x"}}}, 422),
    ],
)
def test_what_is_seldom_generated_is_documented_too(
    service_url: str, path: str, request_body: dict[str, Any], status: int
) -> None:
    url = service_url + path.replace("{name}", SMALL.name)
    answer = requests.post(url, **request_body, timeout=20)
    case = OPERATIONS[f"POST {path}"].Case(path_parameters={"name": SMALL.name} if "{name}" in path else {})
    case.validate_response(answer, checks=CHECKS)
    assert answer.status_code == status


@pytest.mark.parametrize("path", ["/v1/classify", "/v2/models/30x32/infer"])
def test_another_method_is_told_the_right_one(start: Callable[..., str], tmp_path: Path, path: str) -> None:
    (tmp_path / "index.html").write_text("the page")
    url = start(page_folder=tmp_path)
    assert httpx2.get(url).text == "the page"
    answer = httpx2.get(url + path)
    assert (answer.status_code, answer.headers["allow"], answer.json()["code"]) == (405, "POST", "method_not_allowed")
    assert httpx2.get(f"{url}/v1/nothing").json()["code"] == "not_found"


@pytest.mark.parametrize("path", ["/v1/classify", "/v2/models/30x32/infer"])
def test_who_may_not_ask_is_documented_too(start: Callable[..., str], path: str) -> None:
    url = start(bearer_token="token")  # noqa: S106 - of this test
    operation = OPERATIONS[f"POST {path.replace('30x32', '{name}')}"]
    case = operation.Case(path_parameters={"name": "30x32"} if path.startswith("/v2") else {})
    for headers, status in (({}, 401), ({"Authorization": "Bearer token", "Origin": "https://elsewhere.example"}, 403)):
        answer = requests.post(url + path, data=b"", headers=headers, timeout=20)
        case.validate_response(answer, checks=CHECKS)
        assert answer.status_code == status


def test_it_reads_well() -> None:
    tags = {tag["name"] for tag in DOCUMENT["tags"]}
    for path, operations in DOCUMENT["paths"].items():
        for operation in operations.values():
            assert set(operation["tags"]) <= tags, path
            assert operation["summary"]
            assert operation["description"], path
            for status, answer in operation["responses"].items():
                for kind, content in answer.get("content", {}).items():
                    if status[0] in "45" and "health" not in path:
                        assert content["examples"], (path, status, kind)


def test_the_docs_page_needs_nobody_else(service_url: str) -> None:
    page = httpx2.get(f"{service_url}/docs").text
    needed = re.findall(r'(?:href|src)="([^"]+)"', page)
    assert len(needed) >= 2
    for address in needed:
        assert address.startswith("/")
        assert httpx2.get(service_url + address).status_code == 200
