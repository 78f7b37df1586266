"""Sequences: streams of those who have no websocket, one request a time (Triton's sequence extension)."""

from collections import OrderedDict
from collections.abc import Callable
from time import monotonic
from typing import Any

import numpy as np

from model.step import Floats, Pixels
from sensor_sim.wire import Control, Decision, Hello, Progress, Rows, Skip
from server.errors import ServiceError
from server.networks import Networks
from server.settings import Limits, Settings
from server.stream.session import StreamSession

FRAME_ID = 0

_LIMITS = Limits(**{name: Settings.model_fields[name].default for name in Limits.model_fields})

Key = tuple[str, int | str]


class Sequence:
    """One frame that comes burst by burst, on the session of a stream: the same order, skips and decision.

    Attributes:
        logits: (2,) float32 after the last burst processed, no person before person.
        last: what the session said about it.
        processed, skipped: bursts so far.
        next_burst: the next one that the network looks at, `bursts_per_frame` once there is none.
        decision: once the frame is decided.

    Raises:
        ServiceError: a variant or policy that can't be had.
    """

    def __init__(self, models: Networks, variant: str, policy: dict[str, Any]) -> None:
        self._session = StreamSession(models, _LIMITS, None)
        self._session.receive(Hello(variant, policy, progress_every=1))
        self._received = 0
        self.logits: Floats = np.zeros(2, np.float32)
        self.last = Progress(FRAME_ID, 0, 0.0, 0.0)
        self.processed = self.skipped = self.next_burst = 0
        self.decision: Decision | None = None

    def advance(self, rows: Pixels, first_burst: int | None = None) -> None:
        """Takes consecutive bursts; those that the policy skips or doesn't need any more change nothing.

        Args:
            rows: (n * 5, W, 3) uint8.
            first_burst: index of the first of them; the one after those that came before if None.

        Raises:
            ServiceError: `out_of_order`, `wrong_geometry`; nothing has changed.
        """
        session = self._session
        first = self._received if first_burst is None else first_burst
        bursts = len(rows) // session.runtime.config.BURST_ROWS
        session.receive(Rows(FRAME_ID, first, bursts, 0, rows))
        self._received = max(self._received, first + bursts)
        while (wanted := session.rows_to_step()) is not None:
            result = session.runtime.step(wanted, session.hidden)
            self.logits = result.logits[-1]
            for reply in session.advance(result):
                self._note(reply)

    def _note(self, reply: Control) -> None:
        if isinstance(reply, Progress):
            self.last = reply
            self.processed += 1
            self.next_burst = reply.burst_index + 1
        elif isinstance(reply, Skip):
            self.skipped += 1
            self.next_burst = reply.burst_index + 1
        elif isinstance(reply, Decision):
            self.decision = reply
            self.next_burst = self._session.runtime.config.bursts_per_frame


class Sequences:
    """The sequences under way, bounded in number and in idle time.

    Args:
        most: at a time; as many expired ones are remembered.
        idle_s: one without a request for this long is dropped.
        clock: seconds.
    """

    def __init__(self, most: int, idle_s: float, clock: Callable[[], float] = monotonic) -> None:
        self._most, self._idle_s, self._clock = most, idle_s, clock
        self._live: OrderedDict[Key, tuple[float, Sequence]] = OrderedDict()  # the longest idle first
        self._expired: OrderedDict[Key, None] = OrderedDict()

    def __len__(self) -> int:
        self._expire()
        return len(self._live)

    def start(self, key: Key, sequence: Sequence) -> None:
        """Keeps a new sequence, in place of one of the same key.

        Raises:
            ServiceError: `too_many_sequences`.
        """
        self._expire()
        if key not in self._live and len(self._live) >= self._most:
            raise ServiceError(
                "too_many_sequences", f"{self._most} sequences are under way; end one, or try again later"
            )
        self._expired.pop(key, None)
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
                f"the sequence {str(key[1])[:80]!r} had no request for {self._idle_s:g} s and was dropped",
            )
        raise ServiceError(
            "unknown_sequence", f"there is no sequence {str(key[1])[:80]!r}; its first request has sequence_start"
        )

    def end(self, key: Key) -> None:
        """Forgets a sequence."""
        self._live.pop(key, None)

    def _keep(self, key: Key, sequence: Sequence) -> None:
        self._live[key] = (self._clock(), sequence)
        self._live.move_to_end(key)

    def _expire(self) -> None:
        oldest = self._clock() - self._idle_s
        while self._live:
            key, (used, _) = next(iter(self._live.items()))
            if used > oldest:
                return
            del self._live[key]
            self._expired[key] = None
            self._expired.move_to_end(key)
            if len(self._expired) > self._most:
                self._expired.popitem(last=False)
