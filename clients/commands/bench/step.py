"""Suite `step`: one burst on the kernels, on every instruction set of this machine, beside other runtimes."""

from dataclasses import asdict
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from clients.commands.bench.baselines import BASELINES, INTEGER_BASELINES, Step, Streams, noise
from clients.commands.bench.peak import Loop, macs_per_turn, register_loops
from clients.commands.bench.plan import Plan
from clients.commands.bench.subjects import checkpoint_of
from clients.commands.bench.timing import Call, time_in_turns
from clients.commands.table import MISSING, Table, number, percent, ratio
from model.budget import budget
from model.checkpoint import Checkpoint, shipped_weights
from model.step import StepRuntime

if TYPE_CHECKING:
    from clients.commands.bench.accuracy import Pictures

EAGER = "torch eager"
OTHERS = ("ONNX Runtime", "OpenVINO")
KINDS = ("native", "int8", *OTHERS, EAGER)
"""Beginnings of the names of what is compared."""
AGREEMENT = 1e-3
"""Largest difference of logits that a runtime may show after `CHECKED_BURSTS` bursts."""
CHECKED_BURSTS = 5

Rows = npt.NDArray[np.uint8]


def run(plan: Plan) -> dict[str, Any]:
    """Times the step for each variant and number of streams."""
    from model.kernel.native import instruction_sets

    isas = instruction_sets()
    loops = register_loops(isas)
    return {
        "cells": [
            _cell(plan, checkpoint_of(variant), batch, isas, loops if batch == 1 else {})
            for variant, batch in product(plan.variants, plan.batches)
        ]
    }


def kernel_us(checkpoint: Checkpoint, plan: Plan) -> float:
    """The service's kernel time for a burst: a single one, as `StepRuntime.step` runs it."""
    from model.kernel.native import NativeRuntime

    step = _native_step(checkpoint, NativeRuntime(checkpoint).isa, 1)
    rows = _rows(checkpoint, 1)
    return time_in_turns({"native": lambda: step(rows)}, rounds=plan.rounds, turn_s=plan.turn_s)["native"].median_us


def _rows(checkpoint: Checkpoint, batch: int) -> Rows:
    return np.random.default_rng(0).integers(0, 256, (batch, *checkpoint.config.burst_shape), np.uint8)


def _native_step(checkpoint: Checkpoint, isa: str, batch: int) -> Step:
    """One call a stream: the kernel gains nothing from a batch."""
    from model.kernel.native import NativeRuntime

    return _calls(NativeRuntime(checkpoint, isa), batch)


def _calls(runtime: StepRuntime, batch: int) -> Step:
    states = [runtime.initial_hidden() for _ in range(batch)]
    only = states[0]

    def one(rows: Rows) -> list[list[float]]:
        return [runtime.step(rows[0], only).outputs]  # a loop would take as long as the call itself

    def several(rows: Rows) -> list[list[float]]:
        return [runtime.step(burst, state).outputs for burst, state in zip(rows, states, strict=True)]

    return one if batch == 1 else several


INTEGER_BESIDE = {"vnni": "avx512", "avx2": "avx2", "plain": "plain"}
"""The float kernel's instruction set that each of the integer kernel's is compared with."""


def _integer_runtimes(variant: str) -> dict[str, StepRuntime]:
    """The shipped integer weights on each instruction set; none for a variant without them."""
    from model.integer.checkpoint import load_integer_checkpoint
    from model.kernel.native_integer import IntegerRuntime, instruction_sets

    file = shipped_weights(variant, "int8")
    if not file.is_file():
        return {}
    network = load_integer_checkpoint(file)
    return {f"int8 {isa}": IntegerRuntime(network, isa) for isa in instruction_sets()}


def _cell(plan: Plan, checkpoint: Checkpoint, batch: int, isas: list[str], loops: dict[str, Loop]) -> dict[str, Any]:
    rows = _rows(checkpoint, batch)
    pictures = _pictures(plan, checkpoint) if batch == 1 else None
    seen = pictures.seen if pictures else noise(checkpoint)
    steps = {f"native {isa}": _native_step(checkpoint, isa, batch) for isa in isas}
    steps |= {each.name: each.make(checkpoint, batch, seen).step for each in BASELINES if not each.missing}
    differences = _differences(steps, rows)
    integers = _integer_runtimes(checkpoint.config.name)
    steps |= {name: _calls(runtime, batch) for name, runtime in integers.items()}
    others = {each.name: each.make(checkpoint, batch, seen) for each in INTEGER_BASELINES if not each.missing}
    steps |= {name: streams.step for name, streams in others.items()}
    accuracies = _accuracies(pictures, checkpoint, integers, others) if pictures else {}
    contenders: dict[str, Call] = {name: partial(step, rows) for name, step in steps.items()}
    turns = _turns_as_long(contenders, loops)
    contenders |= {f"register loop {isa}": partial(loops[isa], turns[isa]) for isa in turns}
    times = time_in_turns(contenders, rounds=plan.rounds, turn_s=plan.turn_s)
    return {
        "variant": checkpoint.config.name,
        "streams": batch,
        "macs_per_burst": budget(checkpoint.config).macs_per_burst,
        "pictures": {"judged": len(pictures.judged), "seen": len(pictures.seen)} if pictures else None,
        "peak_gmacs": {
            isa: turns[isa] * macs_per_turn(isa) / times[f"register loop {isa}"].median_us / 1e3 for isa in turns
        },
        "rows": [
            {
                "name": name,
                "us_per_burst": timing.median_us / batch,
                "p99_us": timing.p99_us / batch,
                "difference": differences.get(name),
                "accuracy": accuracies.get(name),
                "against": {other: asdict(timing.faster_than(times[other])) for other in times if other in steps},
            }
            for name, timing in times.items()
        ],
        "missing": {
            baseline.name: f"{baseline.missing} is not installed"
            for baseline in (*BASELINES, *INTEGER_BASELINES)
            if baseline.missing
        },
    }


def _pictures(plan: Plan, checkpoint: Checkpoint) -> "Pictures | None":
    from clients.commands.bench.accuracy import load_pictures

    return load_pictures(plan.photos, checkpoint.config) if plan.photos else None


def _accuracies(
    pictures: "Pictures", checkpoint: Checkpoint, integers: dict[str, StepRuntime], others: dict[str, Streams]
) -> dict[str, dict[str, float]]:
    """Accuracy of the integers, and of the float network beside them; every instruction set gives the same bits."""
    from clients.commands.bench.accuracy import of_runtime, of_streams
    from model.kernel.native import NativeRuntime

    best = NativeRuntime(checkpoint)
    found = {f"native {best.isa}": of_runtime(best, pictures)}
    if integers:
        found |= dict.fromkeys(integers, of_runtime(next(iter(integers.values())), pictures))
    found |= {name: of_streams(streams, pictures, checkpoint.config) for name, streams in others.items()}
    return {name: each._asdict() for name, each in found.items()}


def _differences(steps: dict[str, Step], rows: Rows) -> dict[str, float]:
    """Largest difference of each one's logits to the first one's over a few bursts.

    Raises:
        ArithmeticError: one of them computes something else.
    """
    largest = dict.fromkeys(steps, 0.0)
    for shift in range(CHECKED_BURSTS):
        shifted = np.ascontiguousarray(np.roll(rows, shift, axis=2))
        logits = {name: np.array(step(shifted))[:, :2] for name, step in steps.items()}
        reference = next(iter(logits.values()))
        for name, found in logits.items():
            largest[name] = max(largest[name], float(np.abs(found - reference).max()))
    for name, difference in largest.items():
        if not difference <= AGREEMENT:
            raise ArithmeticError(f"{name} disagrees with the kernel: logits differ by {difference:g}")
    return largest


def _turns_as_long(contenders: dict[str, Call], loops: dict[str, Loop]) -> dict[str, int]:
    """For each instruction set, turns of its register loop that take as long as the kernel's step on it."""
    probe = 1000
    calls = {isa: contenders[f"native {isa}"] for isa in loops}
    calls |= {f"loop {isa}": partial(loop, probe) for isa, loop in loops.items()}
    times = time_in_turns(calls, rounds=3, turn_s=0.02)
    return {isa: max(1, round(probe * times[isa].median_us / times[f"loop {isa}"].median_us)) for isa in loops}


def tables(result: dict[str, Any]) -> list[Table]:
    """One table for each variant and number of streams."""
    return [_table(cell) for cell in result["cells"]]


def _table(cell: dict[str, Any]) -> Table:
    rows = {row["name"]: row for row in cell["rows"]}
    best = next(iter(rows))
    in_integers, others = (
        [row for row in rows.values() if row["name"].startswith(OTHERS) and ("int8" in row["name"]) == integers]
        for integers in (True, False)
    )
    fastest = min(others, key=lambda row: float(row["us_per_burst"]))["name"] if others else None
    lines = []
    for name, row in rows.items():
        isa = name.split()[-1]
        peak = cell["peak_gmacs"].get(isa) if name.startswith("native") else None
        rate = (
            cell["macs_per_burst"] / row["us_per_burst"] / 1e3
            if name.startswith("native") and cell["macs_per_burst"]
            else None
        )
        loop = name.startswith("register")
        lines.append(
            (
                f"{name} ({number(cell['peak_gmacs'][isa])} GMAC/s)" if loop else name,
                number(row["us_per_burst"]),
                number(row["p99_us"]),
                f"{_tail(row):.2f}",
                MISSING if loop else ratio(row, EAGER),
                MISSING if loop or fastest is None else ratio(row, fastest),
                number(rate),
                percent(rate / peak if rate and peak else None),
                MISSING if row["difference"] is None else f"{row['difference']:.0e}",
                _accuracy_words(row),
            )
        )
    lines += [(name, reason, *[MISSING] * 8) for name, reason in cell["missing"].items()]
    notes = [
        f"{best} is {ratio(rows[best], other)} times as fast as {other}."
        for other in rows
        if other != best and (other.startswith("native") or other in (EAGER, fastest))
    ]
    if in_integers and (ours := next((name for name in rows if name.startswith("int8")), None)):
        theirs = min(in_integers, key=lambda row: float(row["us_per_burst"]))["name"]
        notes.append(f"{ours} is {ratio(rows[ours], theirs)} times as fast as {theirs}.")
    notes += [
        f"{name} is {ratio(rows[name], beside)} times as fast as {beside}."
        for name in rows
        if name.startswith("int8") and (beside := f"native {INTEGER_BESIDE[name.split()[-1]]}") in rows
    ]
    if counts := cell["pictures"]:
        notes.append(
            f"Accuracy on {counts['judged']} pictures of val, whole frames, threshold 0.5. The others' integers are by "
            f"their makers' own quantisation, with ranges from {counts['seen']} pictures of train."
        )
    notes += [
        f"p99 / median of {row['name']} is {_tail(row) / _tail(rows[f'register loop {isa}']):.2f} times "
        "the register loop's, which only multiplies and accumulates, for as long."
        for isa in cell["peak_gmacs"]
        for row in (rows[f"native {isa}"],)
    ]
    streams = cell["streams"]
    title = f"Step of {cell['variant']}, " + (
        "one stream" if streams == 1 else f"{streams} streams at once (native: {streams} calls); times a burst"
    )
    headings = (
        "runtime, one thread", "median\nus", "p99\nus", "p99 /\nmedian", "times as fast\nas eager",
        "times as fast as\nthe fastest baseline", "GMAC/s", "of\npeak", "logits\ndiffer",
        "balanced accuracy,\nAUROC on val",
    )  # fmt: skip
    return Table(title, headings, lines, notes)


def _accuracy_words(row: dict[str, Any]) -> str:
    if (found := row["accuracy"]) is not None:
        return f"{found['balanced']:.1%}, {found['auroc']:.3f}"
    return "no --photos" if "int8" in row["name"] else MISSING


def _tail(row: dict[str, Any]) -> float:
    share: float = row["p99_us"] / row["us_per_burst"]
    return share


def brief(result: dict[str, Any]) -> list[Table]:
    """One stream: of each kind of runtime the fastest."""
    columns = ("runtime, one thread", "median us", "times as fast as the fastest baseline", "of peak")
    briefs = []
    for cell in result["cells"]:
        fastest = set()
        for kind in KINDS:
            alike = [row for row in cell["rows"] if row["name"].startswith(kind)]
            fastest |= {min(alike, key=lambda row: float(row["us_per_burst"]))["name"] for _ in alike[:1]}
        if cell["streams"] == 1:
            briefs.append(_table(cell).pick(columns, lambda row: row[0] in fastest))  # noqa: B023 - called at once
    return briefs
