"""The link between sensor and service: bandwidth, latency, jitter, and frames that never arrive. Pure; seeded."""

from dataclasses import dataclass

from sensor_sim.sensor import RowGenerators

_LOSS_DRAW = 2**32
"""Counter of the draw that decides whether a frame is lost; larger than the index of any burst."""


@dataclass(frozen=True, slots=True)
class LinkConditions:
    """Quality of a link; messages never overtake each other.

    Attributes:
        bandwidth_bit_s: bits a second towards the service; None: no limit.
        latency_us: delay of each way.
        jitter_us: largest additional delay of each way, evenly distributed from 0.
        frame_loss: share of the frames that are lost as a whole, 0..1.
        service_us: time that the service takes to answer a burst; used in virtual time alone.
        seed: seed of jitter and loss.

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
    """One burst's way to the service; times in us since the stream began.

    Attributes:
        begins_us: time at which the first byte leaves.
        arrives_us: time at which the last byte arrives.
        before_us: time at which the burst before this one arrives.
    """

    begins_us: float
    arrives_us: float
    before_us: float


class Link:
    """A link in use: remembers until when the link is busy, and when the last message arrived."""

    def __init__(self, conditions: LinkConditions) -> None:
        self.conditions = conditions
        # A purpose of its own, so that a link with the sensor's seed doesn't repeat the draws of the sensor's noise.
        self._generators = RowGenerators(conditions.seed, purpose=(1,))
        self._free_us = 0.0
        self._arrived_us = 0.0
        self._answered_us = 0.0

    def loses(self, frame_id: int) -> bool:
        """True if the link loses this frame."""
        return self.conditions.frame_loss > self._generators.of(frame_id, _LOSS_DRAW).random()

    def send(self, ready_us: float, size_bytes: int, frame_id: int, burst_index: int) -> Passage:
        """Sends a burst's message; messages queue for the bandwidth.

        Args:
            ready_us: time at which the message is ready, us since the stream began.
            size_bytes: bytes of the message.
            frame_id, burst_index: the burst; they choose the jitter.

        Returns:
            The times of the message.
        """
        conditions = self.conditions
        begins_us = max(ready_us, self._free_us)
        bandwidth = conditions.bandwidth_bit_s
        self._free_us = begins_us + (8e6 * size_bytes / bandwidth if bandwidth else 0.0)
        delay_us = conditions.latency_us + self._jitter_us(frame_id, burst_index, way=0)
        before_us, self._arrived_us = self._arrived_us, max(self._arrived_us, self._free_us + delay_us)
        return Passage(begins_us, self._arrived_us, before_us)

    def cancel(self, passage: Passage) -> None:
        """Takes back a message that has not begun to leave, and all messages after that one."""
        self._free_us, self._arrived_us = passage.begins_us, passage.before_us

    def answer(self, said_us: float, frame_id: int, burst_index: int) -> float:
        """Time at which an answer that the service gives at `said_us` arrives at the sensor (us since stream began)."""
        delay_us = self.conditions.latency_us + self._jitter_us(frame_id, burst_index, way=1)
        self._answered_us = max(self._answered_us, said_us + delay_us)
        return self._answered_us

    def _jitter_us(self, frame_id: int, burst_index: int, way: int) -> float:
        if not self.conditions.jitter_us:
            return 0.0
        draws = self._generators.of(frame_id, burst_index).random(2)
        return self.conditions.jitter_us * float(draws[way])
