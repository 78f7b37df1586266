"""What a client is told when it can't be served: one code, a sentence, and its close code or HTTP status."""

from typing import Final

CLOSE_CODES: Final[dict[str, int]] = {
    "malformed_json": 1007,
    "malformed_rows": 1007,
    "unsupported_version": 1003,
    "unknown_type": 1008,
    "bad_field": 1008,
    "out_of_phase": 1008,
    "unknown_variant": 1008,
    "bad_policy": 1008,
    "wrong_geometry": 1008,
    "out_of_order": 1008,
    "credit_exceeded": 1008,
    "too_many_bursts": 1008,
    "bad_token": 1008,
    "expired_token": 1008,
    "foreign_token": 1008,
    "handshake_timeout": 1008,
    "idle": 1008,
    "slow_reader": 1008,
    "internal": 1011,
}
"""Websocket close code of every error code that ends a stream (PROTOCOL.md)."""

HTTP_STATUS: Final[dict[str, int]] = {
    "wrong_subprotocol": 400,
    "unauthorized": 401,
    "forbidden_origin": 403,
    "server_full": 503,
    "address_full": 503,
    "server_busy": 503,
    "draining": 503,
    "bad_request": 400,
    "bad_policy": 422,
    "no_images": 422,
    "too_many_images": 413,
    "request_too_large": 413,
    "image_too_large": 413,
    "image_too_many_pixels": 413,
    "unreadable_image": 422,
    "unknown_variant": 404,
    "unknown_sample": 404,
    "unknown_recording": 404,
    "not_found": 404,
    "method_not_allowed": 405,
    "request_timeout": 408,
    "out_of_time": 503,
    "unsupported_media_type": 415,
    "bad_option": 422,
    "too_many_requests": 429,
    "bad_tensor": 400,
    "unknown_model": 404,
    "unknown_sequence": 404,
    "sequence_expired": 410,
    "sequence_in_use": 409,
    "too_many_sequences": 429,
    "wrong_geometry": 400,
    "out_of_order": 409,
    "internal": 500,
}
"""HTTP status of every error code that answers a request."""


class ServiceError(Exception):
    """A request or a stream that is refused.

    Attributes:
        code: a key of `CLOSE_CODES` or `HTTP_STATUS`.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code

    @property
    def close_code(self) -> int:
        return CLOSE_CODES[self.code]

    @property
    def http_status(self) -> int:
        return HTTP_STATUS[self.code]
