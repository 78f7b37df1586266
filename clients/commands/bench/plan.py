"""Extent of a run of `rascanet bench`."""

from dataclasses import dataclass
from pathlib import Path

from model.config import VARIANTS


@dataclass(frozen=True, slots=True)
class Plan:
    """Measurements of a run, and their durations.

    Attributes:
        variants: names of the networks.
        rounds: interleaved rounds; every contender gets one turn in each.
        turn_s: a contender's turn in the suites `step` and `frames`.
        batches: independent streams advanced together in the suite `step`.
        frames: decoded frames in a batch of the suite `frames`; `torch_batches`: batch sizes tried on torch.
        compiled: true if torch's compiled forms are measured too (compiling takes a minute).
        load_s, paced_s: a turn under load in the suite `stream`, unpaced and paced.
        warmup_s: before every load; doesn't count.
        closed_streams: numbers of streams that send as fast as they are answered.
        paced_streams: numbers of streams that send a frame a second.
        idle_streams: from how many to how many idle streams the memory is compared.
        chunks: bursts in a message.
        sustain_s: time for which the number of real-time streams must hold; `probe_s` during the search.
        pictures: files in the suite `pictures`; `distinct_pictures` of them differ.
        browser_loads: loads of each contender in the suite `browser`.
        starts: starts of the service.
        fleet_rounds: measurements of each load in the suite `fleet`, each of `fleet_s`.
        fleet_replicas: numbers of replicas that are measured beside the simulation.
        opened_streams: streams begun to measure the cost of a beginning.
        simulated_s: virtual time for which each load of a replica is simulated.
        sensors: numbers of sensors whose fleets are simulated.
        beside: checkout of another version, whose service is measured in the same run; None: no other.
        photos: folder of photographs on which the suite `step` says how right integers are; None: the suite doesn't.
    """

    variants: tuple[str, ...] = tuple(VARIANTS)
    rounds: int = 9
    turn_s: float = 0.2
    batches: tuple[int, ...] = (1, 32)
    frames: int = 32
    torch_batches: tuple[int, ...] = (1, 8, 32)
    compiled: bool = True
    load_s: float = 0.7
    paced_s: float = 5.0
    warmup_s: float = 0.3
    closed_streams: tuple[int, ...] = (1, 50)
    paced_streams: tuple[int, ...] = (200, 800)
    idle_streams: tuple[int, int] = (100, 800)
    chunks: tuple[int, ...] = (1, 6)
    sustain_s: float = 60.0
    probe_s: float = 4.0
    pictures: int = 10_000
    distinct_pictures: int = 250
    browser_loads: int = 5
    starts: int = 5
    fleet_rounds: int = 7
    fleet_s: float = 1.5
    fleet_replicas: tuple[int, ...] = (1, 2, 4)
    opened_streams: int = 300
    simulated_s: float = 4.0
    sensors: tuple[int, ...] = (1000, 10_000, 100_000, 1_000_000)
    beside: Path | None = None
    photos: Path | None = None


SMOKE = Plan(
    variants=("105x120",),
    rounds=2,
    turn_s=0.01,
    batches=(1,),
    frames=2,
    torch_batches=(2,),
    compiled=False,
    load_s=0.2,
    paced_s=0.5,
    warmup_s=0.1,
    closed_streams=(2,),
    paced_streams=(3,),
    idle_streams=(2, 12),
    sustain_s=0.3,
    probe_s=0.2,
    pictures=40,
    distinct_pictures=4,
    browser_loads=1,
    starts=1,
    fleet_rounds=1,
    fleet_s=0.3,
    fleet_replicas=(1, 2),
    opened_streams=5,
    simulated_s=0.4,
    sensors=(1000,),
)
"""Every suite in seconds: shows that they work, not how fast anything is."""
