"""Suite `sustain`: how many real-time streams the service keeps up with on one core."""

from collections.abc import Callable
from dataclasses import asdict, replace
from itertools import product
from pathlib import Path
from typing import Any

from clients.commands.bench.load import SLACK, Load, Measured
from clients.commands.bench.machine import service_isa, version_of
from clients.commands.bench.peak import macs_per_turn, register_loops
from clients.commands.bench.plan import Plan
from clients.commands.bench.processes import Generator, service
from clients.commands.bench.timing import time_in_turns
from clients.commands.table import MISSING, Table, number, percent
from model.budget import budget
from model.checkpoint import Arithmetic
from model.config import VARIANTS

FRAME_RATE = 30.0
FRAME_TIME_US = 1e6 / FRAME_RATE
TRIES = 2
"""Tries of a short load: a machine's bad moment alone doesn't end the search."""
SATURATING_STREAMS = 50
CONFIRMATIONS = 6
"""Full-length attempts, each with an eighth fewer streams than the one before: for seconds a machine carries more than
for a minute."""


def run(plan: Plan) -> dict[str, Any]:
    """Searches with short loads, then confirms with a long one."""
    rows = []
    contenders: list[tuple[str, Path | None, Arithmetic]] = [("this", None, "float32"), ("this, int8", None, "int8")]
    if plan.beside:
        contenders.append((version_of(plan.beside), plan.beside, "float32"))
    for variant, chunk, (version, checkout, arithmetic) in product(plan.variants, plan.chunks, contenders):
        with Generator() as generator, service([variant], checkout, arithmetic) as serving:
            load = Load(
                port=serving.port,
                pid=serving.pid,
                echo=False,
                variant=variant,
                streams=1,
                bursts_per_message=chunk,
                frame_rate=FRAME_RATE,
                warmup_s=plan.warmup_s + 1 / FRAME_RATE,
                seconds=plan.probe_s,
            )
            found = {"variant": variant, "bursts_per_message": chunk, "version": version}
            rows.append({**found, **_search(plan, generator, load)})
    return {"rows": rows, "sustain_s": plan.sustain_s, "peak_gmacs": _peak_gmacs(plan)}


def keeps_up(measured: Measured) -> bool:
    """True if the service carried a load: p99 within a frame time, to the end, and no burst left unanswered."""
    return measured.latencies_us[2] < FRAME_TIME_US and measured.late_p99_us < FRAME_TIME_US and measured.kept_up


def largest(holds: Callable[[int], bool], guess: int) -> int:
    """The largest number that holds, by doubling or halving from a guess and bisection to about 3 %; 0 if none does."""
    low, high = 0, 0
    probe = max(1, guess)
    while not (low and high):
        if holds(probe):
            low, probe = probe, probe * 2
        else:
            high, probe = probe, probe // 2
            if not probe:
                return 0
    while high - low > max(1, low // 32):
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def _search(plan: Plan, generator: Generator, load: Load) -> dict[str, Any]:
    saturated = generator.measure(
        replace(load, streams=SATURATING_STREAMS, frame_rate=None, seconds=min(1.0, plan.probe_s))
    )
    per_stream = FRAME_RATE * VARIANTS[load.variant].bursts_per_frame
    guess = round(0.8 * saturated.bursts / saturated.seconds / per_stream)
    void = False

    def holds(streams: int) -> bool:
        nonlocal void
        for _ in range(TRIES):
            measured = generator.measure(replace(load, streams=streams))
            if measured.void:
                void = True
            elif keeps_up(measured):
                return True
        return False

    found = largest(holds, guess)
    confirmed, attempts = None, []
    for _ in range(CONFIRMATIONS):
        if not found:
            break
        measured = generator.measure(replace(load, streams=found, seconds=plan.sustain_s))
        kept_up = keeps_up(measured) and not measured.void
        attempts.append({"streams": found, "kept_up": kept_up, **asdict(measured)})
        if kept_up:
            confirmed = attempts[-1]
            break
        found -= max(1, found // 8)
    return {"confirmed": confirmed, "attempts": attempts, "generator_limits": void}


def _peak_gmacs(plan: Plan) -> float | None:
    """Peak of the instruction set that the service runs on."""
    isa, turns = service_isa(), 10_000
    loops = register_loops([isa])
    if not loops:
        return None
    timing = time_in_turns({isa: lambda: loops[isa](turns)}, rounds=plan.rounds, turn_s=plan.turn_s)[isa]
    return turns * macs_per_turn(isa) / timing.median_us / 1e3


def tables(result: dict[str, Any]) -> list[Table]:
    """One row for each variant and size of message."""
    rows = []
    for row in result["rows"]:
        held, macs, peak = row["confirmed"], budget(VARIANTS[row["variant"]]).macs_per_burst, result["peak_gmacs"]
        floor = peak * 1e9 / macs / FRAME_RATE / VARIANTS[row["variant"]].bursts_per_frame if peak and macs else None
        rows.append(
            (
                row["variant"],
                row["version"],
                str(row["bursts_per_message"]),
                _streams(row),
                *(
                    (
                        number(held["bursts"] / held["seconds"]),
                        *(number(value / 1e3) for value in held["latencies_us"]),
                        percent(held["server_cpu_s"] / held["seconds"]),
                        percent(held["generator_busy"]),
                    )
                    if held
                    else [MISSING] * 6
                ),
                number(floor),
                percent(held["streams"] / floor if held and floor else None),
            )
        )
    headings = (
        "variant", "version", "bursts a\nmessage", "streams", "bursts/s", "p50\nms", "p95\nms", "p99\nms",
        "service\nbusy", "generator\nbusy", "streams at the\ncore's peak", "of the\npeak",
    )  # fmt: skip
    notes = [
        f"Streams of {FRAME_RATE:g} frames a second on one core, held for {result['sustain_s']:g} s with p99 "
        f"burst-to-decision below {FRAME_TIME_US / 1e3:.1f} ms, at the end too, and at most {SLACK:.1%} of the "
        "messages behind a whole frame.",
        "Streams at the core's peak: the network's multiply-accumulates alone at the rate of the register loop"
        + (f", {number(result['peak_gmacs'])} GMAC/s." if result["peak_gmacs"] else "."),
    ]
    return [Table("Real-time streams", headings, rows, notes)]


def _streams(row: dict[str, Any]) -> str:
    if row["confirmed"]:
        return f"{row['confirmed']['streams']}{' (the generator limits)' if row['generator_limits'] else ''}"
    tried = ", ".join(str(attempt["streams"]) for attempt in row["attempts"])
    return f"none confirmed{f' (tried {tried})' if tried else ''}"


def brief(result: dict[str, Any]) -> list[Table]:
    """Streams that hold."""
    (whole,) = tables(result)
    return [whole.pick(("variant", "version", "bursts a message", "streams", "p99 ms", "of the peak"))]
