"""Catalogue of the service's refusals: code, condition, and form on each kind of connection.

The tables of PROTOCOL.md and docs/http.md, the OpenAPI document and the AsyncAPI document are made from this catalogue
(`make vectors`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Flag, IntEnum, auto
from http import HTTPStatus
from typing import Final


class CloseCode(IntEnum):
    """Close codes of streams that end without an `error`, or with one that has no code of its own."""

    NORMAL = 1000
    GOING_AWAY = 1001
    BAD_FRAME = 1002
    TOO_LARGE = 1009
    INTERNAL_ERROR = 1011
    SERVICE_RESTART = 1012


class Asked(Flag):
    """Kinds of requests that are answered with an HTTP status."""

    REQUEST = auto()
    UPGRADE = auto()


EITHER: Final = Asked.REQUEST | Asked.UPGRADE


@dataclass(frozen=True, slots=True)
class Refusal:
    """One kind of refusal.

    Attributes:
        code: name for programs.
        when: condition in words for people; follows the code in tables.
        close_code: close code of a stream that ends with the refusal (RFC 6455, section 7.4); None: it ends no stream.
            1006 is never sent: libraries report it where no close frame came.
        http_status: status of a request or upgrade that is answered with the refusal; None: it answers none.
        asked: kinds of requests that the refusal answers, where it has a status.
        requests: condition in words for a request, where it differs from `when`; None: no difference.
    """

    code: str
    when: str
    close_code: int | None = None
    http_status: int | None = None
    asked: Asked = Asked.REQUEST
    requests: str | None = None


_ALL: Final = (
    # what ends a stream
    Refusal("malformed_json", "a text message that is no JSON object, or too long", 1007),
    Refusal("malformed_rows", "a binary message with an impossible header or length", 1007),
    Refusal("unsupported_version", "rows of another version", 1003),
    Refusal("unknown_type", "a type that is not in the table", 1008),
    Refusal("bad_field", "a field that is missing, surplus or impossible", 1008),
    Refusal("out_of_phase", "a message that the phase does not allow", 1008),
    Refusal("unknown_variant", "a network that this service does not serve", 1008, 404),
    Refusal("bad_policy", "an unknown policy or impossible parameters", 1008, 422),
    Refusal(
        "wrong_geometry",
        "rows whose width, number or pixel format is not that of the variant and of `hello`",
        1008,
        400,
        requests="bursts of another size than the model's",
    ),
    Refusal(
        "out_of_order",
        "a burst that is not the next one, a frame that begins before the last one is over, or an old frame",
        1008,
        409,
        requests="a burst that is not the sequence's next one",
    ),
    Refusal("credit_exceeded", "more bursts than the client has credits for", 1008),
    Refusal("too_many_bursts", "a message of more than `message_bursts`", 1008),
    Refusal("bad_token", "a resume token that is damaged, or of another key or release", 1008),
    Refusal("expired_token", "a resume token older than `resume_s`", 1008),
    Refusal(
        "foreign_token",
        "a resume token of other weights, of another certificate, or of a variant that is not served",
        1008,
    ),
    Refusal("handshake_timeout", "neither `hello` nor `resume` came within `handshake_s`", 1008),
    Refusal("idle", "no message came for `idle_s`", 1008),
    Refusal(
        "slow_reader",
        "the client read no answers for `send_s`; it is cut off without a close frame",
        1006,
    ),
    Refusal("internal", "a fault of the server, not of the client", CloseCode.INTERNAL_ERROR.value, 500),
    # what refuses an upgrade, or a request before its door sees it
    Refusal("wrong_subprotocol", "the client does not offer the subprotocol", None, 400, asked=Asked.UPGRADE),
    Refusal(
        "unauthorized",
        "the service asks for a bearer token: header `Authorization: Bearer ...`, or from browsers a second "
        "subprotocol `rascanet.bearer.` followed by the token in base64url without padding",
        None,
        401,
        asked=EITHER,
        requests="the service asks for a bearer token",
    ),
    Refusal(
        "forbidden_origin",
        "a page of another origin than the service's own and `allowed_origins`",
        None,
        403,
        asked=EITHER,
    ),
    Refusal(
        "misdirected",
        "`Host` is not a loopback name, not the address that the service listens on, and not one of `allowed_hosts`",
        None,
        421,
        asked=EITHER,
    ),
    Refusal("bad_request", "a request or a body in a form that the service does not accept", None, 400, asked=EITHER),
    Refusal("not_found", "there is nothing at this path", None, 404, asked=EITHER),
    Refusal("server_full", "`max_streams` are open", None, 503, asked=Asked.UPGRADE),
    Refusal("address_full", "`max_streams_per_address` are open", None, 503, asked=Asked.UPGRADE),
    Refusal(
        "server_busy", "the process is busy for more than `busy_limit` of the time", None, 503, asked=Asked.UPGRADE
    ),
    Refusal("draining", "the service is stopping", None, 503, asked=EITHER),
    Refusal(
        "head_too_large",
        "a head of more than 64 KiB or 128 lines",
        None,
        431,
        asked=EITHER,
    ),
    Refusal(
        "too_many_connections", "`max_connections` are open; only health checks are answered", None, 503, asked=EITHER
    ),
    # what refuses a request
    Refusal("bad_tensor", "a tensor whose name, type, shape or size is not that of the model", None, 400),
    Refusal("unknown_model", "a model that is not served", None, 404),
    Refusal("unknown_sequence", "a sequence that was never started, or has ended", None, 404),
    Refusal("unknown_sample", "a sample picture that is not offered", None, 404),
    Refusal("unknown_recording", "a recording that is not offered", None, 404),
    Refusal("method_not_allowed", "the path takes other methods; `Allow` names them", None, 405),
    Refusal(
        "request_timeout",
        "the head took longer than `handshake_s`",
        None,
        408,
        asked=EITHER,
        requests="the head took longer than `handshake_s`, or the body longer than `request_s` or at less than "
        "`min_bytes_per_s` over `send_s`",
    ),
    Refusal("sequence_in_use", "a start with the id of a sequence of the same client that has not ended", None, 409),
    Refusal(
        "sequence_expired",
        "the sequence had no request for `sequence_idle_s`, or was decided and lost its place to a new one",
        None,
        410,
    ),
    Refusal("request_too_large", "a body over one of its limits, as sent or once unpacked", None, 413),
    Refusal("too_many_images", "a request of more than `max_images` pictures or frames", None, 413),
    Refusal("image_too_large", "a picture file of more than `image_bytes`", None, 413),
    Refusal(
        "image_too_many_pixels", "a picture with too many pixels in all or on a side, or too many scans", None, 413
    ),
    Refusal("unsupported_media_type", "a body whose type or compression the service does not accept", None, 415),
    Refusal("bad_option", "an option that does not exist, or an impossible value", None, 422),
    Refusal("no_images", "no picture in the form", None, 422),
    Refusal("unreadable_image", "a file that is no picture, or a damaged one", None, 422),
    Refusal("upgrade_required", "a GET to the path of the stream without the upgrade to a websocket", None, 426),
    Refusal(
        "too_many_requests",
        "`max_requests`, or a client's share of them, are in progress, or bodies fill `bodies_bytes`",
        None,
        429,
    ),
    Refusal("too_many_sequences", "`max_sequences` are open", None, 429),
    Refusal("out_of_time", "no core was free within `request_s`, or a picture was not decoded by then", None, 503),
)

REFUSALS: Final = {refusal.code: refusal for refusal in _ALL}
"""The refusals by code."""


UNNAMED_CLOSES: Final = {
    CloseCode.NORMAL: "after `summary`",
    CloseCode.GOING_AWAY: "after `going_away`: between two frames, or when its `seconds` are over",
    CloseCode.BAD_FRAME: "a websocket frame that breaks RFC 6455; the websocket layer closes at once",
    CloseCode.TOO_LARGE: "a message over `message_bytes`; the websocket layer closes at once",
    CloseCode.INTERNAL_ERROR: (
        'no answer to a ping within `ping_s`; the reason, if it can still be sent, is "keepalive ping timeout"'
    ),
    CloseCode.SERVICE_RESTART: "the service ends at once, before it could close the stream with 1001",
}
"""Close codes of streams that end without an `error`."""


def closing() -> Sequence[Refusal]:
    """The refusals that end a stream."""
    return [refusal for refusal in _ALL if refusal.close_code is not None]


def before_upgrade() -> Sequence[Refusal]:
    """The refusals that answer an upgrade."""
    return [refusal for refusal in _ALL if refusal.http_status is not None and Asked.UPGRADE in refusal.asked]


def answering() -> Sequence[Refusal]:
    """The refusals that answer a request, by status."""
    found = [each for each in _ALL if each.http_status is not None and Asked.REQUEST in each.asked]
    return sorted(found, key=lambda refusal: (refusal.http_status or 0, refusal.code))


class ServiceError(Exception):
    """A request or a stream that is refused.

    Args:
        code: one of `REFUSALS`.
        message: the fault, what was expected, and how to mend it.

    Raises:
        ValueError: there is no such code.
    """

    def __init__(self, code: str, message: str) -> None:
        if code not in REFUSALS:
            raise ValueError(f"{code!r} is not in the catalogue of refusals (server/errors.py)")
        # Quoted input may hold surrogates, which no answer can carry.
        super().__init__(message.encode("utf-8", "backslashreplace").decode())
        self.code = code

    @property
    def refusal(self) -> Refusal:
        """The entry of the catalogue."""
        return REFUSALS[self.code]

    @property
    def close_code(self) -> int:
        """Close code of a stream that ends with this refusal; that of `internal` if the refusal ends no stream."""
        return self.refusal.close_code or CloseCode.INTERNAL_ERROR

    @property
    def http_status(self) -> int:
        """HTTP status of an answer with this refusal; that of `internal` if the refusal answers no request."""
        return self.refusal.http_status or HTTPStatus.INTERNAL_SERVER_ERROR


def draining() -> ServiceError:
    """The refusal of anything that comes while the service stops."""
    return ServiceError("draining", "the service is stopping; try another replica")


def fault_of_ours(asked: str) -> ServiceError:
    """The refusal after a fault of the service; `asked`: `request` or `stream`."""
    return ServiceError("internal", f"the server failed on this {asked}; it is not the client's fault")
