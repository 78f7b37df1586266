"""Resume tokens: a stream's state, signed and dated, kept by the client. No I/O; the clock is an argument.

A token is a snapshot, not a ticket: it can be used any number of times until it expires, on any server with the same
key and weights, and gives the same decisions each time. A token doesn't say which key signed it: each key is tried.
"""

import base64
import binascii
import hmac
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from sensor_sim.wire import Hello, Summary
from server.errors import ServiceError
from server.frame import FrameState

VERSION: Final = 3
_DIGEST: Final = "sha256"
_DIGEST_BYTES: Final = 32


class Snapshot(msgspec.Struct, frozen=True, array_like=True):
    """Content of a token.

    Attributes:
        version: version of this layout.
        expires_s: end of the token, seconds since 1970.
        digest: SHA-256 of the weights.
        hello: the stream's `hello`, encoded.
        totals: sums over the decided frames so far.
        frame_id: number of the last frame begun; -1 before the first.
        frame: the frame in progress or under audit; None if there is none.
        stream: random name of the stream over all its connections; the coin of its audits is tossed with it.
    """

    version: int
    expires_s: float
    digest: str
    hello: msgspec.Raw
    totals: Summary
    frame_id: int
    frame: FrameState | None
    stream: str


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(Snapshot)
_HELLO: Final = msgspec.msgpack.Decoder(Hello)


def encode_hello(hello: Hello) -> msgspec.Raw:
    """Encodes a stream's `hello`, once for all tokens of the stream."""
    return msgspec.Raw(_ENCODER.encode(hello))


class Tokens:
    """Makes and reads tokens.

    Args:
        keys: secrets; the first signs, and tokens signed with any of them are taken.
        lifetime_s: time for which a token can be used.
        now_s: clock, seconds since 1970.
    """

    def __init__(self, keys: Sequence[bytes], lifetime_s: float, now_s: Callable[[], float]) -> None:
        self._keys, self._lifetime_s, self._now_s = tuple(keys), lifetime_s, now_s

    def seal(
        self,
        digest: str,
        hello: msgspec.Raw,
        totals: Summary,
        frame_id: int,
        frame: FrameState | None = None,
        stream: str = "",
    ) -> str:
        """Makes a token of a state; the arguments are fields of `Snapshot`."""
        expires_s = self._now_s() + self._lifetime_s
        content = _ENCODER.encode(Snapshot(VERSION, expires_s, digest, hello, totals, frame_id, frame, stream))
        signature = hmac.digest(self._keys[0], content, _DIGEST)
        return base64.urlsafe_b64encode(signature + content).decode()

    def open(self, token: str) -> tuple[Snapshot, Hello]:
        """Checks a token; returns its state and the stream's `hello`.

        Raises:
            ServiceError: `bad_token` (not made with one of the keys), `expired_token`.
        """
        try:
            data = base64.b64decode(token.encode(), b"-_", validate=True)
            if base64.urlsafe_b64encode(data) != token.encode():  # the last letter holds bits that mean nothing
                raise ValueError
        except (binascii.Error, UnicodeEncodeError, ValueError):
            raise ServiceError("bad_token", "the resume token is damaged; begin with hello") from None
        signature, content = data[:_DIGEST_BYTES], data[_DIGEST_BYTES:]
        if not any(hmac.compare_digest(signature, hmac.digest(key, content, _DIGEST)) for key in self._keys):
            raise ServiceError("bad_token", "the resume token was not signed with this service's key; begin with hello")
        try:
            snapshot = _DECODER.decode(content)
            hello = _HELLO.decode(snapshot.hello)
        except (msgspec.MsgspecError, ValueError):  # signed by another release
            raise ServiceError("bad_token", "the resume token is of another layout; begin with hello") from None
        if snapshot.version != VERSION:
            raise ServiceError(
                "bad_token", f"the resume token has version {snapshot.version}, not {VERSION}; begin with hello"
            )
        late_s = self._now_s() - snapshot.expires_s
        if late_s > 0:
            raise ServiceError("expired_token", f"the resume token expired {late_s:.0f} s ago; begin with hello")
        return snapshot, hello
