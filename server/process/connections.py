"""uvicorn's connections, bounded: in number, in time until a request, in unread answers, and in silence."""

from collections.abc import Callable
from typing import Any, Final

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import apply_mask  # type: ignore[attr-defined]  # the fastest there is
from websockets.http11 import Request
from websockets.protocol import State
from websockets.streams import StreamReader

from server.process.http_connection import HttpConnection
from server.settings import Settings
from server.stream.endpoint import WOKEN

WHOLE_BINARY: Final = 0x82
MASKED: Final = 0x80

AT_EOF: Final = StreamReader.at_eof.__code__
"""Where a parser of websocket frames waits between two of them."""

PONG_GRACE_S: Final = 1.0
"""A loop that was held up calls timers before it reads: a pong may have come in time and not be seen yet."""


def text_frame(payload: bytes) -> bytes:
    """A whole websocket message from a server: unmasked (RFC 6455, section 5.2)."""
    size = len(payload)
    if size < 126:
        return bytes((0x81, size)) + payload
    if size < 65_536:
        return b"\x81\x7e" + size.to_bytes(2) + payload
    return b"\x81\x7f" + size.to_bytes(8) + payload


def lone_message(data: bytes, start: int) -> tuple[int, int] | None:
    """Where the payload lies of the frame that begins at `start`, and where it ends; its mask is the four bytes before.

    None unless the frame is there to its last byte and a whole binary message from a client (RFC 6455, section 5.2):
    one that is final, masked, of no extension, its length in the shortest form.
    """
    size = len(data)
    if size < start + 8 or data[start] != WHOLE_BINARY:
        return None
    masked_length = data[start + 1]
    if masked_length == MASKED + 126:
        first, length = start + 8, data[start + 2] << 8 | data[start + 3]
        if length < 126:
            return None
    elif MASKED <= masked_length < MASKED + 126:
        first, length = start + 6, masked_length - MASKED
    else:
        return None
    return (first, first + length) if first + length <= size else None


class BoundedWebSocket(WebSocketsSansIOProtocol):
    """Reads nothing while its answers are not taken, pings included, and can be cut off at once.

    The application finds it as the extension `connection`.

    Attributes:
        at_once: takes a binary message as soon as it has come, without waking the task that waits for it, and says
            whether it did; the application sets it while it waits.
    """

    at_once: Callable[[bytes], bool] | None = None
    _pong_is_late = False

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if hasattr(self, "scope"):
            self.scope["extensions"]["connection"] = {"protocol": self}

    def data_received(self, data: bytes) -> None:
        """Hands whole binary messages to the application at once, as long as it takes them; the rest goes
        through the protocol's parser, which costs a message as much as the network does."""
        start = 0
        while (
            self.at_once is not None
            and (place := lone_message(data, start)) is not None
            and place[1] - place[0] <= self.config.ws_max_size
            and self._between_messages
            and self._hand_over(apply_mask(memoryview(data)[place[0] : place[1]], data[place[0] - 4 : place[0]]))
        ):
            start = place[1]
        if start < len(data):
            super().data_received(data[start:] if start else data)

    @property
    def _between_messages(self) -> bool:
        """Whether the parser has nothing yet of a frame or of a message, and waits for bytes."""
        innermost: Any = self.conn.parser
        while innermost.gi_yieldfrom is not None:
            innermost = innermost.gi_yieldfrom
        return innermost.gi_code is AT_EOF and self.conn.current_size is None

    def send_receive_event_to_app(self) -> None:
        if self.curr_msg_data_type == "bytes" and len(self.frames) == 1 and self._hand_over(self.frames[0]):
            self.frames = []
        else:
            super().send_receive_event_to_app()

    def _hand_over(self, message: bytes) -> bool:
        """Whether the application took the message at once: it waits, for nothing before it, and can be answered."""
        at_once = self.at_once
        return at_once is not None and self.queue.empty() and self.can_write and at_once(message)

    @property
    def can_write(self) -> bool:
        """Whether the connection is open and its answers are being taken."""
        taken = self.handshake_complete and not self.disconnected and self.writable.is_set()
        return taken and self.conn.state is State.OPEN

    def write(self, *texts: bytes) -> None:
        """Sends text messages, for which `can_write` must hold, without the layers of ASGI."""
        self.transport.write(b"".join(map(text_frame, texts)))

    def wake(self) -> None:
        """Lets the task that waits for a message go on, with an event that is none."""
        event: Any = {"type": WOKEN}
        self.queue.put_nowait(event)

    async def send(self, message: Any) -> None:
        """Writes a stream's answers without the layers between: they would cost as much as the network."""
        text = message.get("text")
        if text is None or not self.can_write:
            await super().send(message)
        else:
            self.write(text.encode())

    def pause_writing(self) -> None:
        super().pause_writing()
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        super().resume_writing()
        if not self.read_paused and not self.transport.is_closing():
            self.transport.resume_reading()

    def send_keepalive_ping(self) -> None:
        self._pong_is_late = False
        super().send_keepalive_ping()

    def keepalive_timeout(self) -> None:
        """Cuts the connection, unless the pong may be there and unread; tells the application why."""
        if self.close_sent or self.transport.is_closing():
            return
        if self.read_paused or not self.writable.is_set() or not self._pong_is_late:
            self._pong_is_late = True
            self.pong_timer = self.loop.call_later(PONG_GRACE_S, self.keepalive_timeout)
            return
        gone: Any = {"type": "websocket.disconnect", "code": 1011, "reason": "", "no_pong": True}
        self.queue.put_nowait(gone)
        super().keepalive_timeout()
        self.transport.abort()  # to a peer that is gone, nothing that waits will ever be sent


def connection_options(settings: Settings) -> dict[str, Any]:
    """Arguments of `uvicorn.Config` for such connections, and behind which proxies."""
    return {
        "http": HttpConnection,
        "ws": BoundedWebSocket,
        "ws_max_size": settings.message_bytes,
        "ws_per_message_deflate": False,  # raw pixels hardly shrink, and it would cost every burst
        "ws_ping_interval": settings.ping_s,
        "ws_ping_timeout": settings.ping_s,
        "proxy_headers": bool(settings.trusted_proxies),
        "forwarded_allow_ips": settings.trusted_proxies,
    }
