"""The service, the echo and the load generator as processes, each on a core of its own where there are two."""

import json
import os
import re
import resource
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from clients.commands.bench.load import Idle, Load, Measured
from clients.commands.bench.machine import cores
from clients.commands.ports import free_port
from model.checkpoint import Arithmetic, shipped_weights

START_TIMEOUT_S = 60.0
MAX_STREAMS = 4096
PROJECT = Path(__file__).parents[3]


class BenchError(Exception):
    """A process that did not do its part."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running service or echo."""

    port: int
    pid: int
    echo: bool

    def stepped(self) -> tuple[float, float]:
        """Seconds that the network took for a burst, added up over all decisions so far; and their number.

        Raises:
            BenchError: the service's metrics do not say so.
        """
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=START_TIMEOUT_S) as answer:
            found = dict(re.findall(r"^rascanet_step_seconds_(sum|count) (.+)$", answer.read().decode(), re.MULTILINE))
        if len(found) != 2:
            raise BenchError("the service's metrics do not say what the network took")
        return float(found["sum"]), float(found["count"])


@contextmanager
def service(
    variants: Sequence[str], checkout: Path | None = None, arithmetic: Arithmetic = "float32"
) -> Iterator[Server]:
    """The real service with the variants' weights, with room for many streams.

    Args:
        variants: names of the networks.
        checkout: folder of another version, with its `.venv`, that serves its own weights; None: this version.
        arithmetic: of the weights.

    Raises:
        BenchError: the service did not start.
    """
    files = [weights_file(variant, checkout, arithmetic) for variant in variants]
    weights = [option for file in files for option in ("--weights", str(file))]
    many = str(MAX_STREAMS)
    limits = ["--max-streams", many, "--max-streams-per-address", many, "--max-connections", str(2 * MAX_STREAMS)]
    if checkout is None:  # other versions may not know it
        limits += ["--max-connections-per-address", str(2 * MAX_STREAMS)]
    limits += ["--idle-s", "600", "--busy-limit", "1", "--shed-s", "3600"]  # it is measured at its limit
    port = free_port()
    with running(["-m", "server", "--port", str(port), *weights, *limits], port, checkout) as process:
        yield Server(port, process.pid, echo=False)


@contextmanager
def echo(stack: str) -> Iterator[Server]:
    """The service that only sends messages back, on the stack `uvicorn` or `own` (`clients.commands.bench.echo`)."""
    port = free_port()
    with running(["-m", "clients.commands.bench.echo", str(port), stack], port) as process:
        yield Server(port, process.pid, echo=True)


def weights_file(variant: str, checkout: Path | None, arithmetic: Arithmetic) -> Path:
    """The weights of a variant that come with a checkout; None: with this version."""
    shipped = shipped_weights(variant, arithmetic)
    return checkout / shipped.relative_to(PROJECT) if checkout else shipped


@contextmanager
def running(arguments: Sequence[str], port: int, checkout: Path | None = None) -> Iterator["subprocess.Popen[bytes]"]:
    """A Python process on the first core, once it listens on the port; of another checkout, if one is given.

    Raises:
        BenchError: it ended, or did not listen in time; with what it said last.
    """
    _allow_many_files()
    with TemporaryDirectory() as folder, (Path(folder) / "log").open("w+b") as log:
        python = sys.executable if checkout is None else str(checkout / ".venv" / "bin" / "python")
        try:
            process = subprocess.Popen([python, *arguments], stdout=log, stderr=log, env=as_installed(), cwd=checkout)
        except OSError as error:
            raise BenchError(f"{python} does not start: {error.strerror}; run `make full` there") from None
        try:
            pin(process.pid, 0)
            wait_for_port(port, process, log.name)
            yield process
        finally:
            process.terminate()
            process.wait(30)


def as_installed() -> dict[str, str]:
    """The environment, without what keeps Python from keeping the bytecode that an installed program has."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def wait_for_port(port: int, process: "subprocess.Popen[bytes]", log: str) -> None:
    """Returns once something listens on the loopback port."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                said = Path(log).read_text(errors="replace").strip().splitlines()[-3:]
                raise BenchError(f"a service did not start: {' / '.join(said) or 'it said nothing'}") from None
            time.sleep(0.002)
        else:
            return


class Generator:
    """The load generator's process, on the second core."""

    def __init__(self) -> None:
        _allow_many_files()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "clients.commands.bench.generator"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        pin(self._process.pid, 1)

    def __enter__(self) -> "Generator":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.communicate(timeout=30)

    def measure(self, load: Load) -> Measured:
        """Puts a load on a service.

        Raises:
            BenchError: the service failed under it.
        """
        answer = self._ask({"kind": "load", **asdict(load)})
        return Measured(**{**answer, "latencies_us": tuple(answer["latencies_us"])})

    def measure_idle(self, idle: Idle) -> list[int]:
        """Resident bytes of a service at each number of idle streams.

        Raises:
            BenchError: the service failed.
        """
        found: list[int] = self._ask({"kind": "idle", **asdict(idle)})
        return found

    def _ask(self, request: dict[str, Any]) -> Any:
        assert self._process.stdin is not None  # noqa: S101 - opened as pipes
        assert self._process.stdout is not None  # noqa: S101 - opened as pipes
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise BenchError("the load generator ended")
        answer = json.loads(line)
        if isinstance(answer, dict) and "error" in answer:
            raise BenchError(f"the load failed: {answer['error']}")
        return answer


def pin(pid: int, place: int) -> None:
    """Keeps a process on one core; where there are fewer than two, the system decides."""
    available = cores()
    if len(available) > 1 and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(pid, {available[place]})


def _allow_many_files() -> None:
    """Raises the soft limit of open files, which processes started from here inherit, for the many connections."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
