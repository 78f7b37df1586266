"""Suite `pictures`: whole picture files through `rascanet classify`, beside what the cores allow and a torch loop."""

import json
import multiprocessing
import os
import resource
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
import psutil
from PIL import Image

from clients.commands.bench.machine import cores
from clients.commands.bench.plan import Plan
from clients.commands.bench.processes import BenchError, as_installed, wait_for_port
from clients.commands.bench.subjects import checkpoint_of
from clients.commands.ports import free_port
from clients.commands.table import MISSING, Table, number, percent
from model.checkpoint import shipped_weights
from model.exit_policy import PublishedPolicy

SIZE_PX: Final = (640, 480)
QUALITY: Final = 85
TORCH_SHARE: Final = 10
"""The torch loop, which is slower, gets one in this number of the pictures."""
BATCH: Final = 64
SAMPLE_S: Final = 0.2
POLICY: Final = PublishedPolicy()

HERE, THERE, ALONE, TORCH = "in process", "over HTTP", "decode, resize and kernel alone", "torch DataLoader loop"


def run(plan: Plan) -> dict[str, Any]:
    """Classifies a folder in this process and over HTTP; in between, what the cores allow is measured."""
    variant, busy = plan.variants[0], os.getloadavg()[0]
    with TemporaryDirectory() as folder:
        place = Path(folder)
        files = _generate(place / "pictures", plan.pictures, plan.distinct_pictures)
        bytes_each = statistics.mean(file.stat().st_size for file in files[: plan.distinct_pictures])
        weights = shipped_weights(variant)
        share = max(1, plan.pictures // 4)
        alone = [_alone(variant, files, share)]
        here = _classify(place, plan.pictures, ["--weights", str(weights)])
        alone.append(_alone(variant, files, share))
        with _service(weights) as (url, pid):
            there = _classify(place, plan.pictures, ["--variant", variant, "--url", url], pid)
        alone.append(_alone(variant, files, share))
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as apart:  # its threads go with it
            loop = apart.submit(_torch_loop, variant, files[: max(1, plan.pictures // TORCH_SHARE)]).result()
    return {
        "variant": variant,
        "pictures": plan.pictures,
        "bytes_each": bytes_each,
        "cores": len(cores()),
        "load_before": busy,
        "alone": alone,
        HERE: here,
        THERE: there,
        TORCH: loop,
    }


def _generate(folder: Path, count: int, distinct: int) -> list[Path]:
    """JPEGs with the detail of photographs; the same ones come again under other names."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    width, height = SIZE_PX
    files: list[Path] = []
    for index in range(count):
        file = folder / f"{index:06}.jpg"
        if index < distinct:
            coarse = Image.fromarray(rng.integers(0, 256, (12, 16, 3), np.uint8)).resize(
                SIZE_PX, Image.Resampling.BICUBIC
            )
            noise = rng.normal(0, 8, (height, width, 1))
            Image.fromarray(np.clip(np.asarray(coarse) + noise, 0, 255).astype(np.uint8)).save(file, quality=QUALITY)
        else:
            os.link(files[index % distinct], file)
        files.append(file)
    return files


def _alone(variant: str, files: Sequence[Path], count: int) -> dict[str, float]:
    """Pictures a second on all cores together: the sum over one process a core, all at work at the same time."""
    context = multiprocessing.get_context("spawn")
    processes = len(cores())
    barrier = context.Barrier(processes)
    answers = context.Queue()
    contents = [file.read_bytes() for file in files[:64]]
    share = max(1, count // processes)
    workers = [
        context.Process(target=_loop, args=(variant, contents, share, barrier, answers)) for _ in range(processes)
    ]
    for worker in workers:
        worker.start()
    found = [answers.get(timeout=600) for _ in workers]
    for worker in workers:
        worker.join()
    return {"rate": sum(rate for rate, _ in found), "cpu_ms": statistics.mean(cpu_ms for _, cpu_ms in found)}


def _loop(variant: str, contents: list[bytes], count: int, barrier: Any, answers: Any) -> None:
    from model.picture import decode_frame
    from model.runtime import load_runtime
    from model.scan import scan_frame

    runtime, policy = load_runtime(checkpoint_of(variant)), POLICY
    config = runtime.config
    barrier.wait()
    began, cpu = time.perf_counter(), time.process_time()
    for index in range(count):
        frame = decode_frame(contents[index % len(contents)], config.height, config.width)
        scan_frame(runtime, frame, policy)
    answers.put((count / (time.perf_counter() - began), 1e3 * (time.process_time() - cpu) / count))


@contextmanager
def _service(weights: Path) -> Iterator[tuple[str, int]]:
    """On all cores, unlike the service of the other suites."""
    port = free_port()
    command = [sys.executable, "-m", "server", "--port", str(port), "--weights", str(weights)]
    with TemporaryDirectory() as folder, (Path(folder) / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=as_installed())
        try:
            wait_for_port(port, process, log.name)
            yield f"http://127.0.0.1:{port}", process.pid
        finally:
            process.terminate()
            process.wait(30)


def _classify(place: Path, count: int, options: list[str], service: int | None = None) -> dict[str, Any]:
    """One run of the command, with what its processes and the service's hold."""
    out = place / "out.ndjson"
    command = [sys.executable, "-m", "clients.commands.main", "classify", str(place / "pictures"), *options]
    command += ["--policy", POLICY.name]
    began, cpu = time.perf_counter(), _cpu_s(service)
    with subprocess.Popen([*command, "--out", str(out), "--overwrite", "--quiet"], env=as_installed()) as process:
        memory = _Memory([process.pid, *([service] if service else [])])
        with memory:
            status = process.wait(3600)
    seconds, cpu = time.perf_counter() - began, _cpu_s(service) - cpu
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    if status or len(rows) != count:
        raise BenchError(f"rascanet classify ended with status {status} after {len(rows)} of {count} pictures")
    return {"rate": count / seconds, "cpu_ms": 1e3 * cpu / count, **memory.found()}


def _cpu_s(service: int | None) -> float:
    """Processor seconds of all processes that were waited for, and of the service."""
    ours = resource.getrusage(resource.RUSAGE_CHILDREN)
    theirs = psutil.Process(service).cpu_times() if service else None
    return ours.ru_utime + ours.ru_stime + (theirs.user + theirs.system if theirs else 0.0)


class _Memory:
    """Resident bytes of processes and their children, looked at now and then."""

    def __init__(self, pids: Sequence[int]) -> None:
        self._roots = [psutil.Process(pid) for pid in pids]
        self._seen: list[int] = []
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while True:
            total = 0
            for root in self._roots:
                with suppress(psutil.NoSuchProcess):
                    total += sum(each.memory_info().rss for each in (root, *root.children(recursive=True)))
            self._seen.append(total)
            if self._done.wait(SAMPLE_S):
                return

    def found(self) -> dict[str, float]:
        """The peak, and the medians of the second and of the last quarter of the run, MB."""
        quarter = max(1, len(self._seen) // 4)
        return {
            "peak_mb": max(self._seen) / 1e6,
            "early_mb": statistics.median(self._seen[quarter : 2 * quarter] or self._seen) / 1e6,
            "late_mb": statistics.median(self._seen[-quarter - 1 : -1] or self._seen) / 1e6,
        }


def _torch_loop(variant: str, files: Sequence[Path]) -> float | None:
    """The usual loop without this project: a DataLoader that decodes and resizes, and whole-frame `forward`."""
    try:
        import torch
        from torch.utils.data import DataLoader
    except ImportError:
        return None
    from model.export import RowsStep
    from model.torch_runtime import network_from

    config = checkpoint_of(variant).config
    network = network_from(checkpoint_of(variant))
    convert = RowsStep(network).network_input
    torch.set_num_threads(len(cores()))
    dataset: Any = _Files(files, config.height, config.width)
    loader: Any = DataLoader(
        dataset,
        batch_size=BATCH,
        num_workers=len(cores()),
        multiprocessing_context="spawn",
        persistent_workers=True,
    )
    with torch.inference_mode():
        for frames in loader:  # the first round starts the workers
            network(convert(frames))
        began = time.perf_counter()
        for frames in loader:
            network(convert(frames))
        return len(files) / (time.perf_counter() - began)


class _Files:
    """A data set for torch: frames (H, W, 3) uint8."""

    def __init__(self, files: Sequence[Path], height: int, width: int) -> None:
        self._files, self._height, self._width = files, height, width

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, index: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
        from model.picture import read_frame

        return read_frame(self._files[index], self._height, self._width).copy()


def tables(result: dict[str, Any]) -> list[Table]:
    """One table."""
    alone = result["alone"]
    rate, cpu_ms = (statistics.mean(each[key] for each in alone) for key in ("rate", "cpu_ms"))
    rows = [(ALONE, number(rate, 4), "100%", number(cpu_ms), "100%", *[MISSING] * 3)]
    for name, beside in ((HERE, alone[:2]), (THERE, alone[1:])):
        run = result[name]
        rows.append(
            (
                f"rascanet classify, {name}",
                number(run["rate"], 4),
                percent(run["rate"] / statistics.mean(each["rate"] for each in beside)),
                number(run["cpu_ms"]),
                percent(statistics.mean(each["cpu_ms"] for each in beside) / run["cpu_ms"]),
                number(run["peak_mb"]),
                number(run["early_mb"]),
                number(run["late_mb"]),
            )
        )
    rows.append(
        (
            TORCH,
            number(result[TORCH], 4),
            percent(result[TORCH] / rate if result[TORCH] else None),
            *[MISSING] * 5,
        )
    )
    headings = (
        "what",
        "pictures/s",
        "of\nalone",
        "CPU ms\na picture",
        "of alone\nby CPU",
        "peak\nMB",
        "second\nquarter MB",
        "last\nquarter MB",
    )
    width, height = SIZE_PX
    notes = [
        f"{result['pictures']:,} generated JPEGs of {width} x {height} px, {result['bytes_each'] / 1e3:.0f} kB each, "
        f"{result['cores']} cores, policy `{POLICY.name}`; "
        f"the torch loop has one in {TORCH_SHARE} of them, in batches of {BATCH}.",
        f"Alone, before, between and after: {', '.join(number(each['rate'], 4) for each in alone)} pictures/s; "
        "each run is compared with the mean of its two neighbours. CPU time is that of all processes, their start "
        "included; it says the same when the machine has other work to do; its load average before was "
        f"{result['load_before']:.1f}.",
    ]
    return [Table(f"Picture files through {result['variant']}", headings, rows, notes)]


def brief(result: dict[str, Any]) -> list[Table]:
    """Rates alone."""
    (whole,) = tables(result)
    return [whole.pick(("what", "pictures/s", "of alone", "CPU ms a picture"))]
