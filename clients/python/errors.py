"""Every error that a client of the service raises, in one place to import from."""

from sensor_sim.emitter import FrameLostError
from sensor_sim.uplink import StreamError

__all__ = ["FrameLostError", "HttpError", "StreamError"]


class HttpError(Exception):
    """The service refused a request, could not be reached, or did not answer as this service does.

    Attributes:
        code: the service's error code (docs/http.md), or `no_service`, `bad_answer`, `unknown_variant`.
        status: HTTP status; None where there was no answer.
    """

    def __init__(self, code: str, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.code, self.status = code, status
