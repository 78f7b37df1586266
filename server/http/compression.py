"""Request bodies that travel compressed: gzip and deflate (RFC 9110, section 8.4), bounded in size and in ratio."""

import asyncio
import zlib
from typing import Any, Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.errors import ServiceError
from server.http.problem import problem

CODINGS: Final = {"gzip": "gzip", "x-gzip": "gzip", "deflate": "deflate"}
PIECE_BYTES: Final = 65_536
"""Most bytes that are unpacked between two turns of the event loop."""

MOST_RATIO: Final = 200
FREE_BYTES: Final = 1_048_576
"""Unpacked bytes up to which the ratio doesn't count, since a small blank frame may shrink to almost nothing."""

MEMBERS: Final = 100
MEMBER_BYTES: Final = 1_000
"""A gzip body of more members holds so many bytes a member: to begin one costs as much as to unpack some thousand."""

_GZIP_BITS: Final = 16 + zlib.MAX_WBITS


class Unpacker:
    """Unpacks a compressed body piece by piece. No I/O.

    Args:
        coding: `gzip` (RFC 1952, of one member or several) or `deflate` (RFC 1950; without its frame too, as some
            clients send it).
    """

    def __init__(self, coding: str) -> None:
        self._coding = coding
        self._decoder: Any = None  # the type of zlib has no public name
        self._packed = b""
        self._packed_bytes = self._unpacked_bytes = self._members = 0

    def take(self, packed: bytes) -> None:
        """Takes more of the compressed body.

        Raises:
            ServiceError: `bad_request`: the compressed body is far larger than its content.
        """
        self._packed += packed
        self._packed_bytes += len(packed)
        if self._packed_bytes - len(packed) > max(FREE_BYTES, 2 * self._unpacked_bytes):
            raise ServiceError("bad_request", f"the {self._coding} body has more bytes than what it holds")

    def piece(self) -> bytes:
        """The next unpacked bytes, at most `PIECE_BYTES`; empty if more of the body must come first.

        Raises:
            ServiceError: `bad_request`: a body of another coding; `request_too_large`: the ratio is too large.
        """
        while self._packed:
            if self._decoder is None:
                self._check_members()
                if self._coding == "deflate" and len(self._packed) < 2:  # two bytes tell which deflate it is
                    return b""
                self._decoder = zlib.decompressobj(self._bits())
            try:
                found: bytes = self._decoder.decompress(self._packed, PIECE_BYTES)
            except zlib.error as error:
                raise ServiceError("bad_request", f"the body is not {self._coding}, as it says ({error})") from error
            self._packed = self._decoder.unconsumed_tail
            if self._decoder.eof:
                self._packed = self._decoder.unused_data
                self._decoder = None
                self._members += 1
            self._unpacked_bytes += len(found)
            if self._unpacked_bytes > max(FREE_BYTES, MOST_RATIO * self._packed_bytes):
                raise ServiceError(
                    "request_too_large",
                    f"a compressed body unpacks to at most {MOST_RATIO} times its size; send this one as it is",
                )
            if found:
                return found
        return b""

    def finish(self) -> None:
        """Checks that the body is complete.

        Raises:
            ServiceError: `bad_request`.
        """
        if self._packed or self._decoder is not None or not self._members:
            raise ServiceError("bad_request", f"the {self._coding} body is cut off before its end")

    def _check_members(self) -> None:
        if self._members and self._coding == "deflate":
            raise ServiceError("bad_request", "the deflate body goes on behind its end")
        if self._members >= MEMBERS and self._unpacked_bytes < MEMBER_BYTES * self._members:
            raise ServiceError(
                "bad_request", f"a gzip body of {MEMBERS} members with fewer than {MEMBER_BYTES} bytes each"
            )

    def _bits(self) -> int:
        if self._coding == "gzip":
            return _GZIP_BITS
        first, second = self._packed[:2]
        framed = first & 15 == 8 and (first << 8 | second) % 31 == 0
        return zlib.MAX_WBITS if framed else -zlib.MAX_WBITS


class Unpacked:
    """ASGI middleware that unpacks compressed bodies for the application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = MutableHeaders(raw=list(scope["headers"])) if scope["type"] == "http" else None
        codings = ",".join(headers.getlist("content-encoding")).lower() if headers is not None else ""
        if headers is None or codings.strip() in ("", "identity"):
            await self._app(scope, receive, send)
            return
        coding = CODINGS.get(codings.strip())
        if coding is None:
            refusal = ServiceError(
                "unsupported_media_type",
                f"bodies packed as {codings[:80]!r} are not taken; send gzip, deflate or neither",
            )
            answer = problem(refusal, scope["path"])
            answer.headers["Accept-Encoding"] = "gzip, deflate"
            await answer(scope, receive, send)
            return
        del headers["content-encoding"]
        del headers["content-length"]  # of what is packed
        unpacker, more, ended = Unpacker(coding), True, False

        async def unpacked() -> Message:
            nonlocal more, ended
            while True:
                if piece := unpacker.piece():
                    await asyncio.sleep(0)
                    return {"type": "http.request", "body": piece, "more_body": True}
                if ended:
                    return await receive()
                if not more:
                    ended = True
                    unpacker.finish()
                    return {"type": "http.request", "body": b"", "more_body": False}
                message = await receive()
                if message["type"] != "http.request":
                    return message
                unpacker.take(message.get("body", b""))
                more = message.get("more_body", False)

        await self._app({**scope, "headers": headers.raw}, unpacked, send)
