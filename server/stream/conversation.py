"""One stream from its upgrade to its end, sans I/O: what is answered to which message, and what ends it when.

Both ways to serve a stream (`server.stream.endpoint`, `server.stream.connection`) do nothing but carry this out:

    texts = conversation.receive(data)          # a message came
    while conversation.busy: texts = conversation.work()
    texts = conversation.tick()                 # `deadline` has passed
    texts = conversation.leave(reason, seconds) # the service wants it to end
    conversation.pause(), conversation.resume() # answers are not taken any more, are taken again
    conversation.end(ending)                    # the connection says so

    send texts, in order; read nothing while `paused`; once `ending` is set, close with it.

What a stream waits for decides what ends it:

    waits for                                    for            or else
    hello or resume                              handshake_s    handshake_timeout
    the next message                             idle_s         idle
    its answers to be taken                      send_s         slow_reader
    the end of a frame, once it is to leave      as told        leaves within the frame
    its close frame to be answered               send_s         is cut off
    nothing: a message is being worked off       -

and whatever it does, after `stream_s` or `stream_frames` it is to leave.
"""

import logging
from collections.abc import Callable
from typing import Final, NamedTuple

from sensor_sim.wire import Decision, Error, WireError, decode, encode_control
from server.errors import ServiceError
from server.settings import Limits
from server.stream.session import Phase, StreamSession

log = logging.getLogger(__name__)

TURN_S: Final = 0.002
"""How long one stream may hold the event loop before the others have their turn."""

PAUSE_S: Final = TURN_S / 10
"""A stream that did nothing for this long begins a new turn: others had theirs."""

NORMAL: Final = 1000
GOING_AWAY: Final = 1001


class Ending(NamedTuple):
    """How a stream ends.

    Attributes:
        reason: for counts and the log: `end`, `client_left`, why it was to leave, or the code of an error.
        close_code: of the close frame; None if the connection is to be cut without one.
        close_reason: in the close frame.
    """

    reason: str
    close_code: int | None
    close_reason: str = ""


class Conversation:
    """A stream's bytes and timers.

    Args:
        name: under which the log knows the stream.
        session: what the messages mean.
        limits: bounds and times.
        clock: seconds that count against a client (`server.process.clock`).
        stopwatch: seconds that work takes.
        behind: whether frames that begin now are to be shed.
        decided: told of every decision, with the seconds since its message came.

    Attributes:
        ending: how it ends; None while it goes on.
        busy: whether a message is still being worked off.
        leaving: why it is to leave; None while it may go on.
        paused: whether the client takes no answers for now: nothing more is to be read from it.
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
        self._until = self._heard_at + limits.stream_s
        self._leave_by = float("inf")
        self.paused = False
        self._blocked_at = 0.0  # since when answers are not taken, while they are not
        self._closed_at = 0.0  # when it ended
        self._opened = False  # whether the first message came
        self._came_at = self._turn_at = self._active_at = stopwatch()  # the message, the turn, what was done last

    @property
    def deadline(self) -> float:
        """When `tick` is to be called, by the clock."""
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
        """Whether the others are to have their turn before anything more is done for this stream."""
        self._active_at = now = self._stopwatch()
        return now - self._turn_at > TURN_S

    def begin_turn(self, *, yielded: bool = False) -> None:
        """Called before anything is done for the stream.

        Args:
            yielded: whether the others had their turn since `turn_over`; else the pause since then says so.
        """
        now = self._stopwatch()
        if yielded or now - self._active_at > PAUSE_S:
            self._turn_at = now

    def receive(self, data: bytes | str) -> list[bytes]:
        """Takes a message; the texts to send at once. More may follow from `work`."""
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
        if self.session.phase is Phase.ENDED:
            self.end(Ending("end", NORMAL))
            return texts
        self.busy = True
        return texts + self.work()

    def work(self) -> list[bytes]:
        """Goes on with the message at hand until it is done or the turn is over; the texts to send."""
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
        """Asks the stream to end after its frame, or after so many seconds; the texts to send.

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
        """Notes that the client takes no answers for now."""
        if not self.paused:
            self.paused, self._blocked_at = True, self._clock()

    def resume(self) -> None:
        """Notes that the client takes answers again."""
        self.paused = False
        self._heard_at = self._clock()  # it could not be heard meanwhile

    def tick(self) -> list[bytes]:
        """Ends what has taken too long; the texts to send."""
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
            return self._refuse(ServiceError("idle", f"nothing came for {limits.idle_s:g} s"))
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
        """Whether all that was to be said has been taken, or will never be: the stream's place is free."""
        return self.ending is not None and (self.ending.close_code is None or not self.paused)

    @property
    def _patience_s(self) -> float:
        """How long the client may say nothing."""
        return self._limits.idle_s if self._opened else self._limits.handshake_s

    def _leave_between_frames(self) -> None:
        if self.session.between_frames:
            self._leave_now()

    def _leave_now(self) -> None:
        reason = self.leaving or ""
        self.end(Ending(reason, GOING_AWAY, reason))

    def _refuse(self, error: ServiceError) -> list[bytes]:
        self.end(Ending(error.code, error.close_code, error.code))
        return [encode_control(Error(error.code, str(error)))]

    def _fail(self) -> list[bytes]:
        log.exception("a stream failed", extra={"facts": {"stream": self.name, "frame": self.session.frame_id}})
        return self._refuse(ServiceError("internal", "the server failed on this stream; it is not the client's fault"))
