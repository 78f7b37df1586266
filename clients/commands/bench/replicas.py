"""Replicas message by message, in virtual time: event loops that share cores.

An event loop sleeps until a message is there, takes all that are there, works them off one after the other, and looks
again. Each look costs `wake_us`, each message `message_us`: so a message is cheaper, the busier a loop is.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import simpy

Times = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Costs:
    """What one replica was measured to cost on one core.

    Attributes:
        wake_us: processor time of one look for messages, with the wake-up before it.
        message_us: processor time of one message, with the network's step and the answer.
        idle_us: processor time of a second without messages.
        way_p50_us, way_p99_us: latency of a message beside the replica's work: the kernel's ways and the generator.
    """

    wake_us: float
    message_us: float
    idle_us: float
    way_p50_us: float
    way_p99_us: float


@dataclass(frozen=True, slots=True)
class Served:
    """What a simulation came to.

    Attributes:
        latencies_us: from the arrival of each message to its answer, (messages,), the way not counted.
        busy: share of the time in which each loop worked, (replicas,).
        looks: looks for messages, of all replicas.
    """

    latencies_us: Times
    busy: Times
    looks: int


class _Loop:
    """One event loop."""

    def __init__(self, environment: simpy.Environment, cores: simpy.Resource, costs: Costs) -> None:
        self._environment, self._cores, self._costs = environment, cores, costs
        self._waiting: list[float] = []
        self._asleep: simpy.Event | None = None
        self.latencies_us: list[float] = []
        self.worked_us = 0.0
        self.looks = 0

    def arrivals(self, times_us: Times) -> Generator[simpy.Event, Any, None]:
        """Brings messages in."""
        for time_us in times_us.tolist():
            yield self._environment.timeout(time_us - self._environment.now)
            self._waiting.append(time_us)
            if self._asleep is not None:
                self._asleep.succeed()
                self._asleep = None

    def run(self) -> Generator[simpy.Event, Any, None]:
        """Works."""
        environment, costs = self._environment, self._costs
        while True:
            if not self._waiting:
                self._asleep = environment.event()
                yield self._asleep
            with self._cores.request() as turn:
                yield turn
                yield environment.timeout(costs.wake_us)
                batch, self._waiting = self._waiting, []
                self.looks += 1
                for came_us in batch:
                    yield environment.timeout(costs.message_us)
                    self.latencies_us.append(environment.now - came_us)
            self.worked_us += costs.wake_us + len(batch) * costs.message_us


def serve(arrivals_us: Sequence[Times], costs: Costs, seconds: float, cores: int) -> Served:
    """Simulates replicas on shared cores.

    Args:
        arrivals_us: of each replica, when messages come, sorted, us since the beginning.
        costs: of each replica.
        seconds: time that is simulated; what comes later is not.
        cores: cores that the replicas share; a replica uses one at a time.
    """
    environment = simpy.Environment()
    shared = simpy.Resource(environment, cores)
    loops = [_Loop(environment, shared, costs) for _ in arrivals_us]
    for loop, times_us in zip(loops, arrivals_us, strict=True):
        environment.process(loop.arrivals(times_us))
        environment.process(loop.run())
    environment.run(until=seconds * 1e6)
    latencies = np.array([each for loop in loops for each in loop.latencies_us])
    busy = np.array([loop.worked_us / seconds / 1e6 + costs.idle_us / 1e6 for loop in loops])
    return Served(latencies, busy, sum(loop.looks for loop in loops))


def paced(
    streams: int, frame_rate: float, bursts: int, seconds: float, needed: npt.NDArray[np.int64] | None = None
) -> Times:
    """When the messages of paced streams come to one replica, a burst each, sorted, us.

    The frames of different streams begin at different times, evenly.

    Args:
        streams: number of streams.
        frame_rate: frames a second of each.
        bursts: bursts a frame.
        seconds: time for which they send.
        needed: bursts that each frame needs until its decision, (streams, frames); None: all.
    """
    period_us = 1e6 / frame_rate
    frames = int(np.ceil(seconds * frame_rate)) + 1
    begin = (np.arange(streams) / max(1, streams))[:, None, None] + np.arange(-1, frames - 1)[None, :, None]
    times = (begin + (np.arange(1, bursts + 1) / bursts)[None, None, :]) * period_us
    sent = np.full(times.shape, True)
    if needed is not None:
        sent = np.arange(bursts)[None, None, :] < np.resize(needed, (streams, frames))[:, :, None]
    found: Times = np.sort(times[sent & (times >= 0) & (times < seconds * 1e6)])
    return found


def with_way(latencies_us: Times, costs: Costs, rng: np.random.Generator) -> Times:
    """Latencies with the way added, drawn from a log-normal distribution with the measured p50 and p99."""
    spread = np.log(max(1.0, costs.way_p99_us / costs.way_p50_us)) / 2.326 if costs.way_p50_us > 0 else 0.0
    ways: Times = costs.way_p50_us * np.exp(spread * rng.standard_normal(len(latencies_us)))
    return latencies_us + ways


def fitted(
    low: tuple[int, float], high: tuple[int, float], idle_us: float, frame_rate: float, bursts: int, seconds: float
) -> tuple[float, float]:
    """Costs of a look and of a message that give what was measured at a low and at a high load of one replica.

    Args:
        low, high: number of streams, and processor time a message, us.
        idle_us: processor time of a second without messages.
        frame_rate, bursts, seconds: as `paced`.

    Returns:
        wake_us, message_us
    """
    looks = {low: 1.0, high: 0.5}  # a message
    wake_us = message_us = 0.0
    for _ in range(6):
        wake_us = max(0.0, (low[1] - high[1]) / max(1e-3, looks[low] - looks[high]))
        message_us = max(0.2 * low[1], low[1] - wake_us * looks[low])
        wake_us = min(wake_us, low[1])
        costs = Costs(wake_us, message_us, idle_us, 0.0, 0.0)
        for load in (low, high):
            times = paced(load[0], frame_rate, bursts, seconds)
            looks[load] = serve([times], costs, seconds, 1).looks / max(1, len(times))
    return wake_us, message_us
