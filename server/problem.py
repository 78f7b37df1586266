"""Refusals as HTTP answers."""

from typing import Final

from starlette.responses import JSONResponse

from server.errors import ServiceError

RETRY_AFTER_S: Final = 5


def problem(error: ServiceError) -> JSONResponse:
    """The refusal as problem details (RFC 9457) with our `code`."""
    status = error.http_status
    content = {"status": status, "title": error.code.replace("_", " "), "code": error.code, "detail": str(error)}
    headers = {"Retry-After": str(RETRY_AFTER_S)} if status == 503 else None
    return JSONResponse(content, status, headers, media_type="application/problem+json")
