import itertools
import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from clients.commands.main import app
from clients.commands.stream.scenes import geometry_of
from clients.commands.stream.sensor_options import SensorChoice
from clients.python.client import AsyncClient
from model.exit_policy import parse_policy
from model.picture import decode_frame
from model.scan import scan_frame
from sensor_sim.emitter import Observer
from sensor_sim.ledger import FrameReport
from sensor_sim.profiles import PROFILES, ProfileError
from sensor_sim.recording import Recording
from sensor_sim.scene import SceneError
from sensor_sim.sensor import PRESETS
from sensor_sim.uplink import ServiceChange, StreamError
from sensor_sim.video import VideoScene
from sensor_sim.window import Rectangle
from server.networks import ServedNetwork
from tests.clients.python.test_webhook import Receiver
from tests.networks import SMALL
from tests.service_process import hang_ups
from tests.waiting import until

AT_ONCE = ("--exit-threshold", 1e-6, "--skip-threshold", 0)
"""Exits at the first burst, whatever the network says."""
ENERGY = """
[sensor_active_mw]
value = 2
source = "made up"
[sensor_standby_mw]
value = 0.5
source = "made up"
[link_nj_byte]
value = 10
source = "made up"
[compute_pj_mac]
value = 5
source = "made up"
[macs_per_burst]
value = 1e6
source = "made up"
"""


def _run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "200"})


def _lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 50, 3), np.uint8)).save(path)
    return path


def test_the_ledger_s_figures_are_those_worked_out_by_hand(service_url: str, photo: Path, tmp_path: Path) -> None:
    """A burst every 500 us and 1 ms each way: burst 0 arrives at 1500, its exit is back at 2500.

    By then bursts 0 to 3 are sent, three of them in vain, and a fifth is read. The next frame starts at 10,000.
    """
    out, energy = tmp_path / "out.jsonl", tmp_path / "energy.toml"
    energy.write_text(ENERGY)
    timing = ("--line-time-us", 100, "--frame-rate", 100, "--latency-ms", 1, "--virtual-time")
    files = ("--ledger", out, "--energy", energy)
    done = _run("stream", photo, photo, "--url", service_url, "--variant", SMALL.name, *timing, *AT_ONCE, *files)
    assert done.exit_code == 0, done.output
    *frames, stream = _lines(out.read_text())
    for number, frame in enumerate(frames):
        assert frame.pop("decision")["burst_index"] == 0
        assert frame == {
            "type": "frame", "photo": "photo.png", "frame_id": number, "lost": False,
            "rows": 30, "rows_read": 25, "rows_sent": 20, "rows_skipped": 0, "rows_unread": 5,
            "bursts_sent": 4, "bytes_sent": 4 * 5 * 32 * 3, "bytes_saved": 2 * 5 * 32 * 3, "late_bursts": 3,
            "audited_bursts": 0,
            "start_us": 10_000 * number, "end_us": 10_000 * number + 2500, "next_us": 10_000 * (number + 1),
            "readout_time_us": 2500, "decision_us": 2500,
            # 2 mW for 2.5 ms and 0.5 mW for 7.5 ms; 10 nJ for each of 1,920 bytes; 5 pJ for each of 1 M operations
            "energy": {"sensor_uj": 8.75, "link_uj": pytest.approx(19.2), "compute_uj": 5.0},
        }  # fmt: skip
    assert len(frames) == 2
    assert (stream["type"], stream["frames"], stream["lost"], stream["exited"]) == ("stream", 2, 0, 2)
    assert (stream["rows"], stream["rows_read"], stream["rows_unread"], stream["late_bursts"]) == (60, 50, 10, 6)
    assert (stream["bytes_sent"], stream["bytes_saved"]) == (3840, 1920)
    assert (stream["mean_decision_us"], stream["mean_readout_time_us"]) == (2500, 2500)
    assert stream["energy"] == pytest.approx({"sensor_uj": 17.5, "link_uj": 38.4, "compute_uj": 10})
    assert stream["coefficients"]["sensor_active_mw"] == {"value": 2, "source": "made up"}


def test_the_ledger_is_whole_when_a_stream_breaks_off(
    service_url: str, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out.jsonl"
    emit = AsyncClient.emit

    def once(client: AsyncClient, *arguments: Any) -> Any:
        monkeypatch.setattr(AsyncClient, "emit", broken)
        return emit(client, *arguments)

    def broken(*_: Any) -> Any:
        raise StreamError("connection_lost", "the line was cut")

    monkeypatch.setattr(AsyncClient, "emit", once)
    options = ("--url", service_url, "--variant", SMALL.name, "--virtual-time", "--ledger", out)
    done = _run("stream", photo, photo, *options)
    assert done.exit_code == 2
    assert "the line was cut" in done.stderr
    assert re.search(r"^photo\.png .*\n1 frame: ", done.stdout, re.MULTILINE), "what was decided is told"
    assert [(line["type"], line.get("frames")) for line in _lines(out.read_text())] == [("frame", None), ("stream", 1)]


@pytest.mark.parametrize("form", ["plain", "json"])
def test_a_lost_service_is_told_and_so_is_that_it_is_back(
    service_url: str, photo: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    """The uplink says so to the observer that the command gives it."""

    class Shaken(AsyncClient):
        def __init__(self, *arguments: Any, observer: Observer, **named: Any) -> None:
            super().__init__(*arguments, observer=observer, **named)
            self.observer = observer

        async def emit(self, *arguments: Any) -> FrameReport:
            self.observer(ServiceChange(up=False, reason="the service closed the stream", patience_s=36.3))
            self.observer(ServiceChange(up=True))
            return await super().emit(*arguments)

    monkeypatch.setattr("clients.python.client.AsyncClient", Shaken)
    options = ("--url", service_url, "--variant", SMALL.name, "--virtual-time")
    done = _run("stream", photo, *options, *(("--json",) if form == "json" else ()))
    assert done.exit_code == 0, done.output
    if form == "plain":
        assert re.findall("the service .*", done.stderr) == [
            "the service closed the stream; trying again for up to 36 s",
            "the service is back",
        ]
    else:
        changes = [line for line in _lines(done.stdout) if line.get("type") == "service"]
        assert [(change["up"], change["reason"]) for change in changes] == [
            (False, "the service closed the stream"),
            (True, ""),
        ]


def test_an_interruption_ends_with_the_sums_so_far(
    service_url: str, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    emit, calls = AsyncClient.emit, iter(range(3))

    def twice(client: AsyncClient, *arguments: Any) -> Any:
        if next(calls) == 2:
            raise KeyboardInterrupt
        return emit(client, *arguments)

    monkeypatch.setattr(AsyncClient, "emit", twice)
    done = _run("stream", photo, "--repeat", "--url", service_url, "--variant", SMALL.name, "--virtual-time")
    assert done.exit_code == 130
    assert "2 frames: " in done.stdout


def test_nothing_is_written_over_unasked(service_url: str, photo: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.write_text("of yesterday")
    stream = ("stream", photo, "--url", service_url, "--variant", SMALL.name, "--virtual-time", "--ledger", out)
    for command in (stream, ("record", photo, "--variant", SMALL.name, "--out", out)):
        refused = _run(*command)
        assert (refused.exit_code, refused.stdout) == (2, "")
        assert "exists; --overwrite replaces it" in refused.stderr
        assert out.read_text() == "of yesterday"
        assert _run(*command, "--overwrite").exit_code == 0
        assert out.read_bytes() != b"of yesterday"
        out.write_text("of yesterday")


def test_lost_frames_are_told_and_accounted_for(service_url: str, photo: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    options = ("--url", service_url, "--variant", SMALL.name, "--virtual-time", "--ledger", out, "--frame-loss", 1)
    done = _run("stream", photo, *options, "--frames", 3)
    assert done.stdout.count("photo.png: lost on the link, 30 of 30 rows sent") == 3
    *frames, stream = _lines(out.read_text())
    assert [(frame["lost"], frame["decision"], frame["energy"]["sensor_uj"]) for frame in frames] == [
        (True, None, None)
    ] * 3
    assert (stream["lost"], stream["mean_decision_us"]) == (3, None)


def test_a_replayed_recording_is_decided_as_the_stream_was(service_url: str, photo: Path, tmp_path: Path) -> None:
    recording = tmp_path / "recording"
    sensor = ("--variant", SMALL.name, "--preset", "dusk", "--pixel-format", "bayer_gbrg8", "--seed", 5)
    scene = ("--scene", "pan", "--frames", 3, "--profile", "hm01b0-qqvga", "--analog-gain", 2, "--exposure-lines", 100)
    done = _run("record", photo, "--out", recording, *sensor, *scene)
    assert done.exit_code == 0, done.output
    assert "3 frames" in done.stdout
    config = Recording(recording).config
    assert config["scene"] == {"name": "pan", "files": [str(photo)], "speed_px_s": 200.0, "masks": [], "region": ""}
    assert config["sensor"]["exposure_us"] == pytest.approx(100 * PROFILES["hm01b0-qqvga"].line_time_us)
    common = ("--url", service_url, "--virtual-time", "--json", "--latency-ms", 2, "--jitter-ms", 3)
    streamed = _run("stream", photo, *sensor, *scene, *common)
    replayed = _run("replay", recording, *common, "--seed", 5)
    assert replayed.exit_code == 0, replayed.output

    def said(result: Result) -> list[dict[str, Any]]:
        lines = _lines(result.stdout)
        for line in lines:
            line.pop("photo", None)
            line.pop("compute_us", None)
            line.get("decision", {}).pop("compute_us", None)
            line.pop("token", None)
        return lines

    assert said(replayed) == said(streamed)
    assert [line["type"] for line in said(replayed)].count("report") == 3


def test_a_film_that_breaks_off_leaves_the_other_sources_alone(
    service_url: str, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("av", reason="PyAV (extra video) is not installed")
    from tests.films import write_film

    film = write_film(tmp_path / "film.mp4", (np.full((32, 32, 3), number, np.uint8) for number in range(6)), rate=8)
    whole = VideoScene._decode

    def breaking_off(scene: VideoScene) -> Iterator[Any]:
        yield from itertools.islice(whole(scene), 3)
        raise SceneError(f"{film}: the video breaks off")

    monkeypatch.setattr(VideoScene, "_decode", breaking_off)
    done = _run("stream", film, photo, "--url", service_url, "--variant", SMALL.name, "--virtual-time", "--json")
    assert done.exit_code == 1, done.output
    reports = [line for line in map(json.loads, done.stdout.splitlines()) if line["type"] == "report"]
    assert [line["photo"] for line in reports][-1] == photo.name
    assert 2 <= len(reports) <= 4
    assert done.stderr.count("the video breaks off") == 1


def test_a_webcam_is_not_recorded_without_an_end(tmp_path: Path) -> None:
    done = _run("record", "--scene", "webcam", "--out", tmp_path / "recording", "--variant", SMALL.name)
    assert done.exit_code == 2
    assert "a camera has no end" in " ".join(done.stderr.split())


def test_a_broken_recording_is_not_sent(service_url: str, photo: Path, tmp_path: Path) -> None:
    recording = tmp_path / "recording"
    _run("record", photo, photo, "--out", recording, "--variant", SMALL.name)
    recording.write_bytes(recording.read_bytes()[:-30])
    done = _run("replay", recording, "--url", service_url)
    assert done.exit_code == 2
    assert "truncated in record" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--preset", "noon"), "there is no preset 'noon'; there is ideal, daylight"),
        (("--profile", "other"), "there is no profile 'other'"),
        (("--profile", "hm01b0-qvga", "--line-time-us", 9), "come from the profile"),
        (("--exposure-lines", 9), "choose one with --profile"),
        (("--profile", "ov7670-vga", "--analog-gain", 2), "only the timing of this sensor is known"),
        (("--profile", "hm01b0-qvga", "--analog-gain", 3), "analog_gain must be one of 1, 2, 4, 8, 16"),
        (("--profile", "hm01b0-qvga", "--exposure-lines", 259), "exposure_lines must be 2 to 258"),
        (("--profile", "hm0360-qvga", "--exposure-lines", 262), "exposure_lines must be 2 to 261"),
        (("--profile", "hm01b0-qvga", "--frame-length-lines", 259), "frame_length_lines must be 260 to 65535"),
        (("--profile", "hm0360-qqvga", "--preset", "night"), "longer than a frame"),
        (("--variant", "210x240", "--profile", "hm0360-qqvga"), "choose a mode with more pixels"),
        (("--scene", "other"), "there is no scene 'other'"),
        (("--scene", "video", "PHOTO"), "is made of one file, not of 2 files"),
        (("--scene", "sprite", "PHOTO", "PHOTO"), "a photograph and, if you like, the sprite, not of 3 files"),
    ],
)
def test_a_sensor_that_can_t_be_had_is_told_in_a_line(
    photo: Path, tmp_path: Path, options: tuple[str, ...], complaint: str
) -> None:
    arguments = [str(photo) if option == "PHOTO" else str(option) for option in options]
    done = _run("record", photo, "--out", tmp_path / "out", *arguments)
    assert done.exit_code == 2, done.output
    assert complaint in done.stderr
    assert "Traceback" not in done.output


def test_registers_and_binning_change_the_sensor() -> None:
    geometry = geometry_of("105x120", SensorChoice())
    profile = PROFILES["hm01b0-qvga"]
    plain, indoor = SensorChoice("indoor", profile.name).config(geometry), PRESETS["indoor"]
    assert plain == indoor.binned(2)
    chosen = SensorChoice("indoor", profile.name, exposure_lines=50, analog_gain=8, frame_length_lines=300)
    config = chosen.config(geometry)
    assert config.exposure_us == pytest.approx(50 * profile.line_time_us)
    assert config.gain_dn_e == pytest.approx(8 * plain.gain_dn_e)
    assert chosen.timing(geometry).frame_period_us == pytest.approx(300 * profile.line_time_us)
    with pytest.raises(ProfileError, match="longer than a frame"):
        SensorChoice("dusk", frame_rate=60).config(geometry)


SHARES = {"left": 0.0, "corner": 25 / 52}
"""Shares of the regions behind the mask."""


def test_regions_decide_as_files_of_the_same_parts_do(
    service_url: str, photo: Path, tmp_path: Path, models: dict[str, ServedNetwork]
) -> None:
    out = tmp_path / "out.jsonl"
    regions = {"left": (0, 0, 50, 100), "corner": (48, 50, 52, 50)}
    crops = [
        option for name, region in regions.items() for option in ("--crop", f"{name}={','.join(map(str, region))}")
    ]
    options = ("--url", service_url, "--variant", SMALL.name, "--virtual-time", "--json", "--ledger", out)
    done = _run("stream", photo, photo, *crops, *options, "--policy", "never", "--mask", "75,0,25,100")
    assert done.exit_code == 0, done.output
    lines, ledger = _lines(done.stdout), _lines(out.read_text())
    for name, region in regions.items():
        part = tmp_path / f"{name}.png"
        with Image.open(photo) as image:
            image.paste((0, 0, 0), Rectangle(75, 0, 25, 100).box(image.height, image.width))
            image.crop(Rectangle(*region).box(image.height, image.width)).save(part)
        frame = decode_frame(part.read_bytes(), SMALL.height, SMALL.width)
        expected = scan_frame(models[SMALL.name].runtime, frame, parse_policy({"name": "never"})).p_person
        said = [line for line in lines if line.get("region") == name]
        assert [line["decision"]["p_person"] for line in said if line["type"] == "report"] == [expected] * 2
        assert [line["frames"] for line in said if line["type"] == "summary"] == [2]
        kept = [line for line in ledger if line["region"] == name]
        assert kept[-1].get("masked_share", 0.0) == pytest.approx(SHARES[name], abs=1 / SMALL.width)
        assert [line["type"] for line in kept] == ["frame", "frame", "stream"]
    plain = _run("stream", photo, *crops, "--url", service_url, "--variant", SMALL.name, "--virtual-time")
    assert "left: photo.png: " in plain.stdout
    assert "2 frames: " in plain.stdout


@pytest.mark.parametrize("scene", [("PHOTO",), ("PHOTO", "--scene", "pan"), ("--scene", "street")])
def test_a_masked_half_is_black_in_what_is_sent(photo: Path, tmp_path: Path, scene: tuple[str, ...]) -> None:
    out = tmp_path / "out"
    sources = [str(photo) if part == "PHOTO" else part for part in scene]
    done = _run("record", *sources, "--out", out, "--variant", SMALL.name, "--mask", "0,0,50,100")
    assert done.exit_code == 0, done.output
    recording = Recording(out)
    (frame,) = recording.frames()
    rows = np.concatenate([burst.rows for burst in frame.bursts])
    assert not rows[:, : SMALL.width // 2 - 1].any()  # of the column at the border, a part is seen
    assert rows[:, SMALL.width // 2 + 1 :].any()
    assert recording.config["scene"]["masks"] == ["0,0,50,100"]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--crop", "a=0,0,50,50", "--crop", "a=50,0,50,50"), "two regions have this name"),
        (("--crop", "a=0,0,50,50", "--crop", "b=50,0,50,50"), "a recording holds one stream"),
        (("--crop", "a=0,0,50,50", "--scene", "pan"), "not of the scene 'pan'"),
        (("--mask", "0,0,50"), "mask 0,0,50: expected"),
        (("--mask", "missing.png"), "no picture file, and no places in percent"),
        (("--mask", "0,0,60,100", "--mask", "50,0,100,0,100,100,50,100"), "picture: all of it is masked"),
        (("--mask", "0,0,60,100", "--crop", "door=10,10,50,50"), "crop door: all of it is masked"),
        (("--crop", "door=40,0,70,100"), "x + width is 110"),
    ],
)
def test_a_window_that_can_t_be_is_told_in_a_line(
    photo: Path, tmp_path: Path, options: tuple[str, ...], complaint: str
) -> None:
    done = _run("record", photo, "--out", tmp_path / "out", "--variant", SMALL.name, *options)
    assert done.exit_code == 2, done.output
    assert complaint in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_stream_in_order(service_url: str, tmp_path: Path, number: int) -> None:
    """As systemd, Docker and a closed terminal end it: the ledger is closed, announcements are delivered."""
    photo, ledger = tmp_path / "photo.png", tmp_path / "ledger.jsonl"
    Image.fromarray(np.full((40, 48, 3), 90, np.uint8)).save(photo)
    receiver = Receiver(*[503] * 2)
    command = [sys.executable, "-m", "clients.commands.main", "stream", photo, "--repeat", "--ledger", ledger]
    options = ["--url", service_url, "--variant", SMALL.name, "--webhook", receiver.url]
    with hang_ups(signal.SIG_DFL):
        process = subprocess.Popen(list(map(str, [*command, *options])), stdout=subprocess.DEVNULL)
    try:
        until(lambda: receiver.heard)  # the network of the tests sees a person in everything
        process.send_signal(number)
        assert process.wait(60) == -number
    finally:
        process.kill()
        process.wait()
        receiver.close()
    assert receiver.taken, "what the receiver refused at first"
    assert _lines(ledger.read_text())[-1]["type"] == "stream"


def test_an_empty_folder_ends_with_the_status_for_nothing_found(service_url: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = _run("stream", tmp_path / "empty", "--url", service_url, "--variant", SMALL.name, "--virtual-time")
    assert done.exit_code == 3
    assert f"there are no pictures in {tmp_path / 'empty'}; pictures are files of JPEG" in done.stderr
