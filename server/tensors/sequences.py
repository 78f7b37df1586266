"""Sequences: a frame sent burst by burst over plain HTTP requests (Triton's sequence extension)."""

from collections import OrderedDict
from collections.abc import Callable
from time import monotonic
from typing import Final, NamedTuple

from model.step import Pixels
from sensor_sim.burst import Rows
from server.errors import ServiceError
from server.frame import FrameInProgress
from server.networks import ServedNetwork


class Key(NamedTuple):
    """Key of a sequence.

    Attributes:
        client: name of the client (`server.process.addresses.client_of`).
        model: name of the model.
        sequence_id: id that the client has chosen.
    """

    client: str
    model: str
    sequence_id: int | str


FRAME_ID: Final = 0
"""Number of a sequence's frame; a sequence has one frame."""


def read_on(network: ServedNetwork, frame: FrameInProgress, rows: Pixels, first_burst: int | None = None) -> None:
    """Reads consecutive bursts of a frame; bursts that the policy skips or no longer needs change nothing.

    Args:
        network: the network of the frame.
        frame: the frame.
        rows: (n * burst_rows, W, 3) uint8.
        first_burst: index of the first burst; None: the one after the last burst that came.

    Raises:
        ServiceError: `out_of_order`, `wrong_geometry`; the frame is then unchanged.
    """
    first = frame.received if first_burst is None else first_burst
    runtime = network.runtime
    frame.accept(Rows(FRAME_ID, first, len(rows) // runtime.config.BURST_ROWS, 0, rows))
    while (wanted := frame.rows_to_step()) is not None:
        frame.advance(runtime.step(wanted, frame.hidden))


class Sequences:
    """The sequences under way, bounded in number and in idle time.

    Args:
        most: most sequences at a time; as many expired ones are remembered.
        idle_s: time without a request after which a sequence is dropped; decided ones also if another needs the room.
        clock: clock, seconds.
    """

    def __init__(self, most: int, idle_s: float, clock: Callable[[], float] = monotonic) -> None:
        self._most, self._idle_s, self._clock = most, idle_s, clock
        self._live: OrderedDict[Key, tuple[float, FrameInProgress]] = OrderedDict()  # the longest idle first
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

    def start(self, key: Key, sequence: FrameInProgress) -> None:
        """Keeps a new sequence.

        Raises:
            ServiceError: see `check_free`.
        """
        self.check_free(key)
        self._expired.pop(key, None)
        if len(self._live) >= self._most and (done := self._done()):
            self._drop(done)
        self._keep(key, sequence)

    def find(self, key: Key) -> FrameInProgress:
        """The frame of a sequence under way; the sequence's idle time begins anew.

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
        """Forgets a sequence."""
        self._live.pop(key, None)

    def _keep(self, key: Key, sequence: FrameInProgress) -> None:
        self._live[key] = (self._clock(), sequence)
        self._live.move_to_end(key)

    def _expire(self) -> None:
        oldest = self._clock() - self._idle_s
        while self._live:
            key, (used, _) = next(iter(self._live.items()))
            if used > oldest:
                return
            self._drop(key)

    def _drop(self, key: Key) -> None:
        del self._live[key]
        self._expired[key] = None
        self._expired.move_to_end(key)
        if len(self._expired) > self._most:
            self._expired.popitem(last=False)

    def _done(self) -> Key | None:
        """The decided sequence that is idle longest, to be dropped where there is no room; None if there is none."""
        return next((key for key, (_, sequence) in self._live.items() if sequence.over), None)
