"""A fleet in several regions, stream by stream, in virtual time: sensors, replicas, autoscaler, deploys and losses.

Streams that are alike are counted, not simulated one by one: so a million sensors cost no more than a thousand. What a
stream costs, how a replica admits, what the autoscaler aims at and how clients try again are those of the service, of
deploy/kubernetes and of the client.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import simpy

from sensor_sim.uplink import PING_S, PONG_S, Backoff
from server.process.load import SMOOTHING, TICK_S

ASKED_S: Final = 15.0
"""Between two looks of the autoscaler, as Kubernetes' and KEDA's."""
TOLERANCE: Final = 0.1
"""Kubernetes' autoscaler changes nothing for less than this share."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Aims:
    """Settings of a fleet; the defaults are those of deploy/kubernetes, which a test holds this to.

    Attributes:
        busy: share of its time that a replica is to work.
        streams: streams that a replica is to have.
        busy_limit, max_streams: past which a replica admits no stream.
        least: fewest replicas.
        up_share, up_replicas, up_s: growth in so many seconds, at most the larger of the two.
        down_replicas, down_s: replicas that go in so many seconds.
        calm_s: for which fewer replicas must have been enough before one goes.
        stream_s: after which a stream moves.
        regions: number of regions; replicas and sensors are spread over them evenly.
        pod_s: from the autoscaler's wish until a replica admits streams: a place, an image, a start (assumed).
        noticed_s: until a proxy knows that a replica is there, or gone.
    """

    busy: float = 0.35
    streams: int = 250
    busy_limit: float = 0.6
    max_streams: int = 400
    least: int = 2
    up_share: float = 1.0
    up_replicas: int = 4
    up_s: float = 30.0
    down_replicas: int = 1
    down_s: float = 60.0
    calm_s: float = 600.0
    stream_s: float = 1800.0
    regions: int = 3
    pod_s: float = 20.0
    noticed_s: float = 1.0


@dataclass(slots=True)
class Record:
    """Observations, a value a tick.

    Attributes:
        at_s: time.
        served: streams that are open.
        busy: processor time that all replicas use, cores.
        busiest: share of the busiest replica.
        replicas: replicas that run.
        refused: attempts that no replica took, so far.
        moves: streams begun or begun again, so far.
    """

    at_s: list[float] = field(default_factory=list)
    served: list[float] = field(default_factory=list)
    busy: list[float] = field(default_factory=list)
    busiest: list[float] = field(default_factory=list)
    replicas: list[int] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    moves: list[float] = field(default_factory=list)


class Fleet:
    """Sensors and replicas.

    Args:
        sensors: number of sensors, each with one stream for ever.
        load: gives the processor share of replicas with so many streams each, (replicas,) -> (replicas,).
        open_us: processor time to begin a stream, or to begin it again with a token.
        aims: how the fleet is run.
        backoff: waits of clients before they try again.
        seed: of all chance.

    Attributes:
        environment: the virtual time, seconds.
        record: what was seen.
    """

    def __init__(
        self,
        sensors: int,
        load: Callable[[Floats], Floats],
        open_us: float,
        aims: Aims | None = None,
        backoff: Backoff | None = None,
        seed: int = 0,
    ) -> None:
        self._aims, self._load, self._open_s = aims or Aims(), load, open_us / 1e6
        backoff = backoff or Backoff()
        self._wait_s = np.array(
            [0.5 * min(backoff.most_s, backoff.first_s * 2.0**attempt) for attempt in range(backoff.attempts)]
        )
        self._rng = np.random.default_rng(seed)
        self.environment = simpy.Environment()
        self._waiting = np.zeros(len(self._wait_s))
        """Sensors without a stream, by the attempts that they made since they had one."""
        self._streams = np.zeros(0)
        self._region = np.zeros(0, np.int64)
        self._shown = np.zeros(0)
        """Busy share of each replica as it measures it, smoothed."""
        self._lost = np.zeros(self._aims.regions, bool)
        self._silent = 0.0
        self._coming = 0
        self._wishes: list[tuple[float, int]] = []
        self._went_at = -np.inf
        self.record = Record()
        self._refused = self._moves = 0.0
        self._start(sensors)
        self.environment.process(self._ticks())
        self.environment.process(self._autoscaler())

    def _start(self, sensors: int) -> None:
        """The replicas that the autoscaler would have, with their streams."""
        count = self._aims.least
        while self._wish(np.full(count, sensors / count)) > count:
            count = max(count + 1, self._wish(np.full(count, sensors / count)))
        self._add(count)
        self._streams[:] = np.diff(np.round(np.linspace(0, sensors, count + 1)))
        self._shown[:] = self._load(self._streams)

    def _add(self, count: int) -> None:
        """Replicas in the regions that have fewest."""
        held = np.bincount(self._region, minlength=self._aims.regions).astype(float)
        held[self._lost] = np.inf
        regions = []
        for _ in range(count):
            regions.append(int(held.argmin()))
            held[regions[-1]] += 1
        self._region, new = np.append(self._region, np.array(regions, np.int64)), np.zeros(count)
        self._streams, self._shown = np.append(self._streams, new), np.append(self._shown, new)

    def _drop(self, gone: npt.NDArray[np.bool_]) -> float:
        """Replicas end; returns the number of their streams."""
        streams = float(self._streams[gone].sum())
        self._streams, self._shown = self._streams[~gone], self._shown[~gone]
        self._region = self._region[~gone]
        return streams

    @property
    def replicas(self) -> int:
        """Replicas that run."""
        return len(self._streams)

    @property
    def served(self) -> float:
        """Streams that are open."""
        return float(self._streams.sum())

    @property
    def waiting(self) -> float:
        """Sensors without a stream, those included that have not noticed."""
        return float(self._waiting.sum()) + self._silent

    def _ticks(self) -> Generator[simpy.Event, Any, None]:
        while True:
            self._tick()
            yield self.environment.timeout(TICK_S)

    def _tick(self) -> None:
        """A quarter of a second: streams move, sensors try, replicas work and measure."""
        aims, rng = self._aims, self._rng
        moving = rng.binomial(self._streams.astype(np.int64), min(1.0, TICK_S / aims.stream_s))
        self._streams -= moving
        self._waiting[0] += moving.sum()
        trying = rng.binomial(self._waiting.astype(np.int64), 1 - np.exp(-TICK_S / self._wait_s)).astype(float)
        self._waiting -= trying
        attempts = float(trying.sum())
        taken = self._placed(attempts)
        admitted = float(taken.sum())
        if attempts > admitted:
            counts = trying.astype(np.int64)
            refused = rng.multivariate_hypergeometric(counts, round(attempts - admitted), method="marginals")
            self._waiting[1:] += refused[:-1]
            self._waiting[-1] += refused[-1]
            self._refused += attempts - admitted
        self._streams += taken
        self._moves += admitted
        work = self._load(self._streams) + taken * self._open_s / TICK_S
        self._shown += SMOOTHING * (np.minimum(1.0, work) - self._shown)
        seen = self.record
        seen.at_s.append(self.environment.now)
        seen.served.append(self.served)
        seen.busy.append(float(np.minimum(1.0, work).sum()))
        seen.busiest.append(float(work.max(initial=0.0)))
        seen.replicas.append(len(self._streams))
        seen.refused.append(self._refused)
        seen.moves.append(self._moves)

    def _placed(self, attempts: float) -> Floats:
        """Streams that each replica takes: those with fewest connections first, as the proxies do."""
        taken = np.zeros(len(self._streams))
        open_ = (self._shown < self._aims.busy_limit) & (self._streams < self._aims.max_streams)
        if not attempts or not open_.any():
            return taken
        level = _level(self._streams[open_], attempts)
        taken[open_] = np.clip(np.minimum(level, self._aims.max_streams) - self._streams[open_], 0, None)
        return _whole(taken, attempts)

    def _wish(self, streams: Floats) -> int:
        """Replicas that the autoscaler would have for these."""
        aims = self._aims
        by_busy, by_streams = self._load(streams).sum() / aims.busy, streams.sum() / aims.streams
        return max(aims.least, int(np.ceil(max(by_busy, by_streams) - 1e-9)))

    def _autoscaler(self) -> Generator[simpy.Event, Any, None]:
        aims = self._aims
        while True:
            yield self.environment.timeout(ASKED_S)
            now, held = self.environment.now, self.replicas + self._coming
            by_busy, by_streams = self._shown.sum() / aims.busy, self._streams.sum() / aims.streams
            wish = held if self._tolerates(max(by_busy, by_streams), held) else int(np.ceil(max(by_busy, by_streams)))
            wish = max(aims.least, wish)
            self._wishes = [(at, each) for at, each in self._wishes if at > now - aims.calm_s] + [(now, wish)]
            if wish > held:
                most = held + max(aims.up_share * held, aims.up_replicas) * ASKED_S / aims.up_s
                self.environment.process(self._arrive(min(wish, int(np.ceil(most))) - held))
            elif now >= max(aims.calm_s, self._went_at + aims.down_s):
                calm = max(each for _, each in self._wishes)
                if calm < held:
                    self.retire(min(held - calm, aims.down_replicas))
                    self._went_at = now

    @staticmethod
    def _tolerates(wish: float, held: int) -> bool:
        """True where Kubernetes' autoscaler leaves things as they are."""
        return abs(wish / max(1, held) - 1) <= TOLERANCE

    def _arrive(self, count: int) -> Generator[simpy.Event, Any, None]:
        self._coming += count
        yield self.environment.timeout(self._aims.pod_s + self._aims.noticed_s)
        self._coming -= count
        self._add(count)

    def retire(self, count: int) -> None:
        """The oldest replicas drain: their streams move at once."""
        gone = np.zeros(len(self._streams), bool)
        gone[:count] = True
        self._waiting[0] += self._drop(gone)

    def leave(self, sensors: int) -> None:
        """Sensors end their streams, evenly over the replicas."""
        self._streams = np.floor(self._streams * (1 - sensors / self.served))

    def lose_region(self, region: int) -> None:
        """All replicas of a region end at once, without a word, and none starts there again.

        Their clients notice by pings that nobody answers.
        """
        self._lost[region] = True
        streams = self._drop(self._region == region)
        self._silent += streams
        self.environment.process(self._notice(streams))

    def _notice(self, streams: float) -> Generator[simpy.Event, Any, None]:
        """Clients find that their connection is dead: evenly, as their last ping was sent at any time."""
        yield self.environment.timeout(PONG_S)
        ticks = round(PING_S / TICK_S)
        for share in np.diff(np.round(np.linspace(0, streams, ticks + 1))):
            self._silent -= share
            self._waiting[0] += share
            yield self.environment.timeout(TICK_S)

    def deploy(self, at_once: float) -> Generator[simpy.Event, Any, None]:
        """A rolling deploy: a share of the replicas is added, then as many old ones drain, until all are new."""
        old = self.replicas
        step = max(1, int(np.ceil(at_once * old)))
        while old:
            count = min(step, old)
            yield self.environment.process(self._arrive(count))
            self.retire(count)
            old -= count


def _level(held: Floats, more: float) -> float:
    """The level to which so many more fill up what is held, the lowest first."""
    ordered = np.sort(held)
    levels = (np.cumsum(ordered) + more) / np.arange(1, len(ordered) + 1)
    above = np.append(ordered[1:], np.inf)
    return float(levels[np.argmax(levels <= above)])


def _whole(taken: Floats, most: float) -> Floats:
    """Whole streams, so many in all as `most` allows."""
    whole = np.floor(taken)
    left = int(min(most, round(taken.sum())) - whole.sum())
    if left > 0:
        whole[np.argsort(whole - taken)[:left]] += 1
    return whole


def healed_after_s(record: Record, since_s: float, sensors: int, share: float) -> float | None:
    """Seconds from a moment until so large a share of the sensors has a stream, for good; None: not in the record."""
    at_s, served = np.array(record.at_s), np.array(record.served)
    later = at_s >= since_s
    short = np.flatnonzero(later & (served < share * sensors))
    if not len(short):
        return 0.0
    return None if short[-1] == len(at_s) - 1 else float(at_s[short[-1] + 1] - since_s)
