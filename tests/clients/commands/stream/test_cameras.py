import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from clients.commands.main import app
from clients.commands.stream import cameras
from clients.commands.stream.cameras import CAMERA_PASSWORD, CAMERA_USER
from clients.python.client import AsyncClient
from model.picture import resized
from sensor_sim.recording import Recording
from tests.cameras import MjpegCamera, show_in_turn
from tests.networks import SMALL

LEVELS = (40, 120, 200)
PLAIN = [np.full((48, 64, 3), level, np.uint8) for level in LEVELS]
SHOW = show_in_turn(PLAIN, 0.3)
RATE = 20
PASSWORD = "very/secret?"  # noqa: S105 - of the test's own camera


def _run(*arguments: object, env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "200"} | (env or {}))


def _lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def camera() -> Iterator[MjpegCamera]:
    with MjpegCamera(SHOW, RATE, user="joe", password=PASSWORD) as camera:
        yield camera


def test_a_camera_is_streamed_with_the_clock_s_times_and_its_password_is_nowhere(
    service_url: str, camera: MjpegCamera, tmp_path: Path
) -> None:
    ledger = tmp_path / "ledger.jsonl"
    place, options = camera.url + "?key=5ecret", ("--url", service_url, "--variant", SMALL.name, "--ledger", ledger)
    env = {CAMERA_USER: "joe", CAMERA_PASSWORD: PASSWORD}
    said = [
        _run("stream", place, *options, "--frames", 12, "--json", "--events", env=env),
        _run("stream", place, *options, "--frames", 2, "--overwrite", env=env),
        _run("stream", place, *options, "--frames", 2, "--overwrite", env={CAMERA_USER: "joe", CAMERA_PASSWORD: "x"}),
    ]
    assert [each.exit_code for each in said] == [0, 0, 2], [each.output for each in said]
    assert f"{camera.url}: it refuses the name or password; set {CAMERA_USER}" in said[2].stderr
    reports = [line for line in _lines(said[0].stdout) if line["type"] == "report"]
    assert [report["photo"] for report in reports] == [f"{camera.url} {number}" for number in range(12)]
    assert all("taken_at" in report for report in reports)
    entries = _lines(ledger.read_text())[:-1]
    times = [entry["taken_at"] for entry in entries]
    assert len(times) == 2
    assert times == sorted(times)
    assert all(time.endswith("Z") and time[10] == "T" for time in times)
    everything = "".join([*(each.output for each in said), ledger.read_text()])
    for secret in (PASSWORD, "very%2F", "5ecret", "joe"):
        assert secret not in everything


def test_regions_of_a_camera_are_streams_of_the_same_pictures(service_url: str, tmp_path: Path) -> None:
    halves = np.zeros((48, 64, 3), np.uint8)
    halves[:, 32:] = 255
    ledger = tmp_path / "ledger.jsonl"
    options = ("--url", service_url, "--variant", SMALL.name, "--ledger", ledger, "--frames", 4, "--frame-rate", 10)
    with MjpegCamera(lambda _: halves, 4) as camera:  # slowly: both streams see a picture before the next one comes
        done = _run("stream", camera.url, *options, "--crop", "dark=0,0,50,100", "--crop", "bright=50,0,50,100")
    assert done.exit_code == 0, done.output
    entries = [entry for entry in _lines(ledger.read_text()) if entry["type"] == "frame"]
    said = {name: [entry for entry in entries if entry["region"] == name] for name in ("dark", "bright")}
    assert {name: len(each) for name, each in said.items()} == {"dark": 4, "bright": 4}
    p_persons = [{entry["decision"]["p_person"] for entry in each} for each in said.values()]
    assert p_persons[0].isdisjoint(p_persons[1])
    assert {entry["taken_at"] for entry in said["dark"]} & {entry["taken_at"] for entry in said["bright"]}


def test_a_stream_stays_open_while_its_camera_is_silent(
    start: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = start(idle_s=1.5)
    with MjpegCamera(SHOW, RATE) as camera:
        told: list[dict[str, Any]] = []
        thaw = threading.Timer(3.0, camera.thaw)
        whole = AsyncClient.emit

        async def freezing(client: AsyncClient, *arguments: Any) -> Any:
            report = await whole(client, *arguments)
            if not thaw.is_alive() and not told:
                told.append({})
                camera.freeze()
                thaw.start()
            return report

        monkeypatch.setattr(AsyncClient, "emit", freezing)
        options = ("--url", url, "--variant", SMALL.name, "--frames", 20, "--json", "--camera-timeout-s", 1)
        done = _run("stream", camera.url, *options)
        thaw.join()
    assert done.exit_code == 0, done.output
    lines = _lines(done.stdout)
    states = [line["state"] for line in lines if line["type"] == "camera"]
    assert states[:2] == ["lost", "back"]
    (summary,) = [line for line in lines if line["type"] == "summary"]
    assert summary["frames"] == 20


def test_a_camera_is_recorded_at_its_own_times(camera: MjpegCamera, tmp_path: Path) -> None:
    out = tmp_path / "out"
    env = {CAMERA_USER: "joe", CAMERA_PASSWORD: PASSWORD}
    done = _run("record", camera.url, "--frames", 5, "--variant", SMALL.name, "--out", out, env=env)
    assert done.exit_code == 0, done.output
    recording = Recording(out)
    starts_us = [frame.start_us for frame in recording.frames()]
    assert starts_us[0] == 0
    assert all(later > before for before, later in pairwise(starts_us))
    assert recording.config["scene"]["files"] == [camera.url]
    assert b"joe" not in out.read_bytes()


def test_a_rate_takes_the_newest_pictures_at_most_so_often(camera: MjpegCamera, tmp_path: Path) -> None:
    out = tmp_path / "out"
    options = ("--frames", 4, "--frame-rate", 5, "--variant", SMALL.name, "--out", out)
    done = _run("record", camera.url, *options, env={CAMERA_USER: "joe", CAMERA_PASSWORD: PASSWORD})
    assert done.exit_code == 0, done.output
    starts_us = [frame.start_us for frame in Recording(out).frames()]
    assert starts_us[-1] >= 3 * 0.2e6 - 1e6 / RATE


def test_a_recording_of_a_camera_has_an_end(tmp_path: Path) -> None:
    done = _run("record", "rtsp://127.0.0.1:1/live", "--variant", SMALL.name, "--out", tmp_path / "out")
    assert done.exit_code == 2
    assert "say with --frames how many are recorded" in done.stderr


@pytest.fixture
def standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[bytes], None]]:
    """Puts bytes where the command reads standard input."""
    opened = []

    def put(content: bytes) -> None:
        path = tmp_path / "input"
        path.write_bytes(content)
        opened.append(os.open(path, os.O_RDONLY))
        monkeypatch.setattr(cameras, "STANDARD_INPUT_DESCRIPTOR", opened[-1])

    yield put
    for descriptor in opened:
        os.close(descriptor)


def test_raw_frames_are_recorded_one_and_all(standard_input: Callable[[bytes], None], tmp_path: Path) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (7, 33, 41, 3), np.uint8)
    standard_input(frames.tobytes())
    out = tmp_path / "out"
    raw = ("--stdin", "rgb8", "--size", "41x33", "--frame-rate", 10)
    done = _run("record", *raw, "--variant", SMALL.name, "--out", out)
    assert done.exit_code == 0, done.output
    recorded = list(Recording(out).frames())
    assert [frame.start_us for frame in recorded] == [number * 1e5 for number in range(7)]
    for frame, shown in zip(recorded, frames, strict=True):
        rows = np.concatenate([burst.rows for burst in frame.bursts])
        assert np.array_equal(rows, resized(Image.fromarray(shown), SMALL.height, SMALL.width))


def test_raw_frames_are_streamed_to_their_end(standard_input: Callable[[bytes], None], service_url: str) -> None:
    standard_input(bytes(7 * 32 * 32))
    options = ("--stdin", "mono8", "--size", "32x32", "--url", service_url, "--variant", SMALL.name)
    done = _run("stream", *options, "--virtual-time", "--json")
    assert done.exit_code == 0, done.output
    assert _lines(done.stdout)[-1]["frames"] == 7
    standard_input(bytes(7 * 32 * 32 + 5))
    done = _run("stream", *options, "--virtual-time")
    assert done.exit_code == 2
    assert "standard input: it ended after 5 of the 1024 bytes" in done.stderr


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("rtsp://joe:5ecret@127.0.0.1/live",), "holds a name or password"),
        (("RTSP://joe:5ecret@127.0.0.1/live",), "holds a name or password"),
        (("rtps://joe:5ecret@127.0.0.1/live",), "a camera has an address such as rtsp://camera/live"),
        (("rtsp://127.0.0.1:1/live",), "rtsp://127.0.0.1:1/live: connection refused"),
        (("rtsp://127.0.0.1:1/live", "--virtual-time"), "runs in real time"),
        (("rtsp://127.0.0.1:1/live", "photo.png"), "nothing can come after it"),
        (("--stdin", "rgb8"), "--stdin and --size belong together"),
        (("--size", "3x3"), "--stdin and --size belong together"),
        (("webcam", "--stdin", "rgb8", "--size", "3x3"), "--stdin is the only source"),
        (("--stdin", "rgb8", "--size", "3"), "such as 640x480"),
    ],
)
def test_a_source_that_can_t_be_is_told_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], complaint: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("photo.png").write_bytes(b"")
    done = _run("stream", *options, "--variant", SMALL.name)
    assert done.exit_code == 2, done.output
    assert complaint in done.stderr
    assert "5ecret" not in done.output


RECIPES = {
    "ffmpeg": "ffmpeg -v error -f lavfi -i testsrc=size=64x48:rate=10 -frames:v 5 -f rawvideo -pix_fmt rgb24 -",
    "gst-launch-1.0": (
        "gst-launch-1.0 -q videotestsrc num-buffers=5 ! videoconvert ! "
        "video/x-raw,format=RGB,width=64,height=48 ! fdsink"
    ),
}
"""Programs of docs/cameras.md, with a test picture in place of the camera."""


@pytest.mark.parametrize("program", RECIPES)
def test_other_programs_send_raw_frames(program: str, tmp_path: Path) -> None:
    if not shutil.which(program):
        pytest.skip(f"{program} is not installed (make cameras)")
    out = tmp_path / "out.rscn"
    command = [sys.executable, "-m", "clients.commands.main", "record", "--stdin", "rgb8", "--size", "64x48"]
    command += ["--variant", SMALL.name, "--out", str(out)]
    with subprocess.Popen(RECIPES[program].split(), stdout=subprocess.PIPE) as sending:
        subprocess.run(command, stdin=sending.stdout, check=True, timeout=60)
    recorded = list(Recording(out).frames())
    assert len(recorded) == 5
    assert recorded[0].bursts[0].rows.std() > 10
