"""Suite `fleet`: what many sensors need, from a simulation that is held to measured replicas.

What a message costs one replica is measured at several rates; the simulation then says what one, two and four replicas
use under a load in between and how late they are, which is measured too. Replicas share one core, generators another.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from clients.commands.bench.exit_times import exit_times
from clients.commands.bench.load import Idle, Load, Measured
from clients.commands.bench.plan import Plan
from clients.commands.bench.processes import Generator, Server, service
from clients.commands.bench.regions import Aims, Fleet, Floats, healed_after_s
from clients.commands.bench.replicas import Costs, Way, paced, serve
from clients.commands.bench.server_process import ServerProcess
from clients.commands.bench.websocket_frames import frame_prefix
from clients.commands.table import Table, number, percent
from model.config import VARIANTS, RaScaNetConfig
from sensor_sim.wire import HEADER

FRAME_RATE = 3.0
RATES = (500.0, 1000.0, 2000.0, 6000.0)
"""Bursts a second offered to one replica, to measure the costs of a message."""
QUIET_RATE, COMPARED_RATE = 1000.0, 3000.0
"""Offered to all replicas together: to measure the way of a message, and to compare."""
LOST_AT_S, DEPLOYED_AT_S, WATCHED_S = 30.0, 30.0, 300.0
NEARLY_FULL = 0.75
"""Busy share up to which loads are simulated; beyond it every message costs its work alone."""
AT_ONCE = 0.25
"""Share of the replicas in a rolling deploy, for the table."""
POLICIES = ("never", "calibrated")


@dataclass(frozen=True, slots=True)
class Compared:
    """Measured and simulated, for some replicas.

    Attributes:
        measured: what was measured.
        busy, p99_us: the same, simulated.
    """

    measured: "Loaded"
    busy: float
    p99_us: float


def run(plan: Plan) -> dict[str, Any]:
    """Measures replicas, fits their costs, compares, and simulates fleets."""
    rows = []
    for variant in plan.variants:
        config = VARIANTS[variant]
        measured = _measure(plan, variant)
        costs = measured.costs
        shares = {policy: share_of(config, costs, policy, plan.simulated_s) for policy in POLICIES}
        rows.append(
            {
                "variant": variant,
                "costs": asdict(costs),
                "open_us": measured.open_us,
                "compared": [asdict(_compared(plan, config, costs, *each)) for each in measured.together],
                "fleets": [_fleet(config, shares[policy], measured.open_us, sensors, policy)
                           for sensors in plan.sensors for policy in POLICIES],
                "aims": [_aim(shares["calibrated"], measured.open_us, plan.sensors[-1], busy) for busy in (0.35, 0.5)],
            }
        )  # fmt: skip
    return {"rows": rows}


def _streams(config: RaScaNetConfig, bursts_s: float) -> int:
    """Paced streams that offer about so many bursts a second."""
    return max(1, round(bursts_s / FRAME_RATE / config.bursts_per_frame))


def _load(plan: Plan, server: Server, variant: str, streams: int) -> Load:
    return Load(
        port=server.port, pid=server.pid, echo=False, variant=variant, streams=streams, bursts_per_message=1,
        frame_rate=FRAME_RATE, warmup_s=plan.warmup_s + 1 / FRAME_RATE, seconds=plan.fleet_s,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Loaded:
    """Replicas under a load: the least of several measurements, since other work on the machine only adds.

    Attributes:
        replicas, streams: number of them, streams of all together.
        busy: processor time over time, of all replicas.
        message_us: processor time of a message, less that of a replica without streams.
        p50_us, p99_us: from the sending of a burst's message to its answer.
    """

    replicas: int
    streams: int
    busy: float
    message_us: float
    p50_us: float
    p99_us: float


@dataclass(frozen=True, slots=True)
class Measurements:
    """Measurements of one network.

    Attributes:
        costs: of one replica.
        together: one and more replicas: with little to do, and with the load to compare.
        open_us: processor time to begin a stream, with its first burst.
    """

    costs: Costs
    together: list[tuple[Loaded, Loaded]]
    open_us: float


def _measure(plan: Plan, variant: str) -> Measurements:
    """All loads in turns, again and again, on the same replicas."""
    config = VARIANTS[variant]
    loads = [(1, rate) for rate in RATES]
    loads += [(replicas, rate) for replicas in plan.fleet_replicas for rate in (QUIET_RATE, COMPARED_RATE)]
    found: list[list[list[Measured]]] = [[] for _ in loads]
    most = max(plan.fleet_replicas)
    with ExitStack() as stack, ThreadPoolExecutor(most) as threads:
        servers = [stack.enter_context(service([variant])) for _ in range(most)]
        generators = [stack.enter_context(Generator()) for _ in range(most)]

        def load(replicas: int, rate: float) -> list[Measured]:
            asked = _load(plan, servers[0], variant, _streams(config, rate / replicas))
            futures = [
                threads.submit(generator.measure, replace(asked, port=server.port, pid=server.pid))
                for generator, server in zip(generators[:replicas], servers, strict=False)
            ]
            return [future.result() for future in futures]

        load(most, QUIET_RATE)  # what is made once, is made
        idle_us = _idle_us(servers, plan.fleet_s)
        for _ in range(plan.fleet_rounds):
            for measured, each in zip(found, loads, strict=True):
                measured.append(load(*each))
        before = ServerProcess(servers[0].pid).cpu_s() * 1e6
        generators[0].measure_idle(Idle(servers[0].port, servers[0].pid, variant, (plan.opened_streams,)))
        open_us = (ServerProcess(servers[0].pid).cpu_s() * 1e6 - before) / plan.opened_streams
    all_loaded = [
        _loaded(replicas, replicas * _streams(config, rate / replicas), measured, idle_us)
        for measured, (replicas, rate) in zip(found, loads, strict=True)
    ]
    alone, together = all_loaded[: len(RATES)], all_loaded[len(RATES) :]
    rates = tuple(each.streams * FRAME_RATE * config.bursts_per_frame for each in alone)
    costs = Costs(rates, tuple(each.message_us for each in alone), idle_us)
    return Measurements(costs, list(zip(together[::2], together[1::2], strict=True)), open_us)


def _idle_us(servers: Sequence[Server], seconds: float) -> float:
    """Processor time of a replica in a second without streams."""
    before = sum(ServerProcess(server.pid).cpu_s() * 1e6 for server in servers)
    time.sleep(seconds)
    return (sum(ServerProcess(server.pid).cpu_s() * 1e6 for server in servers) - before) / seconds / len(servers)


def _loaded(replicas: int, streams: int, rounds: list[list[Measured]], idle_us: float) -> Loaded:
    answered = [found for found in rounds if all(each.kept_up for each in found)] or rounds

    def least(of: Callable[[list[Measured]], float]) -> float:
        return min(map(of, answered))

    messages_s = statistics.median(sum(each.messages / each.seconds for each in found) for found in answered)
    busy = least(lambda found: sum(each.server_cpu_s for each in found) / sum(each.messages for each in found))
    busy *= messages_s
    p50_us, p99_us = (least(lambda found, at=at: max(each.latencies_us[at] for each in found)) for at in (0, 2))  # type: ignore[misc]
    return Loaded(replicas, streams, busy, max(0.0, busy * 1e6 - replicas * idle_us) / messages_s, p50_us, p99_us)


def _simulated_us(
    plan: Plan, config: RaScaNetConfig, costs: Costs, measured: Loaded
) -> tuple[float, npt.NDArray[np.float64]]:
    """The busy shares together, and the latencies without the way, of replicas as they were measured."""
    each = measured.streams // measured.replicas
    times = paced(each, FRAME_RATE, config.bursts_per_frame, plan.simulated_s)
    shift_us = 1e6 / FRAME_RATE / config.bursts_per_frame / measured.streams
    arrivals = [times + number * shift_us for number in range(measured.replicas)]
    served = serve(arrivals, costs, plan.simulated_s, 1)
    return float(served.busy.sum()), served.latencies_us


def _compared(plan: Plan, config: RaScaNetConfig, costs: Costs, quiet: Loaded, measured: Loaded) -> Compared:
    """Simulates the replicas that were measured, with the way that messages had when there was little to do."""
    own_us = float(np.percentile(_simulated_us(plan, config, costs, quiet)[1], 50))
    p50_us = max(1.0, quiet.p50_us - own_us)
    way = Way(p50_us, max(p50_us, quiet.p99_us - own_us))
    busy, latencies_us = _simulated_us(plan, config, costs, measured)
    late_us = latencies_us + way.draw(np.random.default_rng(0), len(latencies_us))
    return Compared(measured, busy, float(np.percentile(late_us, 99)))


def share_of(config: RaScaNetConfig, costs: Costs, policy: str, seconds: float) -> Callable[[Floats], Floats]:
    """The busy share of replicas by their streams, from simulations of a single replica with several loads.

    Args:
        config: the network.
        costs: of a replica.
        policy: `never`, or `calibrated`: exits as they were measured.
        seconds: longest time that is simulated with each load.
    """
    bursts, rng = config.bursts_per_frame, np.random.default_rng(1)
    grid, shares, work = [0.0], [costs.idle_us / 1e6], 0.0
    while shares[-1] < NEARLY_FULL:
        streams = 1 if len(grid) == 1 else round(2 * grid[-1])
        needed = None if policy == "never" else exit_times(config.name).draw(rng, 64 * streams)
        times = paced(streams, FRAME_RATE, bursts, seconds, needed)
        rate = len(times) / seconds
        work = costs.at(rate, rate) * rate / 1e6 / streams
        grid.append(float(streams))
        shares.append(float(serve([times], costs, seconds, 1).busy[0]))

    def share(held: Floats) -> Floats:
        inside: Floats = np.interp(held, grid, shares)
        return inside + np.maximum(0.0, held - grid[-1]) * work

    return share


def message_bytes(config: RaScaNetConfig) -> int:
    """Bytes of a burst's message, with the websocket's frame."""
    size = HEADER.size + config.BURST_ROWS * config.width * config.INPUT_CHANNELS
    return size + len(frame_prefix(2, size))


def _fleet(
    config: RaScaNetConfig, share: Callable[[Floats], Floats], open_us: float, sensors: int, policy: str
) -> dict[str, Any]:
    """Table of the replicas that numbers of sensors need, and of the loss of a region and a deploy."""
    ratio = 1.0 if policy == "never" else exit_times(config.name).processed_ratio
    lost = Fleet(sensors, share, open_us)
    messages = sensors * FRAME_RATE * config.bursts_per_frame * ratio
    lost.environment.run(until=LOST_AT_S)
    before = lost.replicas, lost.record.busy[-1]
    lost.lose_region(0)
    lost.environment.run(until=LOST_AT_S + WATCHED_S)
    deployed = Fleet(sensors, share, open_us)
    deployed.environment.run(until=DEPLOYED_AT_S)
    deploying = deployed.environment.process(deployed.deploy(AT_ONCE))
    deployed.environment.run(until=deploying)
    deploy_s = deployed.environment.now - DEPLOYED_AT_S
    deployed.environment.run(until=deployed.environment.now + 60)
    return {
        "sensors": sensors, "policy": policy, "replicas": before[0], "cores": before[1], "messages_s": messages,
        "bytes_s": messages * message_bytes(config),
        "healed_s": {str(each): healed_after_s(lost.record, LOST_AT_S, sensors, each) for each in (0.99, 0.999)},
        "busiest": max(lost.record.busiest), "refused": lost.record.refused[-1],
        "deploy_s": deploy_s,
        "deploy_least_served": min(deployed.record.served[round(DEPLOYED_AT_S / 0.25):]) / sensors,
    }  # fmt: skip


def _aim(share: Callable[[Floats], Floats], open_us: float, sensors: int, busy: float) -> dict[str, Any]:
    """The loss of a region in fleets that are run with more or less in reserve."""
    usual = Aims()
    aims = replace(usual, busy=busy, streams=round(usual.streams * busy / usual.busy))
    fleet = Fleet(sensors, share, open_us, aims)
    fleet.environment.run(until=LOST_AT_S)
    replicas = fleet.replicas
    fleet.lose_region(0)
    fleet.environment.run(until=LOST_AT_S + WATCHED_S)
    return {
        "busy": busy, "sensors": sensors, "replicas": replicas, "busiest": max(fleet.record.busiest),
        "healed_s": healed_after_s(fleet.record, LOST_AT_S, sensors, 0.999), "refused": fleet.record.refused[-1],
    }  # fmt: skip


def tables(result: dict[str, Any]) -> list[Table]:
    """Costs, comparison, needs, and the loss of a region."""
    rows = result["rows"]
    return [_costs_table(rows), _compared_table(rows), _needs_table(rows), _faults_table(rows), _aims_table(rows)]


brief = tables


def _costs_table(rows: list[dict[str, Any]]) -> Table:
    return Table(
        "A replica, as measured",
        ("variant", *(f"us a message\nat {rate:g}/s" for rate in RATES), "ms a second\nwithout streams",
         "us to begin\na stream"),
        [
            (row["variant"], *map(number, row["costs"]["message_us"]), number(row["costs"]["idle_us"] / 1e3),
             number(row["open_us"]))
            for row in rows
        ],
        (f"Processor time on one core, paced streams of {FRAME_RATE:g} frames a second, a burst a message, `progress` "
         "for every burst.",),
    )  # fmt: skip


def _compared_table(rows: list[dict[str, Any]]) -> Table:
    cells = []
    for row in rows:
        for each in row["compared"]:
            measured = each["measured"]
            cells.append(
                (row["variant"], str(measured["replicas"]), str(measured["streams"]), percent(measured["busy"]),
                 percent(each["busy"]), f"{each['busy'] / measured['busy'] - 1:+.0%}", number(measured["p99_us"] / 1e3),
                 number(each["p99_us"] / 1e3), number(each["p99_us"] / measured["p99_us"]))
            )  # fmt: skip
    return Table(
        "Simulated beside measured",
        ("variant", "replicas", "streams", "measured\nCPU", "simulated\nCPU", "off by", "measured\np99 ms",
         "simulated\np99 ms", "simulated\n/ measured"),
        cells,
        ("All replicas share one core, and the generators another; the streams are spread over the replicas. "
         "Each figure is the least of its rounds.",),
    )  # fmt: skip


def _needs_table(rows: list[dict[str, Any]]) -> Table:
    cells = []
    for row in rows:
        reading_all = {each["sensors"]: each for each in row["fleets"] if each["policy"] == "never"}
        for each in row["fleets"]:
            whole = reading_all[each["sensors"]]
            cells.append(
                (row["variant"], f"{each['sensors']:,}", each["policy"], number(each["messages_s"]),
                 number(each["bytes_s"] / 1e6), number(each["cores"]), f"{each['replicas']:,}",
                 percent(1 - each["cores"] / whole["cores"]), percent(1 - each["replicas"] / whole["replicas"]))
            )  # fmt: skip
    return Table(
        "What sensors need, simulated",
        ("variant", "sensors", "policy", "messages/s", "MB/s in", "cores\nworking", "replicas of\na core each",
         "cores that\nexits save", "replicas that\nexits save"),
        cells,
        (f"{FRAME_RATE:g} frames a second each, a burst a message; replicas as the autoscaler's aims want them; exits "
         "as measured on photographs under the shipped certificate. MB/s: messages with their headers.",),
    )  # fmt: skip


def _faults_table(rows: list[dict[str, Any]]) -> Table:
    cells = [
        (row["variant"], f"{each['sensors']:,}", _seconds(each["healed_s"]["0.99"]),
         _seconds(each["healed_s"]["0.999"]), percent(each["busiest"]), number(each["refused"]),
         _seconds(each["deploy_s"]), f"{each['deploy_least_served']:.2%}")
        for row in rows
        for each in row["fleets"]
        if each["policy"] == "calibrated"
    ]  # fmt: skip
    return Table(
        "One of three regions lost, and a rolling deploy, simulated",
        ("variant", "sensors", "99 % have\na stream, s", "99.9 %\ns", "busiest\nreplica", "attempts\nrefused",
         "deploy\ns", "least share\nwith a stream"),
        cells,
        (f"Policy calibrated. Clients of the lost region notice by pings; a new pod takes 20 s, and "
         f"a deploy {AT_ONCE:.0%} of the replicas at a time (both assumed).",),
    )  # fmt: skip


def _aims_table(rows: list[dict[str, Any]]) -> Table:
    return Table(
        "One of three regions lost, by what is kept in reserve",
        ("variant", "busy share\naimed at", "sensors", "replicas", "99.9 % have\na stream, s", "busiest\nreplica",
         "attempts\nrefused"),
        [
            (row["variant"], percent(each["busy"]), f"{each['sensors']:,}", f"{each['replicas']:,}",
             _seconds(each["healed_s"]), percent(each["busiest"]), number(each["refused"]))
            for row in rows
            for each in row["aims"]
        ],
    )  # fmt: skip


def _seconds(value: float | None) -> str:
    return f"over {WATCHED_S:g}" if value is None else number(value)
