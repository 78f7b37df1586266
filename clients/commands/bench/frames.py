"""Suite `frames`: whole decoded frames in this process, on the kernel and on torch."""

import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from clients.commands.bench.machine import cores
from clients.commands.bench.plan import Plan
from clients.commands.bench.subjects import checkpoint_of
from clients.commands.bench.timing import Call, Timing, time_in_turns
from clients.commands.table import MISSING, Table, number, ratio
from model.checkpoint import Checkpoint

AGREEMENT = 1e-3
"""Largest difference of P(person) that a form may show."""

EAGER = "torch eager"

Frames = npt.NDArray[np.uint8]
Classify = Callable[[Frames], npt.ArrayLike]
"""Frames (B, H, W, 3) uint8 to logits (B, 2) after the last burst."""


def run(plan: Plan) -> dict[str, Any]:
    """Times each variant on one core and on all."""
    return {"cells": [_cell(plan, checkpoint_of(variant)) for variant in plan.variants], "cores": len(cores())}


def _cell(plan: Plan, checkpoint: Checkpoint) -> dict[str, Any]:
    from model.kernel.native import NativeRuntime

    frames = np.random.default_rng(0).integers(0, 256, (plan.frames, *checkpoint.config.frame_shape), np.uint8)
    runtime = NativeRuntime(checkpoint)

    def last_logits(frame: Frames) -> npt.NDArray[np.float32]:
        last: npt.NDArray[np.float32] = runtime.step(frame, runtime.initial_hidden()).logits[-1]
        return last

    reference = np.stack([last_logits(frame) for frame in frames])
    contenders: dict[str, Call] = {"native": lambda: [last_logits(frame) for frame in frames]}
    batches = {"native": plan.frames}
    threads = {"native": 1}
    missing: dict[str, str] = {}
    with ThreadPoolExecutor(len(cores())) as pool:
        contenders["native, all cores"] = lambda: list(pool.map(last_logits, frames))
        batches["native, all cores"], threads["native, all cores"] = plan.frames, len(cores())
        try:
            import torch
        except ImportError:
            missing[EAGER] = "torch is not installed"
        else:
            for name, make in _torch_forms(plan):
                try:
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore")  # jit is said to be old, inductor has remarks
                        batch, classify = _best_batch(plan, make, checkpoint, frames, reference)
                except Exception as error:  # a compiler has many ways to fail, none of them ours
                    missing[name] = f"failed: {type(error).__name__}"
                    continue
                for count, label in ((1, name), (len(cores()), f"{name}, all cores")):
                    contenders[label] = partial(_with_threads, torch, count, partial(classify, frames[:batch]))
                    batches[label], threads[label] = batch, count
        times = time_in_turns(contenders, rounds=plan.rounds, turn_s=plan.turn_s, least_calls=1)
    per_frame = {
        name: Timing(tuple(each / batches[name] for each in timing.medians_us), timing.p99s_us)
        for name, timing in times.items()
    }
    return {
        "variant": checkpoint.config.name,
        "rows": [
            {
                "name": name,
                "batch": batches[name],
                "threads": threads[name],
                "frames_s": 1e6 / timing.median_us,
                "against": {other: asdict(timing.faster_than(per_frame[other])) for other in per_frame},
            }
            for name, timing in per_frame.items()
        ],
        "missing": missing,
    }


def _torch_forms(plan: Plan) -> Iterator[tuple[str, Callable[[Checkpoint, int], Classify]]]:
    yield EAGER, _eager
    yield "torch eager, folded", partial(_folded, channels_last=False)
    yield "torch eager, folded, channels_last", partial(_folded, channels_last=True)
    if plan.compiled:
        yield "torch jit, folded, frozen", _frozen
        yield "torch inductor, folded, frozen", _inductor


def _best_batch(
    plan: Plan,
    make: Callable[[Checkpoint, int], Classify],
    checkpoint: Checkpoint,
    frames: Frames,
    reference: npt.NDArray[np.float32],
) -> tuple[int, Classify]:
    """The fastest batch size on one thread, each checked against the kernel first."""
    forms = {batch: make(checkpoint, batch) for batch in plan.torch_batches}
    for batch, classify in forms.items():
        found = np.asarray(classify(frames[:batch]))
        difference = float(np.abs(_p_person(found) - _p_person(reference[:batch])).max())
        if not difference <= AGREEMENT:
            raise ArithmeticError(f"P(person) differs from the kernel's by {difference:g}")
    calls: dict[str, Call] = {str(batch): partial(form, frames[:batch]) for batch, form in forms.items()}
    times = time_in_turns(calls, rounds=3, turn_s=plan.turn_s, least_calls=1)
    best = min(forms, key=lambda batch: times[str(batch)].median_us / batch)
    return best, forms[best]


def _p_person(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    return 1 / (1 + np.exp(logits[:, 0].astype(np.float64) - logits[:, 1]))


def _with_threads(torch: Any, count: int, call: Call) -> None:
    torch.set_num_threads(count)
    call()
    torch.set_num_threads(1)


def _classifier(network: Any, forward: Callable[[Any], Any]) -> Classify:
    import torch

    from model.export import RowsStep

    convert = RowsStep(network).network_input
    torch.set_num_threads(1)

    @torch.inference_mode()
    def classify(frames: Frames) -> npt.ArrayLike:
        found: npt.ArrayLike = forward(convert(torch.from_numpy(frames)))[0][:, -1].numpy()
        return found

    return classify


def _eager(checkpoint: Checkpoint, _batch: int) -> Classify:
    from model.torch_runtime import network_from

    network = network_from(checkpoint)
    return _classifier(network, network)


def _folded(checkpoint: Checkpoint, _batch: int, *, channels_last: bool) -> Classify:
    import torch

    from model.export import folded_network

    network = folded_network(checkpoint, "conv")
    if channels_last:
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # as the pixels are
    return _classifier(network, network)


def _frozen(checkpoint: Checkpoint, batch: int) -> Classify:
    import torch

    from model.export import folded_network

    network = folded_network(checkpoint, "conv")
    example = torch.zeros(batch, 3, checkpoint.config.height, checkpoint.config.width)
    with torch.no_grad():
        traced = torch.jit.trace(network, example)  # type: ignore[no-untyped-call]  # torch leaves trace untyped
        frozen = torch.jit.optimize_for_inference(torch.jit.freeze(traced))
    return _classifier(network, frozen)


def _inductor(checkpoint: Checkpoint, _batch: int) -> Classify:
    """Heads, recurrent part and classifier compiled each; the loop over the bursts stays in Python."""
    import torch

    from model.export import folded_network

    network: Any = folded_network(checkpoint, "gemm")
    # Otherwise every batch size and number of threads counts towards one limit of recompilations. A dict, since torch's
    # overloads lack the argument.
    alone: dict[str, Any] = {"isolate_recompiles": True}
    for part in ("_features", "_advance", "_classify"):
        compiled = torch.compile(getattr(network, part), options={"freezing": True}, dynamic=False, **alone)
        setattr(network, part, compiled)
    return _classifier(network, network)


def tables(result: dict[str, Any]) -> list[Table]:
    """One table a variant."""
    return [_table(cell, result["cores"]) for cell in result["cells"]]


def _table(cell: dict[str, Any], all_cores: int) -> Table:
    rows = cell["rows"]
    lines, notes = [], []
    for count in dict.fromkeys((1, all_cores)):
        alike = [row for row in rows if row["threads"] == count]
        lines += [
            (
                row["name"],
                str(row["threads"]),
                str(row["batch"]),
                number(row["frames_s"], 4),
                number(row["frames_s"] / row["threads"], 4),
                ratio(row, EAGER if count == 1 else f"{EAGER}, all cores"),
            )
            for row in alike
        ]
        others = [row for row in alike if not row["name"].startswith("native")]
        if others:
            native, best = alike[0], max(others, key=lambda row: float(row["frames_s"]))
            notes.append(
                f"{native['name']} is {ratio(native, best['name'])} times as fast as {best['name']}, "
                f"the best torch form on {count} core{'s' * (count > 1)}."
            )
    lines += [(name, reason, *[MISSING] * 4) for name, reason in cell["missing"].items()]
    headings = ("runtime", "threads", "batch", "frames/s", "frames/s\na thread", "times as fast\nas eager")
    return Table(f"Frames of {cell['variant']}, decoded, read to their end", headings, lines, notes)


def brief(result: dict[str, Any]) -> list[Table]:
    """On one core, ours and the fastest of torch."""
    tables = []
    for cell in result["cells"]:
        alike = [row for row in cell["rows"] if row["threads"] == 1]
        torch = [row for row in alike if not row["name"].startswith("native")]
        wanted = {alike[0]["name"], *(max(torch, key=lambda row: float(row["frames_s"]))["name"] for _ in torch[:1])}
        columns = ("runtime", "batch", "frames/s", "times as fast as eager")
        tables.append(_table(cell, result["cores"]).pick(columns, lambda row: row[0] in wanted))  # noqa: B023 - called at once
    return tables
