"""Pictures on a Ray cluster of two nodes: the driver is killed, a node is lost, and each row is the local command's.

    make scale-pictures                 20,000 generated pictures
    make scale-pictures COUNT=200000    the rates that docs/scaling.md prints

Ray counts as many CPUs as it is told; both nodes and all processes share the cores of this machine. Fails on a row that
is missing, is there twice, or differs from the local command's in anything but the time that it took.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil
from rich.console import Console

from clients.commands.classify.cluster.surroundings import prepare
from clients.commands.console import SOME_FAILED
from clients.commands.table import Table, refresh_page
from server.process.cores import usable_cores
from tests.picture_files import picture

KINDS: Final = 400
"""Different pictures; the others are copies."""
SIZE: Final = (90, 80)
BROKEN_EVERY: Final = 97
A_FOLDER: Final = 1000
NODE_CPUS: Final = 1
"""Logical CPUs of a node: each of the two runs one process, so a node that is lost is at work."""
JOBS: Final = 2
ROUNDS: Final = 3
STARTS: Final = 3
"""Times that the two nodes are started, on a machine that does other work too."""
DEADLINE_S: Final = 3600.0
POLL_S: Final = 0.2


@dataclass(frozen=True)
class Run:
    """What a command took.

    Attributes:
        wall_s: from its start to its end (s).
        rate: pictures a second without the start, by the command's own clock; 0 if it does not say.
        peak_bytes: most memory that its first process held.
        processor_s: processor time of all its processes, as seen last (s).
    """

    wall_s: float
    rate: float
    peak_bytes: int
    processor_s: float


def generate(folder: Path, count: int) -> None:
    """Writes small JPEG files, each a copy of one of a few hundred, and one in a hundred damaged."""
    contents = [picture(kind, SIZE, "JPEG", quality=80) for kind in range(min(KINDS, count))]
    for index in range(count):
        content = contents[index % len(contents)]
        place = folder / f"{index // A_FOLDER:04d}"
        if index % A_FOLDER == 0:
            place.mkdir(parents=True)
        (place / f"{index:07d}.jpg").write_bytes(content[:-400] if index % BROKEN_EVERY == 5 else content)


def command(folder: Path, *options: object) -> list[str]:
    """The command line that classifies a folder."""
    return [sys.executable, "-m", "clients.commands.main", "classify", str(folder), *map(str, options)]


def _start(arguments: list[str], said: Path) -> "subprocess.Popen[bytes]":
    environment = os.environ | {"COLUMNS": "200"}
    with said.open("wb") as file:
        return subprocess.Popen(arguments, stdout=file, stderr=file, env=environment, start_new_session=True)


@contextmanager
def _started(arguments: list[str], said: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Runs a command, and kills it at the end of the block if it still runs."""
    process = _start(arguments, said)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def timed(arguments: list[str], said: Path) -> Run:
    """Runs a command to its end.

    Raises:
        RuntimeError: it ended otherwise than with some damaged pictures.
    """
    began_s = time.monotonic()
    process = _start(arguments, said)
    seen_s: dict[int, float] = {}
    while not (ended := os.wait4(process.pid, os.WNOHANG))[0]:
        seen_s |= _processor_times(process.pid)
        time.sleep(POLL_S)
    _, status, used = ended
    wall_s = time.monotonic() - began_s
    process.returncode = os.waitstatus_to_exitcode(status)
    text = said.read_text()
    if process.returncode != SOME_FAILED:
        raise RuntimeError(f"{arguments} ended with {process.returncode}:\n{text[-3000:]}")
    rate = re.search(r"([\d,]+) pictures/s without the start", text)
    return Run(wall_s, float(rate[1].replace(",", "")) if rate else 0.0, used.ru_maxrss * 1024, sum(seen_s.values()))


def _processor_times(session: int) -> dict[int, float]:
    """Processor time (s) of each process of a session: Ray's are no children that could be waited for."""
    found = {}
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == session:
                used = process.cpu_times()
                found[process.pid] = used.user + used.system
        except (psutil.Error, ProcessLookupError):
            continue
    return found


def _until(ready: Callable[[], bool], process: "subprocess.Popen[bytes]", said: Path) -> None:
    """Waits for something to happen while a command runs.

    Raises:
        RuntimeError: the command ended before, or it takes too long.
    """
    latest_s = time.monotonic() + DEADLINE_S
    while not ready():
        if process.poll() is not None or time.monotonic() > latest_s:
            raise RuntimeError(f"the command ended with {process.poll()} before its time:\n{said.read_text()[-3000:]}")
        time.sleep(0.05)


def _share(out: Path) -> float:
    """Share of the pieces of the list whose rows are written."""
    pieces = len(list((out / "_pictures").glob("*.parquet"))) if (out / "_run.json").exists() else 0
    return len(list((out / "rows").glob("*"))) / pieces if pieces else 0.0


@contextmanager
def two_nodes(folder: Path) -> Iterator[tuple[str, Callable[[], None]]]:
    """Starts a cluster on 127.0.0.1; gives its address and what takes the second node away."""
    os.environ["RAY_TMPDIR"] = str(folder)
    (folder / "ray").mkdir()
    prepare(None)  # for the nodes and, through this process, for the commands that join them
    from ray.cluster_utils import Cluster

    node: dict[str, Any] = {
        "num_cpus": NODE_CPUS, "object_store_memory": 100_000_000, "node_ip_address": "127.0.0.1",
        "include_dashboard": False,
    }  # fmt: skip
    for attempt in range(STARTS):
        cluster = Cluster()
        try:
            cluster.add_node(**node)
            second = cluster.add_node(**node)
            break
        except Exception:  # Ray's own, where a node does not start within half a minute
            cluster.shutdown()
            if attempt == STARTS - 1:
                raise
    try:
        yield cluster.address, lambda: cluster.remove_node(second, allow_graceful=False)
    finally:
        cluster.shutdown()


def disturbed(pictures: Path, out: Path, work: Path, jobs: int, tell: Callable[[str], None]) -> None:
    """Classifies on two nodes; kills the driver after a quarter, and takes a node away from the run that goes on.

    Raises:
        RuntimeError: a command ended otherwise than it should.
    """
    place = Path(tempfile.mkdtemp(prefix="ray-"))  # a short name: sockets' names may not be long
    try:
        with two_nodes(place) as (address, take_a_node_away):
            tell(f"a cluster of two nodes at {address}")
            arguments = command(
                pictures, "--engine", "ray", "--ray-address", address, "--jobs", jobs, "--out", out, "--resume"
            )
            said = work / "first.txt"
            with _started(arguments, said) as driver:
                _until(lambda: _share(out) >= 0.25, driver, said)
            tell(f"the driver was killed at {_share(out):.0%}")
            said = work / "second.txt"
            with _started(arguments, said) as driver:
                _until(lambda: _share(out) >= 0.5, driver, said)
                take_a_node_away()
                tell(f"a node was lost at {_share(out):.0%}")
                status = driver.wait(DEADLINE_S)
            if status != SOME_FAILED:
                raise RuntimeError(f"the run that went on ended with {status}:\n{said.read_text()[-3000:]}")
            tell("the run is whole")
    finally:
        shutil.rmtree(place, ignore_errors=True)


def rows_of(out: Path) -> Iterator[dict[str, Any]]:
    """The rows of a folder of results, as their files have them."""
    from pyarrow import parquet

    for path in sorted((out / "rows").iterdir()):
        yield from parquet.read_table(path).to_pylist()


def faults(found: Iterable[dict[str, Any]], local: Iterable[dict[str, Any]]) -> list[str]:
    """Compares rows with the local command's, by name; says what is wrong."""
    wanted = {row["name"]: row for row in local}
    wrong, seen = [], set()
    for row in found:
        name = row["name"]
        if name in seen:
            wrong.append(f"{name}: two rows")
        seen.add(name)
        if name not in wanted:
            wrong.append(f"{name}: not one of the local command's")
            continue
        comparable = {key: value for key, value in row.items() if value is not None}
        comparable["policy"] = json.loads(comparable["policy"])
        comparable.pop("index")
        comparable.pop("elapsed_us", None)
        expected = {key: value for key, value in wanted[name].items() if key != "elapsed_us"}
        if comparable != expected:
            wrong.append(f"{name}: {comparable}, not {expected}")
    wrong += [f"{name}: no row" for name in wanted.keys() - seen]
    return wrong


def local_rows(file: Path) -> Iterator[dict[str, Any]]:
    """The rows of the local command."""
    with file.open() as lines:
        for line in lines:
            yield json.loads(line)


def best(rounds: list[Run]) -> Run:
    """The round that other work of the machine disturbed least."""
    return max(rounds, key=lambda run: run.rate)


def table(count: int, runs: dict[str, list[Run]]) -> Table:
    """Rates of the same pictures on the same cores, each command's best round."""
    found = {name: best(rounds) for name, rounds in runs.items()}
    local = next(iter(found.values()))
    rows = [
        (
            name,
            f"{run.wall_s:.0f}",
            f"{count / run.wall_s:,.0f}",
            f"{run.rate:,.0f}",
            f"{run.rate / local.rate:.0%}",
            f"{run.wall_s - count / run.rate:.0f}",
            f"{run.processor_s / count * 1e3:.2f}",
            f"{run.peak_bytes / 1e6:.0f}",
        )
        for name, run in found.items()
    ]
    headings = (
        "command", "s in all", "pictures/s\nin all", "without\nthe start", "of the\nlocal one", "start\nand end, s",
        "processor ms\na picture", "its own process,\nat most MB",
    )  # fmt: skip
    rounds = len(next(iter(runs.values())))
    return Table(
        f"{count:,} generated pictures", headings, rows, [f"Rounds of both commands: {rounds}. The best is shown."]
    )


def main() -> None:
    """Runs it all, and prints what was found."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--count", type=int, default=20_000)
    arguments.add_argument("--jobs", type=int, default=min(JOBS, usable_cores()))
    arguments.add_argument("--rounds", type=int, default=ROUNDS, help="times that both commands are timed")
    arguments.add_argument("--part", choices=["rates", "losses"], action="append", help="both if not given")
    arguments.add_argument("--page", type=Path, help="Markdown page whose table is replaced")
    options = arguments.parse_args()
    parts = options.part or ["rates", "losses"]
    began_s = time.monotonic()

    def tell(sentence: str) -> None:
        print(f"  {time.monotonic() - began_s:6.1f} s {sentence}", flush=True)

    work = Path(tempfile.mkdtemp(prefix="rascanet-pictures-"))
    try:
        pictures = work / "pictures"
        generate(pictures, options.count)
        tell(f"{options.count:,} pictures")
        reference, out = work / "local.ndjson", work / "undisturbed"
        runs: dict[str, list[Run]] = {"rascanet classify": [], "rascanet classify --engine ray": []}
        here, ray = runs.values()
        for _ in range(options.rounds if "rates" in parts else 1):
            shared = ("--jobs", options.jobs, "--overwrite", "--out")
            here.append(timed(command(pictures, *shared, reference), work / "local.txt"))
            tell(f"the local command: {here[-1]}")
            if "rates" in parts:
                ray.append(timed(command(pictures, "--engine", "ray", *shared, out), work / "ray.txt"))
                tell(f"Ray: {ray[-1]}")
        found: list[str] = []
        if "rates" in parts:
            found += faults(rows_of(out), local_rows(reference))
            result = table(options.count, runs)
            result.show(Console())
            if options.page:
                refresh_page(options.page, {"scale pictures": [result]})
        if "losses" in parts:
            out = work / "disturbed"
            disturbed(pictures, out, work, options.jobs, tell)
            found += faults(rows_of(out), local_rows(reference))
        print(f"{len(found)} rows missing, wrong or there twice")
        raise SystemExit("\n".join(found[:20]) or None)
    finally:
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
