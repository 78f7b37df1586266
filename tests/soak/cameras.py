"""A camera and a service that come and go under a stream, which goes on and tells the truth.

    make camera-soak MINUTES=10     killed, frozen and restarted, five times in all; the service once

An RTSP camera, a process of its own, shows a person and an empty place in turn. `rascanet stream` is run as the command
runs it; each picture shown is also decided offline. In the end every decision is the offline one, the events are those
of the offline decisions, and memory did not grow.
"""

import argparse
import json
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import psutil
from PIL import Image

from clients.commands.ports import free_port
from clients.commands.stream.scenes import Filming, News, Shot, geometry_of
from clients.commands.stream.sending import Feed, OutputChoice, send
from clients.commands.stream.sensor_options import SceneChoice, SensorChoice
from clients.python.client import AsyncClient
from clients.python.presence import presence_events
from model.checkpoint import load_checkpoint, shipped_weights
from model.exit_policy import parse_policy
from model.runtime import load_runtime
from model.scan import scan_frame
from sensor_sim.camera import Camera
from sensor_sim.scene import sample_photos
from tests.service_process import QUICK, resumable_service

VARIANT = "105x120"
POLICY: dict[str, Any] = {"name": "published"}
TIMEOUT_S = 1.5
GROWTH = 1.05
"""Of resident memory from the second quarter of the time to the end, at most."""
PERSON, EMPTY = "astronaut.png", "coffee.png"


class Source:
    """The camera's process, on one port through all its lives."""

    def __init__(self, pictures: Sequence[Path], each_s: float) -> None:
        self.port = free_port()
        self._options = ["--pictures", ",".join(map(str, pictures)), "--each-s", str(each_s)]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"rtsp://127.0.0.1:{self.port}/live"

    def start(self) -> None:
        command = [sys.executable, "-m", "tests.cameras", "--port", str(self.port), *self._options]
        self._process = subprocess.Popen(command)

    def end(self) -> None:
        """Kills the camera, frozen or not."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        if self._process:
            self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        if self._process:
            self._process.send_signal(signal.SIGCONT)


@dataclass
class Story:
    """What happened over the time of a run.

    Attributes:
        ledger: entries of the frames.
        events: appeared and left, as the stream told them.
        changes: losses and returns of the camera, as the stream told them.
        offline: P(person) of each picture shown, decided offline.
        memory_bytes: resident memory of the stream, each half second.
        summary: the service's account.
    """

    ledger: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    changes: list[dict[str, Any]] = field(default_factory=list)
    offline: list[float] = field(default_factory=list)
    memory_bytes: list[int] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)

    def faults(self, losses: int) -> list[str]:
        """What is wrong with the run but for its memory, in words; nothing where it is right.

        Args:
            losses: how often the camera was lost at least; on a busy machine a slow camera counts as lost too.
        """
        found = []
        decided = [entry["decision"]["p_person"] for entry in self.ledger if not entry["lost"]]
        if decided != self.offline:
            found.append(f"{len(decided)} decisions are not the {len(self.offline)} made offline")
        frames = [(entry["start_us"] / 1e6, p) for entry, p in zip(self.ledger, self.offline, strict=False)]
        expected = [asdict(event) for event in presence_events(frames)]
        told = [{name: event[name] for name in ("turn", "since_s", "time_s")} for event in self.events]
        if told != expected:
            found.append(f"told {told}, offline {expected}")
        if not {"appeared", "left"} <= {event["turn"] for event in self.events}:
            found.append("nobody appeared, or nobody left: the pictures say nothing")
        states = [change["state"] for change in self.changes]
        if states != ["lost", "back"] * max(losses, len(states) // 2):
            found.append(f"the camera was lost {losses} times, and {states} was told")
        if not self.summary:
            found.append("the stream did not end by itself")
        return found

    def growth(self) -> float:
        """Resident memory at the end over that of the second quarter of the time."""
        quarter = len(self.memory_bytes) // 4
        return max(self.memory_bytes[-quarter // 2 :]) / max(self.memory_bytes[quarter : 2 * quarter])


def _shown(shots: Iterator[News], story: Story, done: threading.Event) -> Iterator[News]:
    """Yields the shots until the run is over, and decides each picture offline."""
    runtime, policy = load_runtime(load_checkpoint(shipped_weights(VARIANT))), parse_policy(POLICY)
    for news in shots:
        if done.is_set():
            return
        if isinstance(news, Shot):
            assert isinstance(news.reader, Camera)
            story.offline.append(scan_frame(runtime, news.reader.frame(), policy).p_person)
        yield news


def run(acts: Sequence[Callable[[Source, "Service"], None]], between_s: float, each_s: float) -> Story:
    """Streams a camera through acts that befall it or the service, one after the other.

    Args:
        acts: what happens; each leaves camera and service running.
        between_s: quiet before each act, and at the end.
        each_s: time for which each of the two pictures is shown.
    """
    story, done = Story(), threading.Event()
    photos = {path.name: path for path in sample_photos()}
    with tempfile.TemporaryDirectory() as folder:
        pictures = []
        for name in (PERSON, EMPTY):
            pictures.append(Path(folder) / name)
            Image.open(photos[name]).convert("RGB").resize((320, 240)).save(pictures[-1])
        ledger, said = Path(folder) / "ledger.jsonl", Path(folder) / "said.jsonl"
        source, service = Source(pictures, each_s), Service()
        source.start()
        try:
            process = psutil.Process()

            def befall() -> None:
                try:
                    for act in acts:
                        _quiet(between_s, story, process)
                        act(source, service)
                        _until_a_picture_is_shown(story)
                    _quiet(between_s, story, process)
                finally:
                    done.set()

            _until_it_listens(source.port)
            sensor = SensorChoice()
            geometry = geometry_of(VARIANT, sensor)
            choice = SceneChoice([source.url], camera_timeout_s=TIMEOUT_S)
            client = partial(AsyncClient, service.url, VARIANT, policy=POLICY, backoff=QUICK)
            befalling = threading.Thread(target=befall)
            with said.open("w") as output, redirect_stdout(output), Filming(choice, sensor, geometry) as filming:
                befalling.start()
                feed = Feed("", _shown(filming.shots(), story, done), partial(client, timing=filming.timing))
                send([feed], OutputChoice(as_json=True, events=True, ledger=ledger))
            befalling.join()
            lines = [json.loads(line) for line in said.read_text().splitlines()]
            story.events = [line for line in lines if line["type"] == "event"]
            story.changes = [line for line in lines if line["type"] == "camera"]
            story.summary = next((line for line in lines if line["type"] == "summary"), {})
            entries = [json.loads(line) for line in ledger.read_text().splitlines()]
            story.ledger = [entry for entry in entries if entry["type"] == "frame"]
        finally:
            source.end()
            service.end()
    return story


class Service:
    """The service's process, on one port through all its lives, with a resume key that they share."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._process = resumable_service(self.port)

    def restart(self) -> None:
        """Kills the service and starts it again."""
        self.end()
        self._process = resumable_service(self.port)

    def end(self) -> None:
        self._process.kill()
        self._process.wait()


def killed(source: Source, _: Service) -> None:
    """The camera loses its power for a moment."""
    source.end()
    time.sleep(0.5)
    source.start()


def frozen(source: Source, _: Service) -> None:
    """The camera hangs for longer than the stream waits, and goes on."""
    source.freeze()
    time.sleep(2.5 * TIMEOUT_S)
    source.thaw()


def hung_up(source: Source, service: Service) -> None:
    """The camera hangs and is replaced."""
    source.freeze()
    time.sleep(2 * TIMEOUT_S)
    killed(source, service)


def service_killed(_: Source, service: Service) -> None:
    """The service dies in the middle of a frame and starts again."""
    service.restart()


def _until_it_listens(port: int) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert time.monotonic() < deadline, "the camera did not start"
            time.sleep(0.05)
        else:
            return


def _until_a_picture_is_shown(story: Story) -> None:
    shown, deadline = len(story.offline), time.monotonic() + 60
    while len(story.offline) == shown:
        assert time.monotonic() < deadline, "no picture came any more"
        time.sleep(0.05)


def _quiet(seconds: float, story: Story, process: psutil.Process) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.5)
        story.memory_bytes.append(process.memory_info().rss)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=10.0)
    minutes = parser.parse_args().minutes
    acts = [killed, frozen, hung_up, service_killed, killed, frozen]
    story = run(acts, 60 * minutes / (len(acts) + 1), each_s=5.0)
    for change in story.changes:
        print(f"{change['at']}  {change['state']}  {change['reason']}")
    last = len(story.memory_bytes) - 1
    memory = ", ".join(f"{story.memory_bytes[last * quarter // 4] / 1e6:.1f}" for quarter in range(5))
    print(
        f"{len(story.ledger)} frames, {len(story.events)} events, {len(story.changes)} changes of the camera; "
        f"memory by quarters of the time: {memory} MB"
    )
    faults = story.faults(losses=5)
    if story.growth() > GROWTH:
        faults.append(f"memory grew {story.growth():.3f} times")
    for fault in faults:
        print(fault)
    raise SystemExit(1 if faults else 0)


if __name__ == "__main__":
    main()
