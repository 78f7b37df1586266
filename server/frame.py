"""One frame, burst by burst: the order of its bursts, the rows that the network sees, and the decision. No I/O.

A stream's frame and a sequence of the Open Inference Protocol are both a `FrameInProgress`:

    frame.accept(rows)
    while (pixels := frame.rows_to_step()) is not None:
        for outcome in frame.advance(runtime.step(pixels, frame.hidden)): ...

Order
-----

A frame has T bursts, 0 to T - 1. Two numbers tell its progress:

- `received`: the burst after the last one that came. The sensor sends this burst next.
- `scan.next_burst`: the burst that the network looks at next. It is one beyond `received` when the policy skips the
  burst that would come next; that burst may then be sent or left out. It is T when the frame is over.

So the treatment of rows depends on their first burst alone:

    frame         first burst                    then
    ------------  -----------------------------  ------------------------------------------------------------
    over          any                            dropped: the rows were on their way when the frame ended
    in progress   below `received`               `out_of_order`: the burst came before
    in progress   `received` to `next_burst`     taken; a burst that is skipped but sent is not looked at
    in progress   beyond both                    `out_of_order`: a burst is missing that was not skipped

A frame that is over can be under *audit*: the network then looks at the rest of it too, where the rest comes in order;
rows that come otherwise are dropped. The audit tells whether the whole frame would have been decided alike.

A frame is over when it is *decided* (the policy exits, or the last burst is processed or skipped), or when it is
*given up* without a decision, by the client or by a service that is behind.
"""

from typing import Final, Self

import msgspec
import numpy as np

from model.exit_policy import PERSON_FROM, ExitPolicy, State
from model.preprocess import rgb_rows
from model.scan import FrameScan
from model.step import Hidden, Pixels, StepResult, StepRuntime
from sensor_sim.burst import PixelFormat, Rows
from server.errors import ServiceError

RGB8: Final = PixelFormat.RGB8
"""Looked up once: an enumeration's members are slow to find."""

BurstOutcome = tuple[int, float, float, int | None]
"""A processed burst: its index, P(person) and confidence after it (0..1), and the burst that the policy skips next, or
None. A plain tuple, since one is made for every burst of every stream."""


class FrameState(msgspec.Struct, frozen=True):
    """State of a frame in progress, as a resume token carries it; a new field needs a new `tokens.VERSION`.

    Attributes:
        next_burst, last_burst, p_person, processed, skipped, policy_state: fields of the frame's `FrameScan`.
        compute_us: time that the network took so far.
        hidden: bytes of the hidden state, in the runtime's shape and dtype, little-endian.
        audit_burst: the burst that the audit of a decided frame wants next; None for a frame that is not decided.
    """

    next_burst: int
    last_burst: int
    p_person: float
    processed: int
    skipped: int
    policy_state: State
    compute_us: float
    hidden: bytes
    audit_burst: int | None = None


class FrameInProgress:
    """One frame under one exit policy.

    Args:
        runtime: the network; gives sizes and the first hidden state, and is not run here.
        policy: the exit policy.

    Attributes:
        scan: progress of the frame.
        hidden: hidden state, in the runtime's shape and dtype; `runtime.step` advances it.
        received: index of the burst after the last one that came.
        over: true if no more bursts are looked at.
        given_up: true if the frame ended without a decision.
        compute_us: time that the network took over the frame's bursts.
        last: the network's last result; None before the first burst.
        audit_burst: the burst that the audit wants next; None where no audit is under way.
    """

    __slots__ = (
        "_burst_rows", "_first", "_name", "_rows", "_turn_rows", "_whole_turn_rows", "_width",
        "audit_burst", "compute_us", "given_up", "hidden", "last", "over", "received", "scan",
    )  # fmt: skip

    def __init__(self, runtime: StepRuntime, policy: ExitPolicy) -> None:
        config = runtime.config
        self.scan = FrameScan(config.bursts_per_frame, policy)
        self.hidden: Hidden = runtime.initial_hidden()
        self.received = 0
        self.over = self.given_up = False
        self.compute_us = 0.0
        self.last: StepResult | None = None
        self.audit_burst: int | None = None
        self._name, self._width, self._burst_rows = config.name, config.width, config.BURST_ROWS
        self._whole_turn_rows = config.BURST_ROWS * runtime.turn_bursts
        self._turn_rows = config.BURST_ROWS if policy.acts else self._whole_turn_rows
        # Rows that are accepted and not stepped yet, and the index of their first burst.
        self._rows: Pixels | None = None
        self._first = 0

    @property
    def decided(self) -> bool:
        """True if the frame has a decision."""
        return self.over and not self.given_up

    @property
    def next_burst(self) -> int:
        """The burst that the network looks at next; T once the frame is over."""
        return self.scan.bursts_per_frame if self.over else self.scan.next_burst

    def accept(self, rows: Rows) -> None:
        """Accepts bursts; may be called only when `rows_to_step` returns None.

        Raises:
            ServiceError: `wrong_geometry`, `out_of_order`; the frame is then unchanged.
        """
        count, width, _ = rows.rows.shape
        raw = rows.pixel_format is not RGB8
        if raw:
            count -= 2 * rows.pixel_format.halo_rows
        if width != self._width or count != rows.bursts * self._burst_rows:
            raise ServiceError(
                "wrong_geometry",
                f"{rows.bursts} bursts of {self._name} are {rows.bursts * self._burst_rows} rows of {self._width} px, "
                f"not {count} of {width} px",
            )
        first, end, scan = rows.first_burst, rows.first_burst + rows.bursts, self.scan
        if end > scan.bursts_per_frame:
            raise ServiceError(
                "out_of_order", f"a frame has {scan.bursts_per_frame} bursts; number {end - 1} is beyond it"
            )
        wanted = max(self.received, scan.next_burst)
        if self.over:
            if first != self.audit_burst:
                return
        elif not self.received <= first <= wanted:
            raise ServiceError("out_of_order", f"burst {first} of frame {rows.frame_id} came, burst {wanted} is next")
        self.received = end
        self._first = first
        self._rows = rgb_rows(rows.rows, rows.pixel_format, first * self._burst_rows) if raw else rows.rows

    def rows_to_step(self) -> Pixels | None:
        """The rows for the next step of the network, (n * burst_rows, W, 3) uint8; None if no rows are left.

        One burst where the policy can act, else up to `runtime.turn_bursts`.
        """
        rows = self._rows
        if rows is None:
            return None
        next_burst = self.audit_burst
        if next_burst is None:
            if self.over:
                self._rows = None
                return None
            next_burst = self.scan.next_burst
        start = (next_burst - self._first) * self._burst_rows
        end = start + self._turn_rows
        if end >= len(rows):
            self._rows = None
        if start >= len(rows):
            return None
        return rows[start:end] if start or end < len(rows) else rows

    def advance(self, result: StepResult, compute_us: float = 0.0) -> list[BurstOutcome]:
        """Records the network's result for the rows of `rows_to_step`.

        Args:
            result: the network's result.
            compute_us: time that the step took.

        Returns:
            An outcome for each processed burst.
        """
        scan = self.scan
        self.last = result
        self.compute_us += compute_us
        outcomes = []
        outputs = result.outputs
        for p_person, confidence in zip(outputs[3::4], outputs[2::4]):  # noqa: B905 - as many of each
            skipped = scan.advance(p_person, confidence)
            outcomes.append((scan.last_burst, p_person, confidence, skipped))
        self.over = scan.decided
        return outcomes

    def begin_audit(self) -> None:
        """Lets the network look at the rest of the frame, which an exit has decided."""
        self.audit_burst = self.scan.next_burst
        self._turn_rows = self._whole_turn_rows

    def advance_audit(self, result: StepResult) -> bool | None:
        """Records the network's result for rows after the decision.

        Returns:
            True if the whole frame is decided as it was at the exit, else false; None before the end of the frame.
        """
        if self.audit_burst is None:
            raise RuntimeError("no audit is under way; ask `audit_burst` first")
        self.audit_burst += len(result.p_person)
        if self.audit_burst < self.scan.bursts_per_frame:
            return None
        self.end_audit()
        return (result.p_person[-1] >= PERSON_FROM) == self.scan.person

    def end_audit(self) -> None:
        """Ends the audit; nothing of the frame is looked at any more."""
        self.audit_burst = None
        self._rows = None

    def give_up(self) -> None:
        """Ends the frame without a decision; a frame that is decided stays decided."""
        self.given_up = not self.scan.decided
        self.over = True
        self.end_audit()

    def state(self) -> FrameState | None:
        """The state with which the frame or its audit is resumed elsewhere; None once both are over."""
        if self.over and self.audit_burst is None:
            return None
        scan = self.scan
        return FrameState(
            next_burst=scan.next_burst,
            last_burst=scan.last_burst,
            p_person=scan.p_person,
            processed=scan.processed,
            skipped=scan.skipped,
            policy_state=scan.policy_state,
            compute_us=self.compute_us,
            hidden=self.hidden.astype(self.hidden.dtype.newbyteorder("<"), copy=False).tobytes(),
            audit_burst=self.audit_burst,
        )

    @classmethod
    def resume(cls, runtime: StepRuntime, policy: ExitPolicy, state: FrameState | None) -> Self:
        """Makes the frame that gave this state; a frame that is over if `state` is None.

        Raises:
            ValueError: the state is of another network.
        """
        frame = cls(runtime, policy)
        if state is None:
            frame.give_up()
            return frame
        scan = frame.scan
        scan.next_burst, scan.last_burst, scan.p_person = state.next_burst, state.last_burst, state.p_person
        scan.processed, scan.skipped, scan.policy_state = state.processed, state.skipped, state.policy_state
        frame.received = state.last_burst + 1
        if state.audit_burst is not None:
            scan.exited = frame.over = True
            frame.begin_audit()
            frame.audit_burst = state.audit_burst
        frame.compute_us = state.compute_us
        little = frame.hidden.dtype.newbyteorder("<")
        frame.hidden[...] = np.frombuffer(state.hidden, little).reshape(frame.hidden.shape)
        return frame
