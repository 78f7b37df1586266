"""The stream as an AsyncAPI 3 document, from the models that the code itself decodes and encodes.

`make vectors` writes it to asyncapi.yaml; a running service has it at `/asyncapi.json`.
"""

from typing import Any, Final

import msgspec

from sensor_sim.wire import FORMATS, HEADER, MAX_TEXT_BYTES, STREAM_PATH, SUBPROTOCOL, TYPE_OF, TYPES, VERSION
from server.errors import before_upgrade, closing
from server.http.access import BEARER_SUBPROTOCOL
from server.stream.session import LEGAL

_FROM_CLIENT: Final = {TYPE_OF[kind] for legal in LEGAL.values() for kind in legal}
_ECHOED: Final = "sync"
_HEADER_FIELDS: Final = (
    "version", "pixel format", "rows in the message", "frame id", "first burst", "number of bursts", "row bytes",
    "readout time (us)",
)  # fmt: skip
_SIZES: Final = {"B": "u8", "H": "u16", "I": "u32", "Q": "u64"}

ROWS: Final = (
    f"A little-endian header of {HEADER.size} bytes ("
    + ", ".join(f"{_SIZES[size]} {name}" for size, name in zip(HEADER.format[1:], _HEADER_FIELDS, strict=True))
    + f"), then the rows, 8 bits a sample. Version {VERSION}; pixel formats "
    + ", ".join(f"{code} {name}" for code, name in enumerate(FORMATS))
    + "."
)

DESCRIPTION: Final = f"""\
Rows of a frame go in, decisions come out, over one websocket with the subprotocol `{SUBPROTOCOL}` (PROTOCOL.md).
Control messages are JSON text of at most {MAX_TEXT_BYTES} characters, rows are binary.
"""


def _reference(kind: str, name: str) -> dict[str, str]:
    return {"$ref": f"#/{kind}/{name}"}


def _on_the_channel(*names: str) -> list[dict[str, str]]:
    return [_reference("channels/stream/messages", name) for name in names]


def _operation(action: str, summary: str, names: list[str], replies: list[str] | None = None) -> dict[str, Any]:
    channel = _reference("channels", "stream")
    operation = {"action": action, "channel": channel, "summary": summary, "messages": _on_the_channel(*names)}
    if replies:
        operation["reply"] = {"channel": channel, "messages": _on_the_channel(*replies)}
    return operation


def document() -> dict[str, Any]:
    """The document, as the service's own side of the channel."""
    _, schemas = msgspec.json.schema_components(TYPES.values(), ref_template="#/components/schemas/{name}")
    messages: dict[str, Any] = {
        name: {
            "name": name,
            "summary": (kind.__doc__ or "").strip().splitlines()[0],
            "payload": _reference("components/schemas", kind.__name__),
        }
        for name, kind in TYPES.items()
    }
    messages["rows"] = {
        "name": "rows",
        "summary": "Consecutive bursts of one frame.",
        "contentType": "application/octet-stream",
        "payload": {"type": "string", "format": "binary", "description": ROWS},
    }
    told = sorted(set(messages) - _FROM_CLIENT - {"welcome", "abandoned", "summary"})
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "rascanet-stream",
            "version": SUBPROTOCOL,
            "description": DESCRIPTION,
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "servers": {
            "local": {
                "host": "127.0.0.1:8000",
                "protocol": "ws",
                "description": "as `rascanet serve` starts it; `wss` with a certificate",
                "security": [_reference("components/securitySchemes", "bearer")],
            }
        },
        "defaultContentType": "application/json",
        "channels": {
            "stream": {
                "address": STREAM_PATH,
                "summary": "One stream of frames.",
                "messages": {name: _reference("components/messages", name) for name in sorted(messages)},
                "bindings": {
                    "ws": {
                        "method": "GET",
                        "headers": {
                            "type": "object",
                            "required": ["Sec-WebSocket-Protocol"],
                            "properties": {
                                "Sec-WebSocket-Protocol": {
                                    "type": "string",
                                    "description": f"`{SUBPROTOCOL}`; from browsers also `{BEARER_SUBPROTOCOL}...`",
                                }
                            },
                        },
                    }
                },
                "x-close-codes": {refusal.code: refusal.close_code for refusal in closing()},
                "x-refusals": {refusal.code: refusal.http_status for refusal in before_upgrade()},
            }
        },
        "operations": {
            "open": _operation("receive", "The first message of a connection.", ["hello", "resume"], ["welcome"]),
            "stream": _operation("receive", "Rows, in order.", ["rows"]),
            "abandon": _operation("receive", "Gives a frame up.", ["abandon"], ["abandoned"]),
            "sync": _operation("receive", "Asks for an echo in its turn.", [_ECHOED], [_ECHOED]),
            "end": _operation("receive", "The last message.", ["end"], ["summary"]),
            "tell": _operation("send", "What the service says of frames and of itself.", told),
        },
        "components": {
            "messages": dict(sorted(messages.items())),
            "schemas": dict(sorted(schemas.items())),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "where the service asks for a token"}
            },
        },
    }
