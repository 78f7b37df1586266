"""Sequences: a frame sent burst by burst over plain HTTP requests (Triton's sequence extension)."""

from collections import OrderedDict
from collections.abc import Callable
from time import monotonic
from typing import Final, NamedTuple

from model.exit_policy import Policy
from model.step import Pixels
from sensor_sim.burst import Rows
from server.audit_counts import Outcome
from server.audits import Audits
from server.errors import ServiceError
from server.frame import FrameInProgress
from server.frame_audits import FrameAudits
from server.networks import ServedNetwork


class Key(NamedTuple):
    """Key of a sequence.

    Attributes:
        client: name of the client (`server.connections.addresses.client_of`).
        model: name of the model.
        sequence_id: id that the client has chosen.
    """

    client: str
    model: str
    sequence_id: int | str


FRAME_ID: Final = 0
"""Number of a sequence's frame; a sequence has one frame."""


class Sequence:
    """A frame that comes request by request, and the audit of its exit.

    Args:
        network: the network of the frame.
        policy: the exit policy that the client asked for.
        audits: draws and counts audits of decisions under a certificate.

    Attributes:
        frame: the frame.
    """

    def __init__(self, network: ServedNetwork, policy: Policy, audits: Audits) -> None:
        self._runtime, self._audits = network.runtime, FrameAudits(policy, audits)
        self.frame = FrameInProgress(network.runtime, self._audits.policy)

    @property
    def audited(self) -> bool:
        """True while the rest of the decided frame is wanted, as a check of its exit."""
        return self.frame.audit_burst is not None

    @property
    def next_burst(self) -> int:
        """The burst that the network looks at next; T once nothing of the frame is wanted."""
        return self.frame.next_burst if self.frame.audit_burst is None else self.frame.audit_burst

    def read_on(self, rows: Pixels, first_burst: int | None = None) -> None:
        """Reads consecutive bursts of the frame; bursts that the policy skips or no longer needs change nothing.

        Args:
            rows: (n * burst_rows, W, 3) uint8.
            first_burst: index of the first burst; None: the one after the last burst that came.

        Raises:
            ServiceError: `out_of_order`, `wrong_geometry`; the frame is then unchanged.
        """
        frame, runtime = self.frame, self._runtime
        first = frame.received if first_burst is None else first_burst
        frame.accept(Rows(FRAME_ID, first, len(rows) // runtime.config.BURST_ROWS, 0, rows))
        while (wanted := frame.rows_to_step()) is not None:
            result = runtime.step(wanted, frame.hidden)
            if self.audited:
                self._audits.advance(frame, FRAME_ID, result)
            else:
                frame.advance(result)
                if frame.decided:
                    self._audits.draw(frame, FRAME_ID)

    def leave(self, outcome: Outcome) -> None:
        """Ends the audit that is under way, if there is one: nothing comes any more."""
        self._audits.leave(self.frame, FRAME_ID, outcome)


class Sequences:
    """The sequences under way, bounded in number and in idle time.

    Args:
        most: most sequences at a time; as many expired ones are remembered.
        idle_s: time without a request after which a sequence is dropped; decided ones also if another needs the room.
        clock: clock, seconds.
    """

    def __init__(self, most: int, idle_s: float, clock: Callable[[], float] = monotonic) -> None:
        self._most, self._idle_s, self._clock = most, idle_s, clock
        self._live: OrderedDict[Key, tuple[float, Sequence]] = OrderedDict()  # the longest idle first
        self._expired: OrderedDict[Key, None] = OrderedDict()

    def __len__(self) -> int:
        self._expire()
        return len(self._live)

    def check_free(self, key: Key) -> None:
        """Checks that a sequence of this key can start.

        Raises:
            ServiceError: `sequence_in_use`, `too_many_sequences`.
        """
        self._expire()
        if key in self._live:
            raise ServiceError(
                "sequence_in_use",
                f"the sequence {str(key.sequence_id)[:80]!r} is under way; end it, choose another sequence_id, "
                f"or wait until it had no request for {self._idle_s:g} s",
            )
        if len(self._live) >= self._most and self._done() is None:
            raise ServiceError(
                "too_many_sequences", f"{self._most} sequences are under way; end one, or try again later"
            )

    def start(self, key: Key, sequence: Sequence) -> None:
        """Keeps a new sequence.

        Raises:
            ServiceError: see `check_free`.
        """
        self.check_free(key)
        self._expired.pop(key, None)
        if len(self._live) >= self._most and (done := self._done()):
            self._drop(done, Outcome.INTERRUPTED)
        self._keep(key, sequence)

    def find(self, key: Key) -> Sequence:
        """A sequence under way; its idle time begins anew.

        Raises:
            ServiceError: `sequence_expired`, `unknown_sequence`.
        """
        self._expire()
        if key in self._live:
            sequence = self._live[key][1]
            self._keep(key, sequence)
            return sequence
        if key in self._expired:
            raise ServiceError(
                "sequence_expired",
                f"the sequence {str(key.sequence_id)[:80]!r} was dropped: it had no request for {self._idle_s:g} s, "
                "or was decided and another one needed its room",
            )
        raise ServiceError(
            "unknown_sequence",
            f"there is no sequence {str(key.sequence_id)[:80]!r}; its first request has sequence_start",
        )

    def end(self, key: Key) -> None:
        """Forgets a sequence; an audit that lacks its rest is unsent."""
        if key in self._live:
            self._live.pop(key)[1].leave(Outcome.UNSENT)

    def _keep(self, key: Key, sequence: Sequence) -> None:
        self._live[key] = (self._clock(), sequence)
        self._live.move_to_end(key)

    def _expire(self) -> None:
        oldest = self._clock() - self._idle_s
        while self._live:
            key, (used, _) = next(iter(self._live.items()))
            if used > oldest:
                return
            self._drop(key, Outcome.UNSENT)

    def _drop(self, key: Key, audit: Outcome) -> None:
        """Forgets a sequence and remembers that it was there; `audit`: fate of an audit that lacks its rest."""
        self._live.pop(key)[1].leave(audit)
        self._expired[key] = None
        self._expired.move_to_end(key)
        if len(self._expired) > self._most:
            self._expired.popitem(last=False)

    def _done(self) -> Key | None:
        """The decided sequence that is idle longest, to be dropped where there is no room; None if there is none."""
        return next((key for key, (_, sequence) in self._live.items() if sequence.frame.over), None)
