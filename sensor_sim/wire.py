"""Messages to bytes and back: the websocket subprotocol `rascanet.v1` (PROTOCOL.md). No I/O.

Rows travel as binary messages, everything else as JSON text. `decode` takes either and raises `WireError`.
"""

import json
import struct
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from sensor_sim.burst import Burst, PixelFormat, SensorGeometry

SUBPROTOCOL: Final = "rascanet.v1"
VERSION: Final = 1

HEADER: Final = struct.Struct("<BBHIHHIQ")
"""version, pixel format, rows in the message, frame id, first burst, number of bursts, row bytes, readout time (us)."""

FORMATS: Final = tuple(PixelFormat)
"""The header's pixel format is an index into these."""
_CODES: Final = {pixel_format: code for code, pixel_format in enumerate(FORMATS)}
_HALOS: Final = tuple(2 * pixel_format.halo_rows for pixel_format in FORMATS)
_CHANNELS: Final = tuple(pixel_format.channels for pixel_format in FORMATS)

MAX_TEXT_BYTES: Final = 4096


class WireError(ValueError):
    """A message that is not of this protocol.

    Attributes:
        code: machine-readable name, see PROTOCOL.md.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Consecutive bursts of one frame, in one binary message.

    Attributes:
        frame_id: 0 .. 2**32 - 1.
        first_burst: index of the first burst.
        bursts: how many there are.
        readout_us: when the last row left the sensor, microseconds since the stream began.
        rows: (rows, width, channels) uint8; a view of the message, not a copy. A mosaic's rows come with those of
            its halo above and below.
        pixel_format: what the rows are.
    """

    frame_id: int
    first_burst: int
    bursts: int
    readout_us: int
    rows: npt.NDArray[np.uint8]
    pixel_format: PixelFormat = PixelFormat.RGB8

    @classmethod
    def of(cls, *bursts: Burst) -> "Rows":
        """One message of consecutive bursts of a frame."""
        first, last = bursts[0], bursts[-1]
        rows = first.rows
        if len(bursts) > 1:
            halo = 2 * first.pixel_format.halo_rows  # both neighbours carry these rows; once is enough
            rows = np.concatenate([rows, *(burst.rows[halo:] for burst in bursts[1:])])
        return cls(first.frame_id, first.burst_index, len(bursts), last.readout_us, rows, first.pixel_format)


@dataclass(frozen=True, slots=True)
class Hello:
    """First message of the client: what it will send and wants to hear.

    Attributes:
        variant: name of the network, `{height}x{width}`.
        policy: name of the exit policy and its parameters.
        progress_every: a `progress` message every n bursts; 0 for none.
        pixel_format: what the rows will be, a `PixelFormat`.
    """

    variant: str
    policy: Mapping[str, Any] = field(default_factory=lambda: {"name": "published"})
    progress_every: int = 1
    pixel_format: PixelFormat = PixelFormat.RGB8


@dataclass(frozen=True, slots=True)
class Welcome:
    """Answer to `hello`: the settings in force and the server's limits."""

    variant: str
    height: int
    width: int
    burst_rows: int
    bursts_per_frame: int
    policy: Mapping[str, Any]
    progress_every: int
    weights: str
    limits: Mapping[str, int]
    pixel_format: PixelFormat = PixelFormat.RGB8

    @property
    def geometry(self) -> SensorGeometry:
        return SensorGeometry(self.height, self.width, self.burst_rows, self.pixel_format)


@dataclass(frozen=True, slots=True)
class Progress:
    """The network's state after a burst."""

    frame_id: int
    burst_index: int
    p_person: float
    confidence: float


@dataclass(frozen=True, slots=True)
class Skip:
    """The burst named here will not be looked at and need not be sent."""

    frame_id: int
    burst_index: int


@dataclass(frozen=True, slots=True)
class Decision:
    """What was concluded on a frame.

    Attributes:
        burst_index: the last burst processed, on which the decision rests.
        person: whether P(person) is at least 0.5.
        exited: True if the rest of the frame is not wanted, False if it was read to its end.
        processed, skipped, unread: bursts of the frame; they add up to `bursts_per_frame`.
    """

    frame_id: int
    burst_index: int
    p_person: float
    person: bool
    exited: bool
    processed: int
    skipped: int
    unread: int


@dataclass(frozen=True, slots=True)
class Sync:
    """Sent back as it is, after the answers to everything that came before it.

    Attributes:
        token: the sender's own number.
    """

    token: int


@dataclass(frozen=True, slots=True)
class End:
    """Last message of the client."""


@dataclass(frozen=True, slots=True)
class Summary:
    """Answer to `end`: what the stream came to."""

    frames: int
    persons: int
    exited: int
    processed: int
    skipped: int
    unread: int


@dataclass(frozen=True, slots=True)
class Error:
    """Why the server is about to close the connection."""

    code: str
    message: str


Control = Hello | Welcome | Progress | Skip | Decision | Sync | End | Summary | Error
Message = Rows | Control

_TYPES: Final[dict[str, type[Any]]] = {
    kind.__name__.lower(): kind for kind in (Hello, Welcome, Progress, Skip, Decision, Sync, End, Summary, Error)
}


def encode(message: Message) -> bytes | str:
    """bytes for rows, compact JSON text for everything else."""
    if isinstance(message, Rows):
        return _encode_rows(message)
    content = {"type": type(message).__name__.lower(), **asdict(message)}
    return json.dumps(content, separators=(",", ":"))


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
    rows = np.frombuffer(data, np.uint8, offset=HEADER.size).reshape(count, -1, channels)
    return Rows(frame_id, first_burst, bursts, readout_us, rows, FORMATS[code])


def _decode_control(text: str) -> Control:
    if len(text) > MAX_TEXT_BYTES:
        raise WireError(
            "malformed_json", f"a text message has at most {MAX_TEXT_BYTES} characters, this one has {len(text)}"
        )
    try:
        content = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise WireError("malformed_json", f"a text message must be JSON: {error}") from error
    if not isinstance(content, dict):
        raise WireError("malformed_json", "a text message must be a JSON object")
    kind = content.pop("type", None)
    if not isinstance(kind, str) or kind not in _TYPES:
        raise WireError("unknown_type", f"the type {str(kind)[:40]!r} is not one of {', '.join(_TYPES)}")
    message = _TYPES[kind]
    values = {}
    for name, check in _FIELDS[message].items():
        if name in content:
            values[name] = content.pop(name)
            if not check(values[name]):
                raise WireError("bad_field", f"{kind}: the field {name!r} cannot be {str(values[name])[:40]!r}")
            if check is _format:
                values[name] = PixelFormat(values[name])
    if content:
        raise WireError("bad_field", f"{kind}: there is no field {str(next(iter(content)))[:40]!r}")
    try:
        decoded: Control = message(**values)
    except TypeError:
        missing = next(name for name in _FIELDS[message] if name not in values)
        raise WireError("bad_field", f"{kind}: the field {missing!r} is missing") from None
    return decoded


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _count(value: object) -> bool:
    return type(value) is int and 0 <= value < 2**32


def _share(value: object) -> bool:
    return type(value) in (int, float) and 0 <= value <= 1  # type: ignore[operator]  # a number after the first test


def _flag(value: object) -> bool:
    return isinstance(value, bool)


def _name(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 1000


def _format(value: object) -> bool:
    return isinstance(value, str) and value in _CODES


def _object(value: object) -> bool:
    return isinstance(value, dict)


_CHECKS: Final[dict[Any, Callable[[object], bool]]] = {
    int: _count,
    float: _share,
    bool: _flag,
    str: _name,
    PixelFormat: _format,
    Mapping[str, Any]: _object,
    Mapping[str, int]: _object,
}
_FIELDS: Final = {
    message: {name: _CHECKS[kind] for name, kind in message.__annotations__.items()} for message in _TYPES.values()
}
