"""Suite `stream`: the service under load, beside a bare echo on uvicorn's own stack and one on the service's own."""

import statistics
from contextlib import ExitStack
from dataclasses import asdict
from itertools import product
from typing import Any

from clients.commands.bench.load import BUSY_LIMIT, Idle, Load, Measured
from clients.commands.bench.machine import version_of
from clients.commands.bench.plan import Plan
from clients.commands.bench.processes import Generator, Server, echo, service
from clients.commands.bench.step import kernel_us
from clients.commands.bench.subjects import checkpoint_of
from clients.commands.bench.timing import Spread
from clients.commands.table import MISSING, Table, number, percent

ECHOES = (
    "echo: on uvicorn's own stack; own echo: on the service's connections, which is what they cost. Ratios are to the"
    " former."
)
NETWORK = "Network: what a burst's step took inside the service, where other work comes between two steps."

PACED_RATE = 1.0
"""Frames a second."""


def run(plan: Plan) -> dict[str, Any]:
    """Loads service and echo in turns, round by round."""
    kernel = {variant: kernel_us(checkpoint_of(variant), plan) for variant in plan.variants}
    rows: list[dict[str, Any]] = []
    with ExitStack() as stack:
        generator, serving = stack.enter_context(Generator()), stack.enter_context(service(plan.variants))
        contenders = {"service": serving}
        if plan.beside:
            contenders[version_of(plan.beside)] = stack.enter_context(service(plan.variants, plan.beside))
        contenders["echo"] = stack.enter_context(echo("uvicorn"))
        contenders["own echo"] = stack.enter_context(echo("own"))
        for variant, streams, chunk in product(plan.variants, plan.closed_streams, plan.chunks):
            found: dict[str, list[Measured]] = {name: [] for name in contenders}
            before = {name: server.stepped() for name, server in contenders.items() if not server.echo}
            for _ in range(plan.rounds):
                for name, server in contenders.items():
                    load = _load(plan, server, variant, streams, chunk, None)
                    found[name].append(generator.measure(load))
            measured_rows = {
                name: _row(name, variant, streams, chunk, None, each, kernel[variant]) for name, each in found.items()
            }
            theirs = measured_rows["echo"]["cpu_us_per_burst"]
            for name in before:
                ours = measured_rows[name]
                ours["of_echo"] = asdict(_ratios(found[name], found["echo"]))
                seconds, bursts = (
                    now - then for now, then in zip(contenders[name].stepped(), before[name], strict=True)
                )
                if theirs and bursts:
                    ours["network_us"] = seconds / bursts * 1e6
                    ours["beside_network_of_echo"] = (ours["cpu_us_per_burst"] - ours["network_us"]) / theirs
            rows += measured_rows.values()
        for variant, streams, chunk in product(plan.variants, plan.paced_streams, plan.chunks):
            measured = [generator.measure(_load(plan, serving, variant, streams, chunk, PACED_RATE))]
            rows.append(_row("service", variant, streams, chunk, PACED_RATE, measured, kernel[variant]))
    memory = []
    for variant in plan.variants:
        with Generator() as generator, service([variant]) as serving:  # fresh: memory is not given back
            low, high = generator.measure_idle(Idle(serving.port, serving.pid, variant, plan.idle_streams))
        fewest, most = plan.idle_streams
        memory.append(
            {
                "variant": variant,
                "streams": [fewest, most],
                "rss_bytes": [low, high],
                "bytes_per_stream": (high - low) / (most - fewest),
            }
        )
    return {"kernel_us": kernel, "rows": rows, "memory": memory}


def _ratios(ours: list[Measured], theirs: list[Measured]) -> Spread:
    """Messages a second of one contender over those of another, round by round."""
    return Spread.of(
        our.messages / our.seconds / (their.messages / their.seconds) for our, their in zip(ours, theirs, strict=True)
    )


def _load(plan: Plan, server: Server, variant: str, streams: int, chunk: int, frame_rate: float | None) -> Load:
    return Load(
        port=server.port,
        pid=server.pid,
        echo=server.echo,
        variant=variant,
        streams=streams,
        bursts_per_message=chunk,
        frame_rate=frame_rate,
        warmup_s=plan.warmup_s + (1 / frame_rate if frame_rate else 0),  # until the last stream has begun
        seconds=plan.paced_s if frame_rate else plan.load_s,
    )


def _row(
    name: str,
    variant: str,
    streams: int,
    chunk: int,
    frame_rate: float | None,
    rounds: list[Measured],
    kernel_us: float,
) -> dict[str, Any]:
    cpu_us = statistics.median(each.server_cpu_s / each.bursts for each in rounds) * 1e6
    return {
        "name": name,
        "variant": variant,
        "streams": streams,
        "bursts_per_message": chunk,
        "frame_rate": frame_rate,
        "offered_bursts_s": statistics.median(each.offered_bursts / each.seconds for each in rounds),
        "bursts_s": statistics.median(each.bursts / each.seconds for each in rounds),
        "messages_s": statistics.median(each.messages / each.seconds for each in rounds),
        "latencies_us": [statistics.median(each) for each in zip(*(one.latencies_us for one in rounds), strict=True)],
        "cpu_us_per_burst": cpu_us,
        "kernel_share": kernel_us / cpu_us
        if not name.endswith("echo") and cpu_us
        else None,  # a short load may cost less than a clock tick
        "of_echo": None,
        "network_us": None,
        "beside_network_of_echo": None,
        "generator_busy": max(each.generator_busy for each in rounds),
        "kept_up": all(each.kept_up for each in rounds),
        "void": any(each.void for each in rounds),
    }


def tables(result: dict[str, Any]) -> list[Table]:
    """Unpaced, paced, memory."""
    closed = [row for row in result["rows"] if row["frame_rate"] is None]
    paced = [row for row in result["rows"] if row["frame_rate"] is not None]
    kernel = ", ".join(f"{number(value)} us ({variant})" for variant, value in result["kernel_us"].items())
    pinned = "The service runs on one core, the generator on another; policy `never`, `progress` for every burst."
    void = f"void: the generator was busy for {BUSY_LIMIT:.0%} of the time or more, so it may be what limits."
    memory = Table(
        "Memory of idle streams (each has had one burst)",
        ("variant", "streams", "resident MB", "kB a stream"),
        [
            (
                row["variant"],
                " -> ".join(map(str, row["streams"])),
                " -> ".join(f"{size / 1e6:.1f}" for size in row["rss_bytes"]),
                f"{row['bytes_per_stream'] / 1e3:.1f}",
            )
            for row in result["memory"]
        ],
    )
    return [
        Table(
            "Unpaced: every stream has one message under way",
            (
                *_HEADINGS,
                "of the echo's\nmessages/s",
                "network us\na burst",
                "beside the network,\nof the echo's CPU",
                "generator\nbusy",
            ),
            [(*_cells(row), _of_echo(row), *_beside_network(row), _busy(row)) for row in closed],
            (pinned, ECHOES, f"Kernel: {kernel} a burst in a loop of its own. {NETWORK} {void}"),
        ),
        Table(
            "Paced: every stream sends a frame a second, its bursts evenly over it",
            (*_HEADINGS, "offered\nbursts/s", "generator\nbusy"),
            [(*_cells(row), _offered(row), _busy(row)) for row in paced],
            ("overload: not all that was due was answered; the latencies would grow with time.",),
        ),
        memory,
    ]


def brief(result: dict[str, Any]) -> list[Table]:
    """Many streams, a burst a message; and the memory of idle streams."""
    closed, _, memory = tables(result)
    most = max(row["streams"] for row in result["rows"] if row["frame_rate"] is None)
    columns = (
        "what",
        "variant",
        "messages/s",
        "p50 ms",
        "p99 ms",
        "CPU us a burst",
        "network us a burst",
        "beside the network, of the echo's CPU",
    )
    picked = closed.pick(columns, lambda row: row[2] == str(most) and row[3] == "1")
    return [Table(f"{most} streams, a burst a message", picked.headings, picked.rows), memory]


_HEADINGS = (
    "what", "variant", "streams", "bursts a\nmessage", "messages/s", "bursts/s", "p50\nms", "p95\nms", "p99\nms",
    "CPU us\na burst", "kernel's\nshare",
)  # fmt: skip


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    return (
        row["name"],
        row["variant"],
        str(row["streams"]),
        str(row["bursts_per_message"]),
        number(row["messages_s"]),
        number(row["bursts_s"]),
        *(number(value / 1e3) for value in row["latencies_us"]),
        number(row["cpu_us_per_burst"]),
        percent(row["kernel_share"]),
    )


def _of_echo(row: dict[str, Any]) -> str:
    spread = row["of_echo"]
    return MISSING if spread is None else f"{spread['median']:.2f} [{spread['least']:.2f}..{spread['most']:.2f}]"


def _beside_network(row: dict[str, Any]) -> tuple[str, str]:
    share = row["beside_network_of_echo"]
    return number(row["network_us"]), MISSING if share is None else f"{share:.2f}"


def _busy(row: dict[str, Any]) -> str:
    return f"{percent(row['generator_busy'])}{' void' if row['void'] else ''}"


def _offered(row: dict[str, Any]) -> str:
    return f"{number(row['offered_bursts_s'])}{'' if row['kept_up'] else ' overload'}"
