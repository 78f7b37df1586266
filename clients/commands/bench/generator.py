"""The load generator, a process of its own: `Load` and `Idle` as JSON lines in, measurements out."""

import asyncio
import json
import sys
import time
from dataclasses import asdict

import numpy as np
import psutil
import uvloop

from clients.commands.bench.load import Idle, Load, Measured
from clients.commands.bench.load_streams import LoadError, Run
from clients.commands.bench.pacing import ClosedLoop, Pace
from clients.commands.bench.server_process import ServerProcess

ANSWER_TIMEOUT_S = 60.0


async def measure(load: Load) -> Measured:
    """Puts the load on the service."""
    server = ServerProcess(load.pid)
    run = Run(load.port, load.variant, load.bursts_per_message, echo=load.echo)
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            await run.open(load.streams)
        drive = ClosedLoop(run) if load.frame_rate is None else Pace(run, load.frame_rate)
        drive.start()
        await run.wait(load.warmup_s)
        began, busy, cpu = time.perf_counter(), time.process_time(), server.cpu_s()
        run.begin_counting(began)
        await run.wait(load.seconds)
        while not run.latencies and time.perf_counter() < began + ANSWER_TIMEOUT_S:
            await run.wait(load.seconds)  # a busy machine may take longer for its first answer
        seconds, busy, cpu = time.perf_counter() - began, time.process_time() - busy, server.cpu_s() - cpu
        drive.stop()
        return _summary(load, run, seconds, began, busy, cpu, server.rss_bytes())
    finally:
        run.close()


def _summary(load: Load, run: Run, seconds: float, began: float, busy: float, cpu: float, rss_bytes: int) -> Measured:
    latencies, sent_at = np.array(run.latencies) * 1e6, np.array(run.sent_at)
    if not len(latencies):
        raise LoadError("nothing was answered")
    late = latencies[sent_at >= began + 0.75 * seconds]
    p50, p95, p99 = np.percentile(latencies, (50, 95, 99)).tolist()
    return Measured(
        seconds=seconds,
        messages=run.messages_done,
        bursts=run.bursts,
        offered_bursts=run.bursts if load.frame_rate is None else run.due_bursts,
        latencies_us=(p50, p95, p99),
        late_p99_us=float(np.percentile(late, 99)) if len(late) else float("inf"),
        held_back=run.held_back,
        under_way_bursts=load.streams * load.bursts_per_message,
        unanswered_bursts=sum(stream.unanswered for stream in run.streams),
        generator_busy=busy / seconds,
        server_cpu_s=cpu,
        server_rss_bytes=rss_bytes,
    )


async def measure_idle(idle: Idle) -> list[int]:
    """Resident bytes of the service at each number of idle streams."""
    server = ServerProcess(idle.pid)
    run = Run(idle.port, idle.variant, 1, echo=False)
    found = []
    try:
        for count in idle.counts:
            opened = len(run.streams)
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                await run.open(count)
                for stream in run.streams[opened:]:
                    stream.send(time.perf_counter())
                while any(stream.unanswered for stream in run.streams):
                    await run.wait(0.01)
            await run.wait(0.2)
            found.append(server.rss_bytes())
    finally:
        run.close()
    return found


def main() -> None:
    """Serves requests from standard input until it closes."""
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if request.pop("kind") == "idle":
                answer: object = uvloop.run(measure_idle(Idle(**request)))
            else:
                answer = asdict(uvloop.run(measure(Load(**request))))
        except (LoadError, OSError, TimeoutError, psutil.Error) as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
