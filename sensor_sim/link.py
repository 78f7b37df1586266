"""What lies between sensor and service: bandwidth, latency, jitter, and frames that never arrive. Pure; seeded."""

from dataclasses import dataclass

from sensor_sim.sensor import RowGenerators

_LOSS_DRAW = 2**32
"""Place, beyond every burst's, from which a frame's fate is drawn."""


@dataclass(frozen=True, slots=True)
class LinkConditions:
    """How good the link is; the order of what it carries never changes.

    Attributes:
        bandwidth_bit_s: towards the service; None: no limit.
        latency_us: each way.
        jitter_us: up to so much more, each way, evenly distributed.
        frame_loss: share of the frames that are lost as a whole, 0..1.
        service_us: time until the service answers a burst; in virtual time only, in real time it takes what it takes.
        seed: of jitter and loss.

    Raises:
        ValueError: a negative time, no bandwidth at all, or a share outside 0..1.
    """

    bandwidth_bit_s: float | None = None
    latency_us: float = 0.0
    jitter_us: float = 0.0
    frame_loss: float = 0.0
    service_us: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.latency_us, self.jitter_us, self.service_us) < 0:
            raise ValueError(f"latency_us, jitter_us and service_us must not be negative, not {self}")
        if self.bandwidth_bit_s is not None and not self.bandwidth_bit_s > 0:
            raise ValueError(f"bandwidth_bit_s must be above 0, not {self.bandwidth_bit_s}")
        if not 0 <= self.frame_loss <= 1:
            raise ValueError(f"frame_loss must be in 0..1, not {self.frame_loss}")


@dataclass(frozen=True, slots=True)
class Passage:
    """One burst's way to the service: when its first byte leaves, when its last byte arrives (us).

    `before_us` is when the one before it arrives.
    """

    begins_us: float
    arrives_us: float
    before_us: float


class Link:
    """A link in use: remembers until when it is busy, and what has arrived."""

    def __init__(self, conditions: LinkConditions) -> None:
        self.conditions = conditions
        self._generators = RowGenerators(conditions.seed, purpose=(1,))  # not the draws of the sensor's noise
        self._free_us = 0.0
        self._arrived_us = 0.0
        self._answered_us = 0.0

    def loses(self, frame_id: int) -> bool:
        """Whether this frame is one of those that are lost."""
        return self.conditions.frame_loss > self._generators.of(frame_id, _LOSS_DRAW).random()

    def send(self, ready_us: float, size_bytes: int, frame_id: int, burst_index: int) -> Passage:
        """The way of a message that is ready then; messages queue for the bandwidth."""
        conditions = self.conditions
        begins_us = max(ready_us, self._free_us)
        bandwidth = conditions.bandwidth_bit_s
        self._free_us = begins_us + (8e6 * size_bytes / bandwidth if bandwidth else 0.0)
        delay_us = conditions.latency_us + self._jitter_us(frame_id, burst_index, way=0)
        before_us, self._arrived_us = self._arrived_us, max(self._arrived_us, self._free_us + delay_us)
        return Passage(begins_us, self._arrived_us, before_us)

    def cancel(self, passage: Passage) -> None:
        """Takes back a message that has not begun to leave, and all after it."""
        self._free_us, self._arrived_us = passage.begins_us, passage.before_us

    def answer(self, said_us: float, frame_id: int, burst_index: int) -> float:
        """When an answer that the service gave then is with the sensor (us)."""
        delay_us = self.conditions.latency_us + self._jitter_us(frame_id, burst_index, way=1)
        self._answered_us = max(self._answered_us, said_us + delay_us)
        return self._answered_us

    def _jitter_us(self, frame_id: int, burst_index: int, way: int) -> float:
        if not self.conditions.jitter_us:
            return 0.0
        draws = self._generators.of(frame_id, burst_index).random(2)
        return self.conditions.jitter_us * float(draws[way])
