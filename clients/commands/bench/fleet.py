"""Suite `fleet`: what many sensors need, from a simulation that is held to measured replicas.

A replica's costs are measured at a low and at a high load; the simulation then says what one, two and four replicas
with a load in between use and how late they are, which is measured too. Replicas share one core, generators another.
"""

import statistics
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import psutil

from clients.commands.bench.exit_times import exit_times
from clients.commands.bench.generator import frame_prefix
from clients.commands.bench.load import Idle, Load, Measured
from clients.commands.bench.plan import Plan
from clients.commands.bench.processes import Generator, Server, service
from clients.commands.bench.regions import Aims, Fleet, Floats, healed_after_s
from clients.commands.bench.replicas import Costs, fitted, paced, serve, with_way
from clients.commands.table import Table, number, percent
from model.config import VARIANTS, RaScaNetConfig
from sensor_sim.wire import HEADER

FRAME_RATE = 3.0
LOW_BURSTS_S, HIGH_BURSTS_S, MIDDLE_BURSTS_S = 1000.0, 6000.0, 3000.0
"""Offered to measure the costs; and, to all replicas together, to compare."""
LOST_AT_S, DEPLOYED_AT_S, WATCHED_S = 30.0, 30.0, 300.0
NEARLY_FULL = 0.75
"""Busy share up to which loads are simulated; beyond it every message costs its work alone."""
AT_ONCE = 0.25
"""Of the replicas in a rolling deploy, for the table."""
POLICIES = ("never", "calibrated")


@dataclass(frozen=True, slots=True)
class Compared:
    """Measured and simulated, for some replicas.

    Attributes:
        replicas, streams: number of them, streams of all together.
        busy: processor time over time, of all replicas; each measurement.
        p99_us: from the sending of a burst's message to its answer; each measurement.
        simulated_busy, simulated_p99_us: the same, simulated.
    """

    replicas: int
    streams: int
    busy: tuple[float, ...]
    p99_us: tuple[float, ...]
    simulated_busy: float
    simulated_p99_us: float


def run(plan: Plan) -> dict[str, Any]:
    """Measures a replica, compares, and simulates fleets."""
    rows = []
    for variant in plan.variants:
        config = VARIANTS[variant]
        costs, open_us = _measure(plan, variant)
        compared = [_compare(plan, variant, costs, replicas) for replicas in plan.fleet_replicas]
        shares = {policy: share_of(config, costs, policy, plan.simulated_s) for policy in POLICIES}
        rows.append(
            {
                "variant": variant,
                "costs": asdict(costs),
                "open_us": open_us,
                "compared": [asdict(each) for each in compared],
                "fleets": [_fleet(config, shares[policy], open_us, sensors, policy)
                           for sensors in plan.sensors for policy in POLICIES],
                "aims": [_aim(shares["calibrated"], open_us, plan.sensors[-1], busy) for busy in (0.35, 0.5)],
            }
        )  # fmt: skip
    return {"rows": rows}


def _streams(config: RaScaNetConfig, bursts_s: float) -> int:
    """Paced streams that offer about so many bursts a second."""
    return max(1, round(bursts_s / FRAME_RATE / config.bursts_per_frame))


def _load(plan: Plan, server: Server, variant: str, streams: int) -> Load:
    return Load(
        port=server.port, pid=server.pid, echo=False, variant=variant, streams=streams, bursts_per_message=1,
        frame_rate=FRAME_RATE, warmup_s=plan.warmup_s + 1 / FRAME_RATE, seconds=plan.paced_s,
    )  # fmt: skip


def _message_us(measured: list[Measured], idle_us: float) -> float:
    """Processor time of a message, us: the median of the measurements."""
    return statistics.median(
        (each.server_cpu_s * 1e6 - idle_us * each.seconds) / max(1, each.messages) for each in measured
    )


def _cpu_us(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system) * 1e6


def _measure(plan: Plan, variant: str) -> tuple[Costs, float]:
    """Costs of a replica, and of the beginning of a stream, us."""
    config = VARIANTS[variant]
    low, high = _streams(config, LOW_BURSTS_S), _streams(config, HIGH_BURSTS_S)
    found: dict[int, list[Measured]] = {low: [], high: []}
    with service([variant]) as server, Generator() as generator:
        generator.measure(_load(plan, server, variant, low))  # what is made once, is made
        idle_us = _idle_us(server, plan)
        for _ in range(plan.fleet_rounds):
            for streams, measured in found.items():
                measured.append(generator.measure(_load(plan, server, variant, streams)))
        before = _cpu_us(server.pid)
        generator.measure_idle(Idle(server.port, server.pid, variant, (plan.opened_streams,)))
        opened_us = _cpu_us(server.pid) - before
    low_us, high_us = (_message_us(found[streams], idle_us) for streams in (low, high))
    open_us = max(0.0, opened_us / plan.opened_streams - low_us)
    wake_us, message_us = fitted(
        (low, low_us), (high, high_us), idle_us, FRAME_RATE, config.bursts_per_frame, plan.simulated_s
    )
    costs = Costs(wake_us, message_us, idle_us, 0.0, 0.0)
    p50_us, p99_us = (statistics.median(each.latencies_us[at] for each in found[low]) for at in (0, 2))
    at_low = serve(
        [paced(low, FRAME_RATE, config.bursts_per_frame, plan.simulated_s)], costs, plan.simulated_s, 1
    ).latencies_us
    way_p50_us = max(1.0, p50_us - float(np.percentile(at_low, 50)))
    way_p99_us = max(way_p50_us, p99_us - float(np.percentile(at_low, 50)))
    return replace(costs, way_p50_us=way_p50_us, way_p99_us=way_p99_us), open_us


def _idle_us(server: Server, plan: Plan) -> float:
    """Processor time of a second without streams."""
    before = _cpu_us(server.pid)
    psutil.cpu_percent(plan.paced_s)  # waits
    return (_cpu_us(server.pid) - before) / plan.paced_s


@contextmanager
def _services(variant: str, count: int) -> Iterator[list[tuple[Server, Generator]]]:
    with ExitStack() as stack:
        yield [
            (stack.enter_context(service([variant])), stack.enter_context(Generator())) for _ in range(count)
        ]  # fmt: skip


def _compare(plan: Plan, variant: str, costs: Costs, replicas: int) -> Compared:
    """Measures some replicas at once, and simulates them."""
    config = VARIANTS[variant]
    each = max(1, round(_streams(config, MIDDLE_BURSTS_S) / replicas))
    busy, p99_us = [], []
    with _services(variant, replicas) as running, ThreadPoolExecutor(replicas) as threads:
        for _ in range(plan.fleet_rounds):
            asked = [
                threads.submit(generator.measure, _load(plan, server, variant, each)) for server, generator in running
            ]
            found = [future.result() for future in asked]
            busy.append(sum(measured.server_cpu_s / measured.seconds for measured in found))
            p99_us.append(statistics.median(measured.latencies_us[2] for measured in found))
    times = paced(each, FRAME_RATE, config.bursts_per_frame, plan.simulated_s)
    shift_us = 1e6 / FRAME_RATE / config.bursts_per_frame / each / replicas
    served = serve([times + number * shift_us for number in range(replicas)], costs, plan.simulated_s, 1)
    latencies_us = with_way(served.latencies_us, costs, np.random.default_rng(0))
    return Compared(
        replicas, each * replicas, tuple(busy), tuple(p99_us), float(served.busy.sum()),
        float(np.percentile(latencies_us, 99)),
    )  # fmt: skip


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
        work = len(times) * costs.message_us / 1e6 / seconds / streams
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
    """What so many sensors need, and what the loss of a region and a deploy do to them."""
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
    fleet = Fleet(sensors, share, open_us, Aims(busy=busy, streams=10_000))
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
        ("variant", "us a look\nfor messages", "us a message", "ms a second\nwithout streams", "us to begin\na stream",
         "way p50\nms", "way p99\nms"),
        [
            (row["variant"], number(row["costs"]["wake_us"]), number(row["costs"]["message_us"]),
             number(row["costs"]["idle_us"] / 1e3), number(row["open_us"]),
             number(row["costs"]["way_p50_us"] / 1e3), number(row["costs"]["way_p99_us"] / 1e3))
            for row in rows
        ],
        (f"One core, paced streams of {FRAME_RATE:g} frames a second, a burst a message, `progress` for every burst; "
         f"fitted at {LOW_BURSTS_S:g} and {HIGH_BURSTS_S:g} bursts a second. The way is latency beside the replica.",),
    )  # fmt: skip


def _compared_table(rows: list[dict[str, Any]]) -> Table:
    cells = []
    for row in rows:
        for each in row["compared"]:
            busy, p99_us = statistics.median(each["busy"]), statistics.median(each["p99_us"])
            cells.append(
                (row["variant"], str(each["replicas"]), str(each["streams"]), percent(busy),
                 percent(each["simulated_busy"]), f"{each['simulated_busy'] / busy - 1:+.0%}", number(p99_us / 1e3),
                 number(each["simulated_p99_us"] / 1e3), number(each["simulated_p99_us"] / p99_us))
            )  # fmt: skip
    return Table(
        "Simulated beside measured",
        ("variant", "replicas", "streams", "measured\nCPU", "simulated\nCPU", "off by", "measured\np99 ms",
         "simulated\np99 ms", "times"),
        cells,
        ("All replicas share one core, and the generators another; the streams are spread over the replicas. "
         "Median of the rounds.",),
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
        (f"Policy calibrated. Clients of the lost region notice by pings; new pods take 20 s (assumed). "
         f"Deploy: {AT_ONCE:.0%} of the replicas at a time.",),
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
