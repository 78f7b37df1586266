"""Refusals as answers: the form, and for each a request that gets it."""

import json
import re
import subprocess
import sys
from http import HTTPStatus
from typing import Any

import pytest

from server.errors import REFUSALS, ServiceError, answering
from server.http.openapi import EXAMPLES_FILE
from server.http.problem import RETRIABLE, in_words, problem
from tests.server.http.specimens import SPECIMENS, Specimen, answer_to

EXAMPLES: dict[str, dict[str, Any]] = json.loads(EXAMPLES_FILE.read_text())


@pytest.mark.parametrize("refusal", answering(), ids=lambda refusal: refusal.code)
def test_the_form_of_a_refusal(refusal: Any) -> None:
    error = ServiceError(refusal.code, "what was wrong")
    answer = problem(error, "/v1/x")
    assert (answer.status_code, answer.media_type) == (refusal.http_status, "application/problem+json")
    assert json.loads(bytes(answer.body)) == {
        "type": "about:blank", "status": refusal.http_status, "title": HTTPStatus(refusal.http_status).phrase,
        "code": refusal.code, "detail": "what was wrong",
    }  # fmt: skip
    assert ("retry-after" in answer.headers) is (refusal.http_status in RETRIABLE)
    for path, tensors in (("/v2", True), ("/v2/models", True), ("/v22", False), ("/", False)):
        body = json.loads(bytes(problem(error, path).body))
        assert (body == {"error": "what was wrong", "code": refusal.code}) is tensors


def test_what_rfc_9110_wants_beside_a_status() -> None:
    assert problem(ServiceError("unauthorized", "")).headers["www-authenticate"] == "Bearer"
    assert problem(ServiceError("upgrade_required", "")).headers["upgrade"] == "websocket"


def test_faults_of_options_in_a_sentence() -> None:
    faults = [{"loc": ("query", "top"), "msg": "too small"}, {"loc": ("body", "a" * 100, 3), "msg": "odd"}]
    assert in_words(faults) == f"top: too small; {'a' * 80}: odd"
    assert in_words(None) == ""
    assert in_words(faults * 10).count(";") == 4


@pytest.mark.parametrize("specimen", SPECIMENS, ids=lambda each: f"{each.code} {each.path}")
def test_each_documented_refusal_is_what_a_service_answers(specimen: Specimen) -> None:
    """The example of the OpenAPI document is the answer to a real request."""
    status, answer = answer_to(specimen)
    assert (status, answer["code"]) == (REFUSALS[specimen.code].http_status, specimen.code)
    written = EXAMPLES[f"{specimen.method} {specimen.path}"].get(specimen.code)
    assert answer == written, "write it anew with `make vectors`"
    assert not re.search(r"Traceback|0x[0-9a-f]{6}|/home|site-packages", json.dumps(answer))


def test_a_fault_on_purpose_is_no_news_of_the_command_that_asks_for_it() -> None:
    """`make vectors` prints no traceback; pytest's own handlers would hide one in this process."""
    broken = "next(each for each in SPECIMENS if each.broken)"
    code = f"from tests.server.http.specimens import SPECIMENS, answer_to; print(answer_to({broken})[0])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert ran.stdout == "500\n"
    assert "on purpose" not in ran.stderr


def test_no_other_examples() -> None:
    known = {(f"{each.method} {each.path}", each.code) for each in SPECIMENS}
    assert known == {(operation, code) for operation, codes in EXAMPLES.items() for code in codes}
