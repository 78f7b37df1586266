"""Refusals as HTTP answers: problem details (RFC 9457), and under `/v2` as the Open Inference Protocol wants them.

The catalogue of refusals, with the HTTP status of each, is `server.errors`.
"""

import logging
from http import HTTPStatus
from typing import Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from server.errors import ServiceError, fault_of_ours

log = logging.getLogger(__name__)

RETRY_AFTER_S: Final = 5
RETRIABLE: Final = (429, 503)
HEADERS_OF: Final[dict[int, dict[str, str]]] = {
    HTTPStatus.UNAUTHORIZED: {"WWW-Authenticate": "Bearer"},
    HTTPStatus.UPGRADE_REQUIRED: {"Upgrade": "websocket"},
}
"""Headers that RFC 9110 requires with some statuses (sections 11.6.1 and 15.5.22)."""
INFERENCE_PROTOCOL: Final = "/v2"


def problem(error: ServiceError, path: str = "") -> JSONResponse:
    """Makes the answer that refuses a request for `path`."""
    status, text = error.http_status, str(error)
    headers = {"Retry-After": str(RETRY_AFTER_S)} if status in RETRIABLE else HEADERS_OF.get(status)
    if path == INFERENCE_PROTOCOL or path.startswith(INFERENCE_PROTOCOL + "/"):
        return JSONResponse({"error": text, "code": error.code}, status, headers)
    content = {
        "type": "about:blank",
        "status": status,
        "title": HTTPStatus(status).phrase,  # as the RFC wants it beside about:blank
        "code": error.code,
        "detail": text,
    }
    return JSONResponse(content, status, headers, media_type="application/problem+json")


def tell_problems(app: FastAPI) -> None:
    """Makes the application answer every failure in these forms."""
    app.add_exception_handler(ServiceError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _failed)
    app.add_exception_handler(Exception, _broken)


async def _refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ServiceError)  # noqa: S101 - registered for this class
    return problem(error, request.url.path)


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class
    return problem(ServiceError("bad_option", in_words(error.errors())), request.url.path)


def in_words(errors: object) -> str:
    """The faults that pydantic found, in a sentence."""
    found = []
    for error in errors if isinstance(errors, list | tuple) else ():
        place = ".".join(str(part) for part in error["loc"] if part not in ("query", "path", "body"))
        why = str(error["msg"]).removeprefix("Value error, ")
        found.append(f"{place[:80]}: {why}" if place else why)
    return "; ".join(found[:5])


async def _failed(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class
    path, method = request.url.path[:200], request.method
    if error.status_code == 405:
        answer = problem(ServiceError("method_not_allowed", f"{path} does not take {method}"), path)
        answer.headers.update(error.headers or {})
        return answer
    if error.status_code == 404:
        return problem(ServiceError("not_found", f"there is nothing at {path}"), path)
    return problem(ServiceError("bad_request", error.detail), path)


async def _broken(request: Request, error: Exception) -> JSONResponse:
    log.error("a request failed", exc_info=error)
    return problem(fault_of_ours("request"), request.url.path)
