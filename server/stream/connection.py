"""A stream on a connection of our own server: bytes in, decisions out, without a task, a queue or a second timer.

Given to uvicorn as `ws=`. websockets' documented Sans-I/O protocol does the handshake, control frames, fragments and
the close; rows, which are nearly everything, come unmasked from the gate; what they mean is the conversation's.
"""

import asyncio
from typing import Any, Final

from uvicorn import Config
from uvicorn.server import ServerState
from websockets import Frame, Opcode, ServerProtocol, State

from server.connections.request_head import HEAD_BYTES
from server.errors import CloseCode, ServiceError
from server.http.access import Access
from server.stream.allowance import Allowance
from server.stream.conversation import Conversation, Ending
from server.stream.framing import FrameGate, Passed, text_frame
from server.stream.keepalive import Keepalive
from server.stream.streams import Streams, stream_name
from server.stream.upgrade import HEAD_END, LIBRARY_LOG, denial, judge

TICK_S: Final = 0.001
"""Resolution of the event loop's timers."""


class StreamConnection(asyncio.Protocol):
    """One websocket connection, from its head on.

    A turn processes frames until none is left or the turn is over; then other streams have theirs. The connection is
    not read meanwhile, nor while the client takes no answers or has sent too many frames without a message.

    Args:
        config, server_state, app_state: uvicorn's arguments; `app_state` has `streams` and `access`.

    Attributes:
        handshake_complete: true once the stream has begun or was refused.
    """

    transport: asyncio.Transport
    _gate: FrameGate
    _parser: ServerProtocol
    _keepalive: Keepalive
    _allowance: Allowance

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._streams: Streams = app_state["streams"]
        self._access: Access = app_state["access"]
        self._connections: set[Any] = server_state.connections
        self._loop = _loop or asyncio.get_event_loop()
        self._clock, self._limits, self._outbox = self._streams.clock, self._streams.limits, self._streams.outbox
        self._head = bytearray()
        self._until = self._clock() + self._limits.handshake_s  # for the upgrade; then for its refusal to be taken
        self._timer: asyncio.TimerHandle | None = None
        self._next_turn: asyncio.Handle | None = None
        self._reading = True
        self._deaf = False  # whether the rest of what comes is dropped
        self._aborted = False
        self.handshake_complete = False
        self._conversation: Conversation | None = None
        self._fragments: list[bytes] = []
        self._is_text = False  # whether they are of a text message

    # What the transport calls

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # of a byte stream
        self.transport = transport
        self._connections.add(self)
        self._set_timer()

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            return
        conversation = self._conversation
        if conversation is None:
            self._head += data
            self._upgrade()
            return
        self._gate.feed(data)
        if self._next_turn is None and not conversation.paused:
            conversation.begin_turn()
            self._turn(conversation)

    def eof_received(self) -> None:
        """Lets the transport close the connection, since the client sends no more."""

    def pause_writing(self) -> None:
        if self._conversation is not None:
            self._conversation.pause()
            self._pace_reading()

    def resume_writing(self) -> None:
        conversation = self._conversation
        if conversation is not None:
            conversation.resume()
            self._turn_later()
            self._settle(conversation)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        self._deaf = True
        for handle in (self._timer, self._next_turn):
            if handle is not None:
                handle.cancel()
        self._timer = self._next_turn = None
        if self._conversation is not None:
            self._conversation.end(Ending("client_left", None))
            self._streams.finish(self._conversation)

    # What the server and the other streams' registry call

    def leave(self, reason: str, seconds: float) -> None:
        """Asks the conversation to leave, and sends its texts."""
        conversation = self._conversation
        if conversation is not None:
            self._write(conversation.leave(reason, seconds))
            self._settle(conversation)
            self._set_timer()

    def shutdown(self) -> None:
        """Ends the connection at once, as the server stops."""
        conversation = self._conversation
        if conversation is not None and conversation.ending is None:
            conversation.end(Ending("drain", CloseCode.SERVICE_RESTART))
            self._settle(conversation)
        self._outbox.flush()
        self.transport.close()

    # The upgrade

    def _upgrade(self) -> None:
        """Reads the head, once it is whole, and answers it."""
        end = self._head.find(HEAD_END)
        if end < 0 and len(self._head) <= HEAD_BYTES:
            return
        head, rest = bytes(self._head[: end + len(HEAD_END)]), bytes(self._head[end + len(HEAD_END) :])
        self._head.clear()
        streams, peer = self._streams, self.transport.get_extra_info("peername")
        address = str(peer[0]) if isinstance(peer, tuple) else ""
        self.handshake_complete = True
        try:
            if not 0 <= end <= HEAD_BYTES:
                raise ServiceError("head_too_large", f"an upgrade's head has at most {HEAD_BYTES} bytes")
            if refusal := streams.admission.refusal():  # before anything is done for it
                raise refusal
            opening = judge(head, self.transport.get_extra_info("sslcontext") is not None, self._access, stream_name())
            address = streams.proxies.client(address, opening.forwarded)
            self._conversation = streams.begin(opening.name, address, self)
        except ServiceError as error:
            streams.refused(error, address)
            self._deaf = True
            self.transport.write(denial(error))
            self.transport.close()
            return
        self._gate = FrameGate(self._limits.message_bytes)
        self._parser = ServerProtocol(state=State.OPEN, max_size=self._limits.message_bytes, logger=LIBRARY_LOG)
        self._keepalive = Keepalive(self._limits.ping_s, self._clock)
        self._allowance = Allowance(self._loop.time())
        self.transport.write(opening.answer)
        self._set_timer()
        if rest:
            self.data_received(rest)

    # Turns

    def _turn(self, conversation: Conversation) -> None:
        """Processes received frames until none is left or the turn is over."""
        gate = self._gate
        while not (conversation.paused or self._deaf):
            if conversation.busy:
                texts = conversation.work()
            elif (found := gate.next_frame()) is None:
                break
            elif isinstance(found, Passed):
                texts = self._parse(conversation, found)
                if not found.whole and (wait_s := self._allowance.spend(self._loop.time())):
                    self._turn_later(wait_s)
            else:
                texts = conversation.receive(found)
            if texts:
                self._write(texts)
            if conversation.turn_over:
                self._turn_later()
            if self._next_turn is not None:
                break
        if conversation.ending is not None:
            self._settle(conversation)
        if self._next_turn is not None or conversation.paused or not self._reading:
            self._pace_reading()

    def _turn_later(self, seconds: float = 0.0) -> None:
        if self._next_turn is None:
            later = self._loop.call_later(seconds, self._go_on) if seconds else self._loop.call_soon(self._go_on)
            self._next_turn = later

    def _go_on(self) -> None:
        self._next_turn = None
        if self._conversation is not None:
            self._conversation.begin_turn(yielded=True)
            self._turn(self._conversation)

    def _pace_reading(self) -> None:
        """Pauses reading while frames wait to be processed, or while no answer can be sent."""
        conversation = self._conversation
        reads = self._next_turn is None and not (conversation is not None and conversation.paused)
        if reads is not self._reading and not self.transport.is_closing():
            self._reading = reads
            if reads:
                self.transport.resume_reading()
            else:
                self.transport.pause_reading()

    def _parse(self, conversation: Conversation, found: Passed) -> list[bytes]:
        """Gives the library a frame that is no lone binary message; returns the texts to send."""
        parser = self._parser
        parser.receive_data(found.data)
        texts: list[bytes] = []
        for event in parser.events_received():
            if not isinstance(event, Frame):
                continue
            if event.opcode is Opcode.PONG:
                self._keepalive.pong(bytes(event.data))
            elif event.opcode is Opcode.CLOSE:
                conversation.end(Ending("client_left", CloseCode.NORMAL))
            elif event.opcode is not Opcode.PING:
                texts += self._assemble(conversation, event)
        if parser.parser_exc is not None:
            conversation.end(Ending("bad_frame", CloseCode.NORMAL))  # the library has chosen another code, and sent it
        self._write_parsed()
        return texts

    def _assemble(self, conversation: Conversation, frame: Frame) -> list[bytes]:
        if frame.opcode is not Opcode.CONT:
            self._is_text = frame.opcode is Opcode.TEXT
        self._fragments.append(bytes(frame.data))
        if not frame.fin:
            return []
        data = b"".join(self._fragments)
        self._fragments.clear()
        # What is not UTF-8 is no JSON either: it comes to the conversation as characters that no text can have.
        return conversation.receive(data.decode(errors="surrogateescape") if self._is_text else data)

    # Writing and ending

    def _write(self, texts: list[bytes]) -> None:
        if texts:
            data = text_frame(texts[0]) if len(texts) == 1 else b"".join(map(text_frame, texts))
            self._outbox.put(self._loop, self.transport, data)

    def _write_parsed(self) -> None:
        """Writes the library's bytes, after the answers; ends the connection if the library asks for it."""
        self._outbox.flush()
        for data in self._parser.data_to_send():
            if self.transport.is_closing():
                break
            if data:
                self.transport.write(data)
            elif self._parser.parser_exc is None:
                self._deaf = True
                self.transport.close()
            else:
                self._hang_up()

    def _settle(self, conversation: Conversation) -> None:
        """Carries out the conversation's ending, if it has one."""
        ending = conversation.ending
        if ending is None:
            return
        if ending.close_code is None:
            self._abort()
        elif self._parser.state is State.OPEN:
            self._parser.send_close(ending.close_code, ending.close_reason)
            self._write_parsed()
        if conversation.over:
            self._streams.finish(conversation)

    def _abort(self) -> None:
        self._deaf = self._aborted = True
        self.transport.abort()

    def _hang_up(self) -> None:
        """Ends writing, and waits a while for the client's end: cutting at once may lose the last bytes."""
        self._deaf = True
        if self.transport.can_write_eof():
            self.transport.write_eof()
        else:
            self.transport.close()

    # The timer

    def _set_timer(self) -> None:
        """Sets the timer for the next deadline."""
        if self._timer is not None:
            self._timer.cancel()
        if self._aborted:
            return
        limits, conversation = self._limits, self._conversation
        wait_s = min(limits.handshake_s, limits.idle_s, limits.send_s, limits.ping_s)
        if conversation is None:
            due = self._until
        elif conversation.ending is None:
            due = min(conversation.deadline, self._keepalive.deadline)
        else:
            due = conversation.deadline
        self._timer = self._loop.call_later(max(TICK_S, min(wait_s, due - self._clock())), self._look)

    def _look(self) -> None:
        self._timer = None
        conversation = self._conversation
        if conversation is not None:
            self._write(conversation.tick())
            if conversation.ending is None:
                self._keep_alive(conversation)
            self._settle(conversation)
            self._pace_reading()
        elif self._clock() >= self._until:
            if not self.handshake_complete:
                late = f"the upgrade's head did not come within {self._limits.handshake_s:g} s"
                self._streams.refused(ServiceError("request_timeout", late), "")
            self._abort()
        self._set_timer()

    def _keep_alive(self, conversation: Conversation) -> None:
        ping = self._keepalive.tick(heard=self._reading)
        if ping is not None:
            self._parser.send_ping(ping)
            self._write_parsed()
        elif self._keepalive.lost:
            conversation.end(Ending("no_pong", CloseCode.INTERNAL_ERROR, "keepalive ping timeout"))
