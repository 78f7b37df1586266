"""Messages to bytes and back: the websocket subprotocol `rascanet.v1` (PROTOCOL.md). No I/O.

Rows travel as binary messages, everything else as JSON text. `decode` takes either and raises `WireError`.
"""

import re
import struct
from typing import Annotated, Any, Final

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import Meta, Struct

from sensor_sim.burst import PixelFormat, SensorGeometry
from sensor_sim.burst import Rows as Rows  # a message like those below

SUBPROTOCOL: Final = "rascanet.v1"
VERSION: Final = 1

HEADER: Final = struct.Struct("<BBHIHHIQ")
"""version, pixel format, rows in the message, frame id, first burst, number of bursts, row bytes, readout time (us)."""

FORMATS: Final = tuple(PixelFormat)
"""The header's pixel format is an index into these."""
_CODES: Final = {pixel_format: code for code, pixel_format in enumerate(FORMATS)}
_HALOS: Final = tuple(2 * pixel_format.halo_rows for pixel_format in FORMATS)
_CHANNELS: Final = tuple(pixel_format.channels for pixel_format in FORMATS)

MAX_TEXT_BYTES: Final = 16_384
"""Of a text message; a token with the larger network's hidden state takes about 4,500."""


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
Name = Annotated[str, Meta(min_length=1, max_length=1000)]
Bursts = Annotated[int, Meta(ge=0, lt=2**53)]
"""Bursts over a connection's life; 2**53 is where a browser's integers end."""
Digest = Annotated[str, Meta(max_length=64)]
"""SHA-256 in hexadecimal digits; empty where there is none."""
Token = Annotated[str, Meta(max_length=12_000)]
"""A resume token, opaque to the client; empty where there is none."""


class _Control(Struct, frozen=True, tag_field="type", tag=str.lower, forbid_unknown_fields=True):
    """A message that travels as JSON, its class's name in lower case as its `type`."""


class Hello(_Control, frozen=True):
    """First message of the client: what it will send and wants to hear.

    Attributes:
        variant: name of the network, `{height}x{width}`.
        policy: name of the exit policy and its parameters.
        progress_every: a `progress` message every n bursts; 0 for none.
        pixel_format: what the rows will be, a `PixelFormat`.
        checkpoint_every: a `checkpoint` message every n bursts of a frame; 0 for none.
    """

    variant: Name
    policy: dict[str, Any] = msgspec.field(default_factory=lambda: {"name": "published"})
    progress_every: Count = 1
    pixel_format: PixelFormat = PixelFormat.RGB8
    checkpoint_every: Count = 0


class Resume(_Control, frozen=True):
    """First message of a client that goes on where another connection ended; the answer is `welcome`."""

    token: Token


class Position(Struct, frozen=True, forbid_unknown_fields=True):
    """Where a resumed stream goes on.

    Attributes:
        frame_id: the last frame that the token knows of.
        next_burst: the first burst of it that is still wanted; `bursts_per_frame` if it is decided.
    """

    frame_id: Count
    next_burst: Count


class Welcome(_Control, frozen=True):
    """Answer to `hello` and `resume`: the settings in force and the server's limits.

    Attributes:
        credits: bursts that the client may send on this connection before it is told a larger number.
        token: to begin again from here.
        position: where a resumed stream goes on; None for a new one.
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


class Progress(_Control, frozen=True):
    """The network's state after a burst."""

    frame_id: Count
    burst_index: Count
    p_person: Share
    confidence: Share


class Skip(_Control, frozen=True):
    """The burst named here will not be looked at and need not be sent."""

    frame_id: Count
    burst_index: Count


class Decision(_Control, frozen=True, omit_defaults=True):
    """What was concluded on a frame.

    Attributes:
        burst_index: the last burst processed, on which the decision rests.
        person: whether P(person) is at least 0.5.
        exited: True if the rest of the frame is not wanted, False if it was read to its end.
        processed, skipped, unread: bursts of the frame; they add up to `bursts_per_frame`.
        credits: as in `welcome`, now.
        token: to go on after this frame.
        compute_us: time that the network took over the frame's bursts, as the server measured it.
        certificate: SHA-256 of the certificate that promises something about this decision; empty without one.
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


class Shed(_Control, frozen=True):
    """The server is behind and will not look at this frame: no decision comes, its bursts need not be sent."""

    frame_id: Count


class Credit(_Control, frozen=True):
    """The client may now have sent this many bursts on this connection."""

    credits: Bursts


class Checkpoint(_Control, frozen=True):
    """A token to go on within the frame, with the burst after `burst_index`."""

    frame_id: Count
    burst_index: Count
    credits: Bursts
    token: Token


class GoingAway(_Control, frozen=True, tag="going_away"):
    """The server ends the stream soon, with close code 1001: after this frame, or when the time is up.

    Attributes:
        reason: `drain`, `stream_s` or `stream_frames`: the limit that was reached.
        seconds: time left for the frame in progress.
        token: to go on elsewhere; a `checkpoint` or `decision` that comes later has a newer one.
    """

    reason: Name
    seconds: Annotated[float, Meta(ge=0)]
    token: Token


class Sync(_Control, frozen=True):
    """Sent back as it is, after the answers to everything that came before it.

    Attributes:
        token: the sender's own number.
    """

    token: Count


class End(_Control, frozen=True):
    """Last message of the client."""


class Summary(_Control, frozen=True):
    """Answer to `end`: what the stream came to."""

    frames: Count
    persons: Count
    exited: Count
    processed: Count
    skipped: Count
    unread: Count


class Error(_Control, frozen=True):
    """Why the server is about to close the connection."""

    code: Name
    message: Name


Control = (
    Hello | Resume | Welcome | Progress | Skip | Decision | Shed | Credit | Checkpoint | GoingAway
    | Sync | End | Summary | Error
)  # fmt: skip
Message = Rows | Control

_CONTROL: Final = msgspec.json.Decoder(Control)
_ENCODER: Final = msgspec.json.Encoder()
_BAD_TYPE: Final = re.compile(r"missing required field `type`|`\$\.type`$")


def encode(message: Message) -> bytes | str:
    """bytes for rows, compact JSON text for everything else."""
    return _encode_rows(message) if isinstance(message, Rows) else encode_control(message).decode()


def encode_control(message: Control) -> bytes:
    """The compact JSON text in UTF-8."""
    return _ENCODER.encode(message)


def _encode_rows(message: Rows) -> bytes:
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
    return _decode_control(data) if isinstance(data, str) else _decode_rows(data)


def _decode_rows(data: bytes) -> Rows:
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


def _decode_control(text: str) -> Control:
    if len(text) > MAX_TEXT_BYTES:
        raise WireError(
            "malformed_json", f"a text message has at most {MAX_TEXT_BYTES} characters, this one has {len(text)}"
        )
    try:
        control: Control = _CONTROL.decode(text)
    except msgspec.ValidationError as error:
        reason = str(error)
        if _BAD_TYPE.search(reason):
            raise WireError("unknown_type", f"{reason}; the types are {', '.join(_TYPES)}") from None
        code = "bad_field" if text.lstrip().startswith("{") else "malformed_json"
        raise WireError(code, f"a text message must be of PROTOCOL.md: {reason}") from None
    except (ValueError, RecursionError) as error:
        raise WireError("malformed_json", f"a text message must be JSON: {error}") from None
    return control


_TYPES: Final = tuple(str(kind.__struct_config__.tag) for kind in _Control.__subclasses__())
