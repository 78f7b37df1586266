"""Suite `start`: from the start of the service's process to its first decision, and what it holds in memory then."""

import statistics
import sys
import time
from typing import Any

import numpy as np
import psutil
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from clients.commands.bench.plan import Plan
from clients.commands.bench.processes import BenchError, running
from clients.commands.ports import free_port
from clients.commands.table import Table, number
from model.config import DEFAULT_VARIANT, VARIANTS
from sensor_sim.wire import STREAM_PATH, SUBPROTOCOL, Decision, Hello, Rows, decode, encode

VARIANT = DEFAULT_VARIANT


def run(plan: Plan) -> dict[str, Any]:
    """Starts `python -m server` as it comes, streams a frame of noise, reads its memory.

    Once more than is counted: the first start may have to compile what it imports.
    """
    starts = []
    for _ in range(1 + plan.starts):
        port = free_port()
        began = time.perf_counter()
        with running(["-m", "server", "--port", str(port)], port) as process:
            listening = time.perf_counter()
            with connect(
                f"ws://127.0.0.1:{port}{STREAM_PATH}",
                subprotocols=[Subprotocol(SUBPROTOCOL)],
                compression=None,
                proxy=None,
            ) as connection:
                _decide(connection)
                decided = time.perf_counter()
                server = psutil.Process(process.pid)
                starts.append(
                    {
                        "listening_s": listening - began,
                        "decision_s": decided - began,
                        "rss_bytes": server.memory_info().rss,
                        "torch_loaded": _holds_torch(server),
                    }
                )
    return {"starts": starts[1:]}


def _decide(connection: ClientConnection) -> None:
    config = VARIANTS[VARIANT]
    frame = np.random.default_rng(0).integers(0, 256, config.frame_shape, np.uint8)
    connection.send(encode(Hello(VARIANT, {"name": "never"}, progress_every=0)))
    decode(connection.recv())
    for index in range(config.bursts_per_frame):
        first = index * config.BURST_ROWS
        connection.send(encode(Rows(0, index, 1, 0, frame[first : first + config.BURST_ROWS])))
    answer = decode(connection.recv())
    if not isinstance(answer, Decision):
        raise BenchError(f"the service answered {answer}")


def _holds_torch(process: psutil.Process) -> bool | None:
    """True if torch's library is mapped into the process; None where the system doesn't tell."""
    if sys.platform != "linux":
        return None
    return any("libtorch" in each.path for each in process.memory_maps())


def tables(result: dict[str, Any]) -> list[Table]:
    """One row: medians and the worst."""
    starts = result["starts"]
    rows = []
    for what, field, unit in (
        ("listening, s", "listening_s", 1.0),
        ("first decision, s", "decision_s", 1.0),
        ("resident memory then, MB", "rss_bytes", 1e6),
    ):
        values = [start[field] / unit for start in starts]
        rows.append((what, number(statistics.median(values)), number(max(values))))
    torch = "no" if not any(start["torch_loaded"] for start in starts) else "yes"
    note = (
        f"{len(starts)} starts of `python -m server` on one core, timed from the start of the process. A start before "
        f"them stored the compiled bytecode. torch was loaded: {torch}."
    )
    return [Table("Start of the service", ("from start to", "median", "most"), rows, (note,))]


brief = tables
