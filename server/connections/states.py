"""The states of a connection, and the moment at which each of them ends.

A connection is in one state at any time, and each state has a deadline. So no client can keep a connection by silence,
by slowness, or by any other behaviour:

    TLS_HANDSHAKE -> BEFORE_HEAD -> IN_HEAD -> IN_BODY -> ANSWERING <-> UNREAD -> IDLE -> IN_HEAD ...
                                       |          |           |
                                       |          +-----------+--> REFUSED -> IDLE or CLOSING
                                       +--> UPGRADING -> STREAMING
    every state -> CLOSING -> gone

Without TLS, TLS_HANDSHAKE is the turn of the loop between the moment a connection is accepted and counted, and the
moment it can be read from.

Two kinds of deadlines: the time in a state, and the pace of the bytes in it. A state with a pace is cut into windows
of `send_s`; each window has to bring `min_bytes_per_s` on average. So a body that comes byte by byte ends after the
first window, and does not hold its place for all of `request_s`.

`RULES` says for each state which setting bounds it and how it ends. Nothing here reads a clock or does any I/O: time
is an argument, and it stands still while the service does
(`server.process.clock`).
"""

from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from typing import Final

from server.settings import Settings

LINGER_S: Final = 2.0
"""Time for bytes that a client still sends after its refusal: cutting at once may lose the answer (RFC 9112, 9.6)."""


class State(StrEnum):
    """State of a connection; the values are labels of the metric `rascanet_connections`."""

    TLS_HANDSHAKE = "tls_handshake"
    BEFORE_HEAD = "before_head"
    IN_HEAD = "in_head"
    IN_BODY = "in_body"
    ANSWERING = "answering"
    UNREAD = "unread"
    IDLE = "idle"
    REFUSED = "refused"
    UPGRADING = "upgrading"
    STREAMING = "streaming"
    CLOSING = "closing"


class End(Enum):
    """End of a state whose time is up."""

    REFUSE = auto()
    """Answer 408, then `REFUSED`."""
    CLOSE = auto()
    """Send the bytes already written, then `CLOSING`."""
    ABORT = auto()
    """Drop the connection, with the bytes that are written and not taken."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Bounds of one state.

    Attributes:
        end: end of the state when its time is up.
        bounds: settings whose seconds add up to the state's time.
        times: factor of that sum.
        extra_s: seconds added to it.
        paced: true if each window of `send_s` must bring `min_bytes_per_s`.
    """

    end: End
    bounds: tuple[str, ...] = ()
    times: int = 1
    extra_s: float = 0.0
    paced: bool = False

    def most_s(self, settings: Settings) -> float:
        """Longest time in the state, seconds; infinite where the pace alone bounds the state."""
        if not self.bounds and not self.extra_s:
            return float("inf")
        return self.times * sum(float(getattr(settings, name)) for name in self.bounds) + self.extra_s


RULES: Final[dict[State, Rule]] = {
    State.TLS_HANDSHAKE: Rule(End.ABORT, ("handshake_s",)),
    State.BEFORE_HEAD: Rule(End.CLOSE, ("handshake_s",)),
    State.IN_HEAD: Rule(End.REFUSE, ("handshake_s",)),
    State.IN_BODY: Rule(End.REFUSE, ("request_s",), paced=True),
    # Work begins within `request_s` of the head and is then a picture or a tensor: twice that is a task that hangs.
    State.ANSWERING: Rule(End.ABORT, ("request_s",), times=2),
    State.UNREAD: Rule(End.ABORT, paced=True),
    State.IDLE: Rule(End.CLOSE, ("keep_alive_s",)),
    State.REFUSED: Rule(End.CLOSE, extra_s=LINGER_S),
    State.UPGRADING: Rule(End.ABORT, ("handshake_s",)),
    # The conversation ends earlier, by deadlines of its own: `handshake_s`, `idle_s`, `ping_s`, `send_s`.
    State.STREAMING: Rule(End.ABORT, ("stream_s", "drain_s", "send_s", "idle_s")),
    State.CLOSING: Rule(End.ABORT, paced=True),
}
"""The rule of each state."""


class Life:
    """The state of one connection, its start, and the bytes that came or were taken in the current window.

    Args:
        settings: the bounds.
        state: the first state.
        now: time now, seconds, on the clock of every other `now`.
    """

    __slots__ = ("_moved_bytes", "_rule", "_settings", "_until", "_window", "state")

    def __init__(self, settings: Settings, state: State, now: float) -> None:
        self._settings = settings
        self.enter(state, now)

    def enter(self, state: State, now: float) -> None:
        """Begins a state; may be the current state again."""
        self.state = state
        self._rule = RULES[state]
        self._until = now + self._rule.most_s(self._settings)
        self.hold(now)

    def moved(self, size_bytes: int) -> None:
        """Counts bytes of a body that came, or of an answer that were taken."""
        self._moved_bytes += size_bytes

    def hold(self, now: float) -> None:
        """Begins a new window; for pauses in which the service read nothing, which don't count against the client."""
        self._window, self._moved_bytes = now, 0

    def end(self, now: float) -> End | None:
        """The end that the state must come to now; None while the state may go on."""
        if now >= self._until:
            return self._rule.end
        window_s = self._settings.send_s
        if self._rule.paced and now - self._window >= window_s:
            if self._moved_bytes < self._settings.min_bytes_per_s * window_s:
                return self._rule.end
            self.hold(now)
        return None
