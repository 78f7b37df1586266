"""Every error that a client of the service raises, in one place to import from."""

from sensor_sim.emitter import FrameLostError
from sensor_sim.uplink import StreamError

__all__ = ["FrameLostError", "HttpError", "StreamError"]


class HttpError(Exception):
    """A request that was refused, that reached no service, or whose answer is not of this service.

    Attributes:
        code: the service's error code (docs/http.md), or `no_service`, `bad_answer`, `unknown_variant`.
        status: HTTP status; None without an answer.
    """

    def __init__(self, code: str, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.code, self.status = code, status
