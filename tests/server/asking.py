"""Requests straight to an ASGI application, as bytes that no client library tidies up."""

import asyncio
import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from starlette.types import ASGIApp, Message

Headers = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The code of a refusal."""
        return str(self.json["code"])


async def asked(
    app: ASGIApp,
    method: str,
    target: str,
    headers: Headers = (),
    body: bytes | Iterable[bytes] = b"",
    *,
    ends: bool = True,
    fails: bool = False,
    scheme: str = "http",
) -> Answer:
    """Sends a request and waits for the answer.

    Args:
        target: path and query, percent-encoded, as on the wire.
        body: whole, or in pieces.
        ends: whether the body ever does; if not, nothing comes after the pieces.
        fails: whether the application raises after its answer, for whoever keeps the log.
    """
    path, _, query = target.partition("?")
    messages: Iterator[Message] = (
        {"type": "http.request", "body": piece, "more_body": True}
        for piece in ([body] if isinstance(body, bytes) else body)
    )
    if ends:
        messages = itertools.chain(messages, [{"type": "http.request", "body": b"", "more_body": False}])
    sent: list[Message] = []

    async def receive() -> Message:
        message = next(messages, None)
        if message is None:
            await asyncio.Event().wait()  # the client stays
        assert message is not None
        return message

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": scheme,
        "path": unquote(path), "raw_path": path.encode("latin-1"), "query_string": query.encode("latin-1"),
        "root_path": "",
        "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers],
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8000), "state": {}, "extensions": {},
    }  # fmt: skip
    try:
        await app(scope, receive, send)
    except Exception:
        if not fails:
            raise
    start = sent[0]
    found = {name.decode("latin-1"): value.decode("latin-1") for name, value in start["headers"]}
    return Answer(start["status"], found, b"".join(message.get("body", b"") for message in sent[1:]))


def ask(app: ASGIApp, method: str, target: str, headers: Headers = (), body: bytes | Iterable[bytes] = b"") -> Answer:
    """`asked`, in an event loop of its own."""
    return asyncio.run(asked(app, method, target, headers, body))
