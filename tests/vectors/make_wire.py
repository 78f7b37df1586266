"""Writes wire.json: messages and the bytes that every implementation of the protocol must make of them."""

import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from sensor_sim.burst import PixelFormat
from sensor_sim.wire import (
    SUBPROTOCOL,
    Abandon,
    Abandoned,
    Checkpoint,
    Control,
    Credit,
    Decision,
    End,
    Error,
    GoingAway,
    Hello,
    Message,
    Position,
    Progress,
    Resume,
    Rows,
    ServerMessage,
    Shed,
    Skip,
    Summary,
    Sync,
    Welcome,
    encode,
)

FILE = Path(__file__).parent / "wire.json"


def _rows(bursts: int, width: int, channels: int = 3) -> np.ndarray[Any, np.dtype[np.uint8]]:
    count = bursts * 5 * width * channels
    return (np.arange(count) * 7 % 256).astype(np.uint8).reshape(bursts * 5, width, channels)


MESSAGES: dict[str, Message] = {
    "one burst": Rows(0, 0, 1, 627, _rows(1, 16)),
    "three bursts late in a long stream": Rows(2**32 - 1, 18, 3, 2**40 + 5, _rows(3, 16)),
    "mono": Rows(1, 1, 1, 1254, _rows(1, 16, 1), PixelFormat.MONO8),
    "two bursts of a mosaic with their halo": Rows(
        1, 1, 2, 2006, np.concatenate([_rows(2, 16, 1), _rows(1, 16, 1)[:2]]), PixelFormat.BAYER_GRBG8
    ),
    "hello with defaults": Hello("105x120"),
    "hello with thresholds": Hello(
        "210x240", {"name": "published", "exit_threshold": 0.9, "skip_threshold": 0.01}, progress_every=0
    ),
    "hello with a mosaic": Hello("105x120", pixel_format=PixelFormat.BAYER_RGGB8),
    "welcome": Welcome(
        "105x120",
        105,
        120,
        5,
        21,
        {"name": "published", "exit_threshold": 0.99, "skip_threshold": 0.005},
        1,
        "ab" * 32,
        {"message_bytes": 262144, "idle_s": 30.5},
        128,
        "c2lnbmVk",
    ),
    "welcome again": Welcome(
        "105x120", 105, 120, 5, 21, {"name": "never"}, 0, "ab" * 32, {}, 128, "c2lnbmVk", position=Position(3, 8)
    ),
    "resume": Resume("c2lnbmVk"),
    "decision with a token": Decision(3, 12, 0.9921875, True, True, 12, 1, 8, 212, "c2lnbmVk"),
    "shed": Shed(4),
    "credit": Credit(256),
    "checkpoint": Checkpoint(3, 7, 212, "c2lnbmVk"),
    "going away": GoingAway("drain", 10.0, "c2lnbmVk"),
    "progress": Progress(3, 7, 0.625, 0.5),
    "skip": Skip(3, 8),
    "abandon": Abandon(3),
    "abandoned": Abandoned(3, 212, "c2lnbmVk"),
    "decision under a certificate": Decision(3, 12, 0.9921875, True, True, 12, 1, 8, certificate="ab" * 32),
    "decision": Decision(3, 12, 0.9921875, True, True, 12, 1, 8, compute_us=345),
    "decision to be audited": Decision(3, 12, 0.9921875, True, True, 12, 1, 8, certificate="ab" * 32, audit=True),
    "welcome within an audit": Welcome(
        "105x120", 105, 120, 5, 21, {"name": "never"}, 0, "ab" * 32, {}, 128, "c2lnbmVk", position=Position(3, 21, 13)
    ),
    "sync": Sync(7),
    "end": End(),
    "summary": Summary(4, 1, 1, 75, 1, 8),
    "error": Error("out_of_order", "burst 4 of frame 0 came, burst 2 is next"),
}


REFUSED: dict[str, tuple[str, str]] = {
    "no JSON": ("malformed_json", "{"),
    "no object": ("malformed_json", "[]"),
    "no type": ("unknown_type", "{}"),
    "a type that is no string": ("unknown_type", '{"type":3}'),
    "a message of a later release": ("unknown_type", '{"type":"weather","rain":true}'),
    "a field is missing": ("bad_field", '{"type":"skip","frame_id":0}'),
    "a share above 1": (
        "bad_field",
        '{"type":"progress","frame_id":0,"burst_index":1,"p_person":1.5,"confidence":0.5}',
    ),
    "a negative count": ("bad_field", '{"type":"shed","frame_id":-1}'),
    "a count that is not whole": ("bad_field", '{"type":"shed","frame_id":0.5}'),
    "a count that is true": ("bad_field", '{"type":"shed","frame_id":true}'),
}
"""What no server of any release of v1 says to a client of this one, and the error that it is."""


def later(message: Control) -> str:
    """A server's message as a later release may send it: with fields that this release doesn't know."""
    return json.dumps(msgspec.to_builtins(message) | {"rain": {"type": "skip"}, "wind": None}, separators=(",", ":"))


def vectors() -> dict[str, Any]:
    """The content of the file."""
    entries = []
    for name, message in MESSAGES.items():
        data = encode(message)
        if isinstance(message, Rows):
            fields: dict[str, Any] = {
                "type": "rows",
                "frame_id": message.frame_id,
                "first_burst": message.first_burst,
                "bursts": message.bursts,
                "readout_us": message.readout_us,
                "pixel_format": message.pixel_format,
                "rows_shape": list(message.rows.shape),
                "rows_hex": message.rows.tobytes().hex(),
            }
        else:
            fields = msgspec.to_builtins(message)
        kind = "text" if isinstance(data, str) else "binary"
        content = data.encode() if isinstance(data, str) else data
        entries.append({"name": name, "kind": kind, "hex": content.hex(), "message": fields})
    tolerated = [
        {"name": name, "text": later(message), "message": msgspec.to_builtins(message)}
        for name, message in MESSAGES.items()
        if isinstance(message, ServerMessage)
    ]
    refused = [{"name": name, "code": code, "text": text} for name, (code, text) in REFUSED.items()]
    return {"subprotocol": SUBPROTOCOL, "messages": entries, "tolerated": tolerated, "refused": refused}


if __name__ == "__main__":
    FILE.write_text(json.dumps(vectors(), indent=1) + "\n")
