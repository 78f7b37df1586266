"""One frame under one exit policy: the bursts that are processed, and the decision. Pure."""

from collections.abc import Callable
from dataclasses import dataclass

from model.exit_policy import PERSON_FROM, START, ExitPolicy, Seen, State, Verdict
from model.step import Pixels, StepResult, StepRuntime


@dataclass(slots=True)
class FrameScan:
    """Progress of the reading of one frame.

    Attributes:
        bursts_per_frame: number of bursts, T.
        policy: the exit policy, asked after each burst.
        next_burst: index of the next burst to process; T once none is left.
        last_burst: index of the last burst processed; -1 before the first.
        p_person: P(person) after `last_burst`, 0..1.
        processed, skipped: number of bursts processed and skipped so far.
        exited: true if the policy ended the scan before the end of the frame.
        policy_state: the policy's memory.
    """

    bursts_per_frame: int
    policy: ExitPolicy
    next_burst: int = 0
    last_burst: int = -1
    p_person: float = 0.0
    processed: int = 0
    skipped: int = 0
    exited: bool = False
    policy_state: State = START

    @property
    def decided(self) -> bool:
        return self.exited or self.next_burst == self.bursts_per_frame

    @property
    def person(self) -> bool:
        return self.p_person >= PERSON_FROM

    @property
    def unread(self) -> int:
        """Number of bursts after the decision, which need not be read; 0 before the decision."""
        return self.bursts_per_frame - self.processed - self.skipped if self.decided else 0

    @property
    def processed_ratio(self) -> float:
        return self.processed / self.bursts_per_frame

    def advance(self, p_person: float, confidence: float) -> int | None:
        """Records the network's output for burst `next_burst` and asks the policy.

        Args:
            p_person: P(person) after that burst, 0..1.
            confidence: P(the decision at that burst is the final one), 0..1.

        Returns:
            The index of the burst that the policy skips now; None if it skips none.
        """
        self.last_burst = self.next_burst
        self.p_person = p_person
        self.processed += 1
        self.next_burst += 1
        if not self.policy.acts or self.decided:
            return None
        seen = Seen(self.next_burst / self.bursts_per_frame, p_person, confidence)
        verdict, self.policy_state = self.policy.verdict(seen, self.policy_state)
        if verdict is Verdict.EXIT:
            self.exited = True
        elif verdict is Verdict.SKIP_NEXT:
            self.skipped += 1
            self.next_burst += 1
            return self.next_burst - 1
        return None


Observer = Callable[[int, StepResult], None]
"""Called with the index of the first burst of a step, and the step's result."""


def scan_frame(
    runtime: StepRuntime, frame: Pixels, policy: ExitPolicy, observer: Observer = lambda _burst, _result: None
) -> FrameScan:
    """Reads a whole frame (H, W, 3) uint8 RGB, burst by burst, as a stream would; see `scan_to_last`."""
    return scan_to_last(runtime, frame, policy, observer)[0]


def scan_to_last(
    runtime: StepRuntime, frame: Pixels, policy: ExitPolicy, observer: Observer = lambda _burst, _result: None
) -> tuple[FrameScan, StepResult]:
    """Reads a whole frame as `scan_frame`; returns the network's last result too.

    Args:
        runtime: the network.
        frame: (H, W, 3) uint8 RGB of the network's size.
        policy: the exit policy.
        observer: called after each step.

    Raises:
        ValueError: a frame of another shape or dtype than the network's.
    """
    config = runtime.config
    if frame.shape != config.frame_shape:
        raise ValueError(f"a frame must be uint8 {config.frame_shape}, not {frame.dtype} {frame.shape}")
    scan = FrameScan(config.bursts_per_frame, policy)
    hidden = runtime.initial_hidden()
    bursts = 1 if policy.acts else config.bursts_per_frame
    while not scan.decided:
        first = scan.next_burst * config.BURST_ROWS
        result = runtime.step(frame[first : first + bursts * config.BURST_ROWS], hidden)
        observer(scan.next_burst, result)
        for p_person, confidence in zip(result.p_person, result.confidence, strict=True):
            scan.advance(p_person, confidence)
    return scan, result
