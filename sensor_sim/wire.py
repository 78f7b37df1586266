"""Messages to bytes and back: the websocket subprotocol `rascanet.v1` (PROTOCOL.md). No I/O.

Rows travel as binary messages, everything else as JSON text. `decode` takes either and raises `WireError`.
The table of PROTOCOL.md is made from the structs below: their fields, ranges and docstrings.
"""

import re
import struct
from collections.abc import Mapping
from typing import Annotated, Any, Final, get_args

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import Meta, Struct

from sensor_sim.burst import PixelFormat, SensorGeometry
from sensor_sim.burst import Rows as Rows  # a message like those below

SUBPROTOCOL: Final = "rascanet.v1"
STREAM_PATH: Final = "/v1/stream"
"""Path of the stream at a service."""
VERSION: Final = 1

HEADER: Final = struct.Struct("<BBHIHHIQ")
"""version, pixel format, rows in the message, frame id, first burst, number of bursts, row bytes, readout time (us)."""

FORMATS: Final = tuple(PixelFormat)
"""The header's pixel format is an index into these."""
_CODES: Final = {pixel_format: code for code, pixel_format in enumerate(FORMATS)}
_HALOS: Final = tuple(2 * pixel_format.halo_rows for pixel_format in FORMATS)
_CHANNELS: Final = tuple(pixel_format.channels for pixel_format in FORMATS)

_BEARER_TOKEN: Final = re.compile(r"[!-~]{1,1000}")

MAX_TEXT_BYTES: Final = 16_384
"""Most characters of a text message; a token with the larger network's hidden state takes about 4,500."""


def checked_bearer_token(token: str) -> str:
    """The bearer token of a service, if every header can carry it.

    Raises:
        ValueError: it can't; the message does not show the token.
    """
    if not _BEARER_TOKEN.fullmatch(token):
        raise ValueError(
            "the bearer token must have 1 to 1000 ASCII characters, none of them blank, such as those of "
            "`openssl rand -hex 32`; a line end from a file is not part of it"
        )
    return token


def bearer_header(token: str | None) -> dict[str, str]:
    """The HTTP header with a service's bearer token; none without one.

    Raises:
        ValueError: see `checked_bearer_token`.
    """
    return {"Authorization": f"Bearer {checked_bearer_token(token)}"} if token else {}


class WireError(ValueError):
    """A message that is not of this protocol.

    Attributes:
        code: machine-readable name, see PROTOCOL.md.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


Count = Annotated[int, Meta(ge=0, lt=2**32)]
Share = Annotated[float, Meta(ge=0, le=1)]
MOST_NAME: Final = 1000
"""Characters of the longest `Name`."""

Name = Annotated[str, Meta(min_length=1, max_length=MOST_NAME)]
Bursts = Annotated[int, Meta(ge=0, lt=2**53)]
"""Bursts over a connection's life; 2**53 is where a browser's integers end."""
Digest = Annotated[str, Meta(max_length=64)]
"""SHA-256 in hexadecimal digits; empty where there is none."""
Token = Annotated[str, Meta(max_length=12_000)]
"""A resume token, opaque to the client; empty where there is none."""
Seconds = Annotated[float, Meta(ge=0)]


class ClientMessage(Struct, frozen=True, tag_field="type", tag=str.lower, forbid_unknown_fields=True):
    """A message that a client sends, as JSON with its class's name in lower case as `type`.

    Unknown fields are refused: a client that asks for something must not believe that it has it.
    """


class ServerMessage(Struct, frozen=True, tag_field="type", tag=str.lower):
    """A message that a service sends, likewise; unknown fields are ignored, since later services may tell more."""


class Hello(ClientMessage, frozen=True):
    """First message: says which rows the client will send and which answers it wants.

    Attributes:
        variant: name of the network, `{height}x{width}`.
        policy: the exit policy, see *Policies*; if null or left out, `calibrated` where the weights have a certificate,
            else `published`.
        progress_every: `progress` comes after every n-th burst of a frame, if it is processed; 0: none.
        pixel_format: format of the rows to come, see *Rows*.
        checkpoint_every: `checkpoint` comes about every n processed bursts of a frame; 0: none.
    """

    variant: Name
    policy: dict[str, Any] | None = None
    progress_every: Count = 1
    pixel_format: PixelFormat = PixelFormat.RGB8
    checkpoint_every: Count = 0


class Resume(ClientMessage, frozen=True):
    """First message of a client that continues a stream after another connection ended.

    Attributes:
        token: the last token that the client received.
    """

    token: Token


class Position(Struct, frozen=True):
    """The place from which a resumed stream continues.

    Attributes:
        frame_id: the last frame of which the token knows.
        next_burst: the first burst of this frame that the server still needs; `bursts_per_frame` if the frame is over.
        audit_burst: the first burst that the audit of this frame still needs; null if there is no audit.
    """

    frame_id: Count
    next_burst: Count
    audit_burst: Count | None = None


class Welcome(ServerMessage, frozen=True):
    """Answer to `hello` and `resume`: the settings in force and the server's limits.

    Attributes:
        variant: name of the network, as in `hello`.
        height: rows of a frame.
        width: pixels of a row.
        burst_rows: rows of a burst.
        bursts_per_frame: bursts of a frame.
        policy: the exit policy in force, with every parameter.
        progress_every: as in `hello`.
        weights: SHA-256 of the weights.
        limits: limits by name, see *Limits*.
        credits: bursts that the client may send on this connection, until a message gives a larger number.
        token: resume token for this place.
        pixel_format: as in `hello`.
        position: the place from which a resumed stream continues: `frame_id`, `next_burst` (the first burst that the
            server still needs), `audit_burst` (the first burst that an audit still needs); null for a new stream.
    """

    variant: Name
    height: Count
    width: Count
    burst_rows: Count
    bursts_per_frame: Count
    policy: dict[str, Any]
    progress_every: Count
    weights: Name
    limits: dict[str, int | float]
    credits: Bursts
    token: Token
    pixel_format: PixelFormat = PixelFormat.RGB8
    position: Position | None = None

    @property
    def geometry(self) -> SensorGeometry:
        return SensorGeometry(self.height, self.width, self.burst_rows, self.pixel_format)


class Progress(ServerMessage, frozen=True):
    """The network's answer after a burst.

    Attributes:
        frame_id: the frame.
        burst_index: the burst just processed.
        p_person: P(person) after this burst.
        confidence: the network's estimate of how likely the current decision is the final one.
    """

    frame_id: Count
    burst_index: Count
    p_person: Share
    confidence: Share


class Skip(ServerMessage, frozen=True):
    """Names a burst that the server will not process. The client need not send the burst.

    Attributes:
        frame_id: the frame.
        burst_index: the burst to leave out.
    """

    frame_id: Count
    burst_index: Count


class Decision(ServerMessage, frozen=True, omit_defaults=True):
    """The conclusion on a frame.

    Attributes:
        frame_id: the frame.
        burst_index: the last burst processed; the decision was made after it.
        p_person: P(person) after this burst.
        person: whether `p_person` is at least 0.5.
        exited: true if the policy ended the frame early; false if the frame was read to its end.
        processed: bursts that the network processed.
        skipped: bursts that the policy skipped.
        unread: bursts that an exit saved. The sum of `processed`, `skipped` and `unread` is `bursts_per_frame`.
        credits: as in `welcome`; valid from now on if it is larger than before.
        token: resume token for the place after this frame.
        compute_us: time that the network needed for the frame's bursts, as measured by the server.
        certificate: SHA-256 of the certificate whose promise covers this decision; empty if there is none.
        audit: true if the server still needs the rest of the frame, to check the exit, see *Audits*.
    """

    frame_id: Count
    burst_index: Count
    p_person: Share
    person: bool
    exited: bool
    processed: Count
    skipped: Count
    unread: Count
    credits: Bursts = 0
    token: Token = ""
    compute_us: Count = 0
    certificate: Digest = ""
    audit: bool = False


class Abandon(ClientMessage, frozen=True):
    """Gives up the last frame, or one that has not begun. The frame gets no decision, unless it was decided before.

    Attributes:
        frame_id: the frame.
    """

    frame_id: Count


class Abandoned(ServerMessage, frozen=True):
    """Answer to `abandon`: the frame is over.

    Attributes:
        frame_id: the frame; if its decision came before this message, the decision is valid.
        credits: as in `welcome`; valid from now on if it is larger than before.
        token: resume token for the place after this frame.
    """

    frame_id: Count
    credits: Bursts
    token: Token


class Shed(ServerMessage, frozen=True):
    """Says that the server is late and ignores a frame. The frame gets no decision, and the client need not send it.

    Attributes:
        frame_id: the frame.
    """

    frame_id: Count


class Credit(ServerMessage, frozen=True):
    """Allows the client to send more bursts.

    Attributes:
        credits: as in `welcome`; valid from now on if it is larger than before.
    """

    credits: Bursts


class Checkpoint(ServerMessage, frozen=True):
    """Gives a token within a frame.

    Attributes:
        frame_id: the frame.
        burst_index: the last burst processed.
        credits: as in `welcome`; valid from now on if it is larger than before.
        token: resume token for the place after that burst.
    """

    frame_id: Count
    burst_index: Count
    credits: Bursts
    token: Token


class GoingAway(ServerMessage, frozen=True, tag="going_away"):
    """Says that the server will soon close the connection, with code 1001: after this frame, or after `seconds`.

    Attributes:
        reason: `drain` (the service is stopping), or the limit that was reached: `stream_s` or `stream_frames`.
        seconds: time left for the frame in progress.
        token: resume token; a later message may have a newer one.
    """

    reason: Name
    seconds: Seconds
    token: Token


class Sync(ClientMessage, frozen=True):
    """Is sent back unchanged, after the answers to all earlier messages.

    Attributes:
        token: a number that the sender chooses (not a resume token).
    """

    token: Count


class End(ClientMessage, frozen=True):
    """Last message of the client."""


class Summary(ServerMessage, frozen=True):
    """Answer to `end`: the totals of the stream, over all its connections.

    Attributes:
        frames: decided frames.
        persons: decided frames with a person.
        exited: decided frames that the policy ended early.
        processed: bursts of the decided frames that the network processed.
        skipped: bursts of the decided frames that the policy skipped.
        unread: bursts of the decided frames that exits saved.
        audited: bursts of `unread` that the server needed all the same, for audits.
    """

    frames: Count
    persons: Count
    exited: Count
    processed: Count
    skipped: Count
    unread: Count
    audited: Count = 0


class Error(ServerMessage, frozen=True):
    """Tells why the server is about to close the connection.

    Attributes:
        code: name of the error, for programs, see *Errors and close codes*.
        message: the fault and what was expected, for people.
    """

    code: Name
    message: Name


Control = (
    Hello | Resume | Welcome | Progress | Skip | Decision | Abandon | Abandoned | Shed | Credit | Checkpoint | GoingAway
    | Sync | End | Summary | Error
)  # fmt: skip
Message = Rows | Control

TYPES: Final[Mapping[str, type[Control]]] = {str(kind.__struct_config__.tag): kind for kind in get_args(Control)}
"""The messages that travel as JSON, by their `type`."""

TYPE_OF: Final[Mapping[type[Message], str]] = {Rows: "rows"} | {kind: name for name, kind in TYPES.items()}
"""The name of every message in PROTOCOL.md."""


class _Typed(Struct):
    """The `type` of any JSON object, undecoded."""

    type: msgspec.Raw = msgspec.Raw(b"null")


_CONTROL: Final = msgspec.json.Decoder(Control)
_TYPED: Final = msgspec.json.Decoder(_Typed)
_NAME: Final = msgspec.json.Decoder(str)
_ENCODER: Final = msgspec.json.Encoder()


def encode(message: Message) -> bytes | str:
    """bytes for rows, compact JSON text for everything else."""
    return encode_rows(message) if isinstance(message, Rows) else encode_control(message).decode()


def encode_control(message: Control) -> bytes:
    """The compact JSON text in UTF-8."""
    return _ENCODER.encode(message)


def encode_rows(message: Rows) -> bytes:
    """The binary message."""
    count, width, channels = message.rows.shape
    header = HEADER.pack(
        VERSION,
        _CODES[message.pixel_format],
        count,
        message.frame_id,
        message.first_burst,
        message.bursts,
        width * channels,
        message.readout_us,
    )
    return header + message.rows.tobytes()


def decode(data: bytes | str) -> Message:
    """The message in a websocket frame.

    Raises:
        WireError: `malformed_json`, `unknown_type`, `bad_field`, `malformed_rows`, `unsupported_version`.
    """
    return decode_control(data) if isinstance(data, str) else decode_rows(data)


def decode_rows(data: bytes) -> Rows:
    """The rows in a binary message, without a copy.

    Raises:
        WireError: `malformed_rows`, `unsupported_version`.
    """
    if len(data) < HEADER.size:
        raise WireError(
            "malformed_rows", f"a rows message has a header of {HEADER.size} bytes, this one has {len(data)} bytes"
        )
    version, code, count, frame_id, first_burst, bursts, row_bytes, readout_us = HEADER.unpack_from(data)
    if version != VERSION:
        raise WireError("unsupported_version", f"rows of version {version}; this side speaks version {VERSION}")
    if code >= len(FORMATS):
        raise WireError("malformed_rows", f"there is no pixel format {code}; there is 0 to {len(FORMATS) - 1}")
    own_rows, channels = count - _HALOS[code], _CHANNELS[code]
    if own_rows < 1 or not bursts or own_rows % bursts or not row_bytes or row_bytes % channels:
        raise WireError(
            "malformed_rows",
            f"the header announces {bursts} bursts of {FORMATS[code]}, {count} rows of {row_bytes} bytes each",
        )
    expected = HEADER.size + count * row_bytes
    if len(data) != expected:
        raise WireError("malformed_rows", f"the header announces {expected} bytes in all, the message has {len(data)}")
    rows: npt.NDArray[np.uint8] = np.ndarray((count, row_bytes // channels, channels), np.uint8, data, HEADER.size)
    return Rows(frame_id, first_burst, bursts, readout_us, rows, FORMATS[code])


def decode_control(text: str) -> Control:
    """The message in a text message.

    Raises:
        WireError: `malformed_json`, `unknown_type`, `bad_field`.
    """
    if len(text) > MAX_TEXT_BYTES:
        raise WireError(
            "malformed_json", f"a text message has at most {MAX_TEXT_BYTES} characters, this one has {len(text)}"
        )
    try:
        control: Control = _CONTROL.decode(text)
    except msgspec.ValidationError as error:
        raise _refusal(text, str(error)) from None
    except (ValueError, RecursionError) as error:
        raise WireError("malformed_json", f"a text message must be JSON: {error}") from None
    return control


def _refusal(text: str, reason: str) -> WireError:
    """The refusal of JSON that is no message; `reason` is the decoder's."""
    try:
        found = bytes(_TYPED.decode(text).type)
    except msgspec.ValidationError:
        return WireError("malformed_json", f"a text message must be a JSON object with `type`: {reason}")
    except msgspec.DecodeError as error:  # further on than the decoder came
        return WireError("malformed_json", f"a text message must be JSON: {error}")
    try:
        name = _NAME.decode(found)
    except msgspec.DecodeError:  # not even a string
        name = ""
    if name in TYPES:
        return WireError("bad_field", f"{name}: {reason}")
    shown = found.decode()[:40]
    return WireError("unknown_type", f"there is no message of the type {shown}; the types are {', '.join(TYPES)}")
