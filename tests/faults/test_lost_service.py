"""A service, or one of its workers, killed or drained under load: every client ends with the decisions made offline."""

import asyncio
import signal
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator

import psutil
import pytest

from clients.commands.ports import free_port
from clients.python.client import AsyncClient
from model.checkpoint import load_checkpoint, shipped_weights
from model.exit_policy import NeverExitPolicy, PublishedPolicy, describe_policy
from sensor_sim.burst import Frame
from sensor_sim.readout import ReadoutTiming
from sensor_sim.wire import Decision
from tests.faults.offline import Offline, random_frames
from tests.faults.proxy import FaultyProxy
from tests.service_process import QUICK, metric, resumable_service, service_process
from tests.waiting import until

FRAMES = 12
STREAMS = 6


async def _stream(
    url: str, frames: list[Frame], policies: list[NeverExitPolicy | PublishedPolicy], over: threading.Event
) -> tuple[list[list[Decision]], int]:
    """The decisions of one stream a policy, all at once, on the frames again and again until it is over.

    The number beside them says how often the streams connected again.
    """
    timing = ReadoutTiming(line_time_us=800, frame_period_us=84_000)  # a second for all the frames

    def rounds() -> Iterator[Frame]:
        yield from frames
        while not over.is_set():
            yield from frames

    async def one(policy: NeverExitPolicy | PublishedPolicy) -> tuple[list[Decision], int]:
        async with AsyncClient(url, policy=describe_policy(policy), timing=timing, backoff=QUICK) as client:
            return [report.decision async for report in client.stream(rounds())], client.resumed

    found = await asyncio.gather(*map(one, policies))
    return [decisions for decisions, _ in found], sum(resumed for _, resumed in found)


def _stream_while(port: int, disturb: Callable[[], None], least_resumed: int) -> None:
    """Streams while something happens to the service; judges the decisions."""
    checkpoint = load_checkpoint(shipped_weights("105x120"))
    frames = random_frames(FRAMES, checkpoint.config.frame_shape)
    offline = Offline(checkpoint, frames)
    policies: list[NeverExitPolicy | PublishedPolicy] = [NeverExitPolicy(), offline.exits] * (STREAMS // 2)
    over = threading.Event()

    def until_over() -> None:
        try:
            disturb()
        finally:
            over.set()

    disturbing = threading.Thread(target=until_over)
    disturbing.start()
    try:
        found, resumed = asyncio.run(_stream(f"http://127.0.0.1:{port}", frames, policies, over))
    finally:
        disturbing.join(60)
    assert resumed >= least_resumed
    for policy, decisions in zip(policies, found, strict=True):
        for first in range(0, len(decisions), FRAMES):
            offline.judge(decisions[first : first + FRAMES], policy)


def _until_all_stream(port: int) -> None:
    """Returns once a service has all streams, and has decided as many frames."""
    url = f"http://127.0.0.1:{port}"
    until(lambda: metric(url, "rascanet_streams") == STREAMS and metric(url, "rascanet_decisions_total") >= STREAMS)


@pytest.mark.parametrize("stop", [signal.SIGKILL, signal.SIGTERM], ids=["kill", "drain"])
def test_decisions_survive_the_service(stop: signal.Signals) -> None:
    """Streams go on at another replica with the same key."""
    ports = [free_port(), free_port()]
    replicas = [resumable_service(port) for port in ports]
    proxy = FaultyProxy(ports[0])

    def replace() -> None:
        _until_all_stream(ports[0])
        proxy.service_port = ports[1]
        replicas[0].send_signal(stop)
        assert replicas[0].wait(30) == (0 if stop is signal.SIGTERM else -stop)

    try:
        _stream_while(proxy.port, replace, least_resumed=STREAMS)
    finally:
        proxy.close()
        for replica in replicas:
            replica.kill()
            replica.wait(10)


OLD_KEY, NEW_KEY = "o" * 32, "n" * 32


def _refused_tokens(port: int) -> bool:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        return "_token" in answer.read().decode()


def test_decisions_survive_a_change_of_the_key() -> None:
    """In three steps: everybody takes the new key, everybody signs with it, nobody takes the old one any more."""
    ports = [free_port() for _ in range(4)]
    replicas = [resumable_service(ports[0], keys=OLD_KEY)]
    proxy = FaultyProxy(ports[0])
    refused: list[bool] = []

    def rotate() -> None:
        for port, keys in zip(ports[1:], (f"{OLD_KEY} {NEW_KEY}", f"{NEW_KEY} {OLD_KEY}", NEW_KEY), strict=True):
            replicas.append(resumable_service(port, keys=keys))
            proxy.service_port = port
            replicas[-2].terminate()
            assert replicas[-2].wait(30) == 0
            _until_all_stream(port)  # and have tokens of this replica
            refused.append(_refused_tokens(port))

    try:
        _stream_while(proxy.port, rotate, least_resumed=3 * STREAMS)
        assert refused == [False] * 3, "a stream began anew, as its token was refused"
    finally:
        proxy.close()
        for replica in replicas:
            replica.kill()
            replica.wait(10)


def _streams_of(worker: psutil.Process) -> int:
    return sum(connection.status == psutil.CONN_ESTABLISHED for connection in worker.net_connections("tcp"))


def test_decisions_survive_a_worker() -> None:
    port = free_port()
    service = resumable_service(port, "--workers", "2")
    killed: list[psutil.Process] = []

    def kill() -> None:
        _until_all_stream(port)
        busiest = max(psutil.Process(service.pid).children(), key=_streams_of)
        assert _streams_of(busiest) >= STREAMS // 2
        busiest.kill()
        killed.append(busiest)

    try:
        _stream_while(port, kill, least_resumed=STREAMS // 2)
        assert killed
        assert service.poll() is None, "the others went on"
    finally:
        service.terminate()
        assert service.wait(30) == 0


@pytest.mark.parametrize("killed", [True, False], ids=["killed", "hung"])
def test_a_stop_waits_for_no_answer_of_a_lost_worker(killed: bool) -> None:
    with service_process("--drain-s", "0", "--workers", "2") as (_, service):
        worker = next(child for child in psutil.Process(service.pid).children() if child.net_connections("tcp"))
        worker.suspend()
        try:
            time.sleep(2)  # the parent looks after its workers every half second: it has asked this one
            if killed:
                worker.kill()
            service.terminate()
            assert service.wait(30) == 0  # and not after the minute in which a worker is to answer
            assert not worker.is_running()
        finally:
            if worker.is_running():
                worker.kill()
