"""Replicas message by message, in virtual time: event loops that share cores.

A message costs less, the busier a loop and its core are: neither has gone to sleep, and caches hold what it needs. Its
cost is measured at several rates of one loop on a core of its own, and taken from that curve. Where loops share a core,
half of the warmth is the loop's and half the core's: the curve is read at the geometric mean of their rates. That form
was chosen by what two and four replicas were measured to cost.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import simpy

Times = npt.NDArray[np.float64]

P99_SIGMAS = 2.326
"""Standard deviations from the median of a normal distribution to its 99th percentile."""


@dataclass(frozen=True, slots=True)
class Costs:
    """Measured cost of one replica on one core.

    Attributes:
        rates: messages a second at which the cost of one was measured, rising.
        message_us: processor time of a message at each of these rates, with the network's step and the answer.
        idle_us: processor time of a second without streams.
    """

    rates: tuple[float, ...]
    message_us: tuple[float, ...]
    idle_us: float

    def at(self, rate: float, core_rate: float) -> float:
        """Processor time of a message, us, of a loop and a core with so many messages a second."""
        seen = np.log(np.sqrt(max(1e-9, rate) * max(1e-9, core_rate)))
        return float(np.interp(seen, np.log(self.rates), self.message_us))


@dataclass(frozen=True, slots=True)
class Served:
    """Result of a simulation.

    Attributes:
        latencies_us: from the arrival of each message to its answer, (messages,).
        busy: share of the time in which each loop worked, (replicas,).
    """

    latencies_us: Times
    busy: Times


class _Loop:
    """One event loop: works messages off in the order in which they came."""

    def __init__(self, environment: simpy.Environment, cores: simpy.Resource, message_us: float) -> None:
        self._environment, self._cores, self._message_us = environment, cores, message_us
        self._waiting: list[float] = []
        self._asleep: simpy.Event | None = None
        self.latencies_us: list[float] = []

    def arrivals(self, times_us: Times) -> Generator[simpy.Event, Any, None]:
        """Brings messages in."""
        for time_us in times_us.tolist():
            yield self._environment.timeout(time_us - self._environment.now)
            self._waiting.append(time_us)
            if self._asleep is not None:
                self._asleep.succeed()
                self._asleep = None

    def run(self) -> Generator[simpy.Event, Any, None]:
        """Works: all messages that are there, then another loop of the core may have its turn."""
        environment = self._environment
        while True:
            if not self._waiting:
                self._asleep = environment.event()
                yield self._asleep
            with self._cores.request() as turn:
                yield turn
                batch, self._waiting = self._waiting, []
                for came_us in batch:
                    yield environment.timeout(self._message_us)
                    self.latencies_us.append(environment.now - came_us)


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
    of_core = sum(map(len, arrivals_us)) / seconds / min(cores, len(arrivals_us))
    each_us = [costs.at(len(times) / seconds, of_core) for times in arrivals_us]
    loops = [_Loop(environment, shared, message_us) for message_us in each_us]
    for loop, times_us in zip(loops, arrivals_us, strict=True):
        environment.process(loop.arrivals(times_us))
        environment.process(loop.run())
    environment.run(until=seconds * 1e6)
    latencies = np.array([each for loop in loops for each in loop.latencies_us])
    worked_us = np.array([len(loop.latencies_us) * each for loop, each in zip(loops, each_us, strict=True)])
    return Served(latencies, (worked_us / seconds + costs.idle_us) / 1e6)


def paced(
    streams: int, frame_rate: float, bursts: int, seconds: float, needed: npt.NDArray[np.int64] | None = None
) -> Times:
    """Times at which the messages of paced streams come to one replica, a burst each, sorted, us.

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


@dataclass(frozen=True, slots=True)
class Way:
    """Latency of a message beside the work of its replica: of the kernel, of the generator, of the machine.

    Attributes:
        p50_us, p99_us: quantiles.
    """

    p50_us: float
    p99_us: float

    def draw(self, rng: np.random.Generator, messages: int) -> Times:
        """Latencies of some messages, (messages,), log-normal with these quantiles."""
        spread = np.log(max(1.0, self.p99_us / self.p50_us)) / P99_SIGMAS
        found: Times = self.p50_us * np.exp(spread * rng.standard_normal(messages))
        return found
