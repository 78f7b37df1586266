"""One stream from its upgrade to its end, sans I/O: the answers to messages, and the deadlines that end the stream.

Both shells (`server.stream.endpoint`, `server.stream.connection`) only carry a conversation out:

    texts = conversation.receive(data)          # a message came
    while conversation.busy: texts = conversation.work()
    texts = conversation.tick()                 # `deadline` has passed
    texts = conversation.leave(reason, seconds) # the service ends the stream soon
    conversation.pause(), conversation.resume() # the client stops reading answers, reads again
    conversation.end(ending)                    # the connection ends the stream

    send texts, in order; read nothing while `paused`; once `ending` is set, close with it.

A stream ends when a wait takes too long:

    waits for                                    for            or else
    hello or resume                              handshake_s    handshake_timeout
    the next message                             idle_s         idle
    its answers to be taken                      send_s         slow_reader
    the end of a frame, once it is to leave      as told        leaves within the frame
    its close frame to be answered               send_s         is cut off
    nothing: a message is being worked off       -

and after `life_s` or `stream_frames` a stream is always asked to leave.
"""

import logging
from collections.abc import Callable
from typing import Final, NamedTuple

from sensor_sim.wire import MOST_NAME, Decision, Error, WireError, decode, encode_control
from server.errors import CloseCode, ServiceError, fault_of_ours
from server.settings import Limits
from server.stream.session import Phase, StreamSession

log = logging.getLogger(__name__)

TURN_S: Final = 0.002
"""Longest turn of one stream on the event loop, before other streams have theirs."""

PAUSE_S: Final = TURN_S / 10
"""Pause after which a stream begins a new turn: messages of one read arrive together, so others had a turn between."""

ENDED: Final = Phase.ENDED
"""Looked up once: an enumeration's members are slow to find."""


class Ending(NamedTuple):
    """End of a stream.

    Attributes:
        reason: name for counts and the log: `end`, `client_left`, the reason to leave, or the code of an error.
        close_code: code in the close frame; None: the connection is cut without a close frame.
        close_reason: text in the close frame.
    """

    reason: str
    close_code: int | None
    close_reason: str = ""


class Conversation:
    """A stream's bytes and timers.

    Args:
        name: name of the stream in the log.
        session: the stream's session, which understands messages.
        limits: bounds and times.
        life_s: time after which the stream is asked to leave, seconds.
        clock: clock of the deadlines, seconds (`server.process.clock`).
        stopwatch: clock that measures work, seconds.
        behind: returns true if frames that begin now must be shed.
        decided: called with every decision, and the seconds since its message came.

    Attributes:
        ending: end of the stream; None while the stream is open.
        busy: true while a message is being processed.
        leaving: reason why the stream is asked to leave; None if it isn't.
        paused: true while the client takes no answers; the shell then reads nothing from the client.
    """

    __slots__ = (
        "_active_at", "_behind", "_blocked_at", "_came_at", "_clock", "_closed_at", "_decided", "_heard_at",
        "_leave_by", "_limits", "_opened", "_stopwatch", "_turn_at", "_until", "busy", "ending", "leaving", "name",
        "paused", "session",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        session: StreamSession,
        limits: Limits,
        life_s: float,
        clock: Callable[[], float],
        stopwatch: Callable[[], float],
        behind: Callable[[], bool],
        decided: Callable[[Decision, float], None],
    ) -> None:
        self.name, self.session = name, session
        self._limits, self._clock, self._stopwatch = limits, clock, stopwatch
        self._behind, self._decided = behind, decided
        self.ending: Ending | None = None
        self.busy = False
        self.leaving: str | None = None
        self._heard_at = clock()
        self._until = self._heard_at + life_s
        self._leave_by = float("inf")
        self.paused = False
        # Start of the wait for the client to take answers.
        self._blocked_at = 0.0
        # Time of the stream's end.
        self._closed_at = 0.0
        # True once the first message came.
        self._opened = False
        # Arrival of the message, start of the turn, end of the last work.
        self._came_at = self._turn_at = self._active_at = stopwatch()

    @property
    def deadline(self) -> float:
        """Time at which `tick` must be called, by the clock."""
        limits = self._limits
        if self.ending is not None:
            return self._closed_at + limits.send_s
        if self.paused:
            due = self._blocked_at + limits.send_s
        elif self.busy:
            due = float("inf")
        else:
            due = self._heard_at + self._patience_s
        return min(due, self._leave_by, self._until)

    @property
    def wait_s(self) -> float:
        """Seconds until `deadline`."""
        return max(0.0, self.deadline - self._clock())

    @property
    def turn_over(self) -> bool:
        """True if other streams must have their turn before this stream works on."""
        self._active_at = now = self._stopwatch()
        return now - self._turn_at > TURN_S

    def begin_turn(self, *, yielded: bool = False) -> None:
        """Begins a turn, if other streams had theirs; must be called before any other work for the stream.

        Args:
            yielded: true if other streams had their turn since `turn_over`; false: the pause since then tells.
        """
        now = self._stopwatch()
        if yielded or now - self._active_at > PAUSE_S:
            self._turn_at = now

    def receive(self, data: bytes | str) -> list[bytes]:
        """Takes a message; returns the texts to send at once. `work` may return more."""
        if self.ending is not None:
            return []
        self._heard_at = self._clock()
        self._came_at = self._stopwatch()
        try:
            replies = self.session.receive(decode(data), behind=self._behind())
        except WireError as error:
            return self._refuse(ServiceError(error.code, str(error)))
        except ServiceError as error:
            return self._refuse(error)
        except Exception:
            return self._fail()
        self._opened = True
        texts = [encode_control(reply) for reply in replies] if replies else []
        if self.session.phase is ENDED:
            self.end(Ending("end", CloseCode.NORMAL))
            return texts
        self.busy = True
        return texts + self.work()

    def work(self) -> list[bytes]:
        """Processes the current message until it is done or the turn is over; returns the texts to send."""
        session, stopwatch = self.session, self._stopwatch
        texts: list[bytes] = []
        try:
            while (rows := session.rows_to_step()) is not None:
                began = stopwatch()
                result = session.runtime.step(rows, session.hidden)
                now = stopwatch()
                for reply in session.advance(result, (now - began) * 1e6):
                    texts.append(encode_control(reply))
                    if type(reply) is Decision:
                        self._decided(reply, now - self._came_at)
                if now - self._turn_at > TURN_S:
                    return texts
        except Exception:
            return texts + self._fail()
        self.busy = False
        if session.frames >= self._limits.stream_frames:
            texts += self.leave("stream_frames", 0.0)
        elif self.leaving is not None:
            self._leave_between_frames()
        return texts

    def leave(self, reason: str, seconds: float) -> list[bytes]:
        """Asks the stream to end after its frame, at most `seconds` later; returns the texts to send.

        A second call changes nothing.
        """
        if self.leaving is not None or self.ending is not None:
            return []
        self.leaving, self._leave_by = reason, self._clock() + seconds
        texts = [encode_control(self.session.going_away(reason, seconds))]
        if not self.busy:
            self._leave_between_frames()
        return texts

    def pause(self) -> None:
        """Notes that the client has stopped taking answers."""
        if not self.paused:
            self.paused, self._blocked_at = True, self._clock()

    def resume(self) -> None:
        """Notes that the client takes answers again."""
        self.paused = False
        # The client was not read meanwhile, so its silence doesn't count.
        self._heard_at = self._clock()

    def tick(self) -> list[bytes]:
        """Ends the stream if a wait has taken too long; returns the texts to send."""
        limits, now = self._limits, self._clock()
        if self.ending is not None:
            if now >= self._closed_at + limits.send_s:
                self.ending = Ending("slow_reader" if self.paused else self.ending.reason, None)
        elif self.paused and now >= self._blocked_at + limits.send_s:
            self.end(Ending("slow_reader", None))
        elif now >= self._leave_by:
            self._leave_now()
        elif now >= self._until:
            self._until = float("inf")
            return self.leave("stream_s", limits.drain_s)
        elif self.paused or self.busy or now < self._heard_at + self._patience_s:
            pass
        elif self._opened:
            return self._refuse(ServiceError("idle", f"no message came for {limits.idle_s:g} s"))
        else:
            said = f"neither hello nor resume came within {limits.handshake_s:g} s"
            return self._refuse(ServiceError("handshake_timeout", said))
        return []

    def end(self, ending: Ending) -> None:
        """Ends the stream, unless it has ended."""
        if self.ending is None:
            self.busy = False
            self._closed_at = self._clock()
            self.ending = ending

    @property
    def over(self) -> bool:
        """True once the last texts are taken, or can never be: the stream's place is then free."""
        return self.ending is not None and (self.ending.close_code is None or not self.paused)

    @property
    def _patience_s(self) -> float:
        """Longest silence of the client, seconds."""
        return self._limits.idle_s if self._opened else self._limits.handshake_s

    def _leave_between_frames(self) -> None:
        if self.session.between_frames:
            self._leave_now()

    def _leave_now(self) -> None:
        reason = self.leaving or ""
        self.end(Ending(reason, CloseCode.GOING_AWAY, reason))

    def _refuse(self, error: ServiceError) -> list[bytes]:
        self.end(Ending(error.code, error.close_code, error.code))
        return [encode_control(Error(error.code, str(error)[:MOST_NAME]))]  # it may quote what the client sent

    def _fail(self) -> list[bytes]:
        log.exception("a stream failed", extra={"facts": {"stream": self.name, "frame": self.session.frame_id}})
        return self._refuse(fault_of_ours("stream"))
