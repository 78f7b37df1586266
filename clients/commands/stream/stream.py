"""`rascanet stream`: what a simulated sensor sees, to a service, burst by burst; `rascanet replay`: a recording."""

import json
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clients.commands.console import console, fail, failing_on
from clients.commands.policy import ExitThreshold, Policy, SkipThreshold, Variant, policy_of
from clients.commands.service import DEFAULT_URL, BearerToken, Url
from clients.commands.stream import sensor_options
from clients.python.presence import Presence
from sensor_sim.burst import PixelFormat
from sensor_sim.camera import Shutter
from sensor_sim.readout import Reader
from sensor_sim.wire import encode

if TYPE_CHECKING:
    from sensor_sim.ledger import FrameLedger, StreamLedger

VirtualTime = Annotated[bool, typer.Option(help="as fast as possible instead of in real time, with the same results")]
AsJson = Annotated[bool, typer.Option("--json", help="one JSON object a line, for programs")]
Ledger = Annotated[Path | None, typer.Option(help="file for what each frame cost and saved, a JSON object a line")]
Energy = Annotated[Path | None, typer.Option(help="coefficients of the ledger's energy estimate (docs/sensor.md)")]

Events = Annotated[bool, typer.Option("--events", help="say when a person appeared and left (see `rascanet events`)")]

Shot = tuple[str, Reader, float | None]
"""Name, what reads the frame, and when its readout starts (None: when the timing says)."""


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command("stream")(stream)
    app.command("replay")(replay)


def stream(
    photos: sensor_options.Photos = None,
    samples: Annotated[bool, typer.Option("--samples", help="also the sample photographs")] = False,
    repeat: Annotated[bool, typer.Option("--repeat", help="over and over, until interrupted")] = False,
    url: Url = DEFAULT_URL,
    variant: Variant = "105x120",
    line_time_us: sensor_options.LineTime = None,
    frame_rate: sensor_options.FrameRate = None,
    virtual_time: VirtualTime = False,
    scene: sensor_options.SceneName = "photo",
    frames: sensor_options.Frames = None,
    speed_px_s: sensor_options.Speed = 200.0,
    preset: sensor_options.Preset = "ideal",
    profile: sensor_options.ProfileName = None,
    pixel_format: sensor_options.Format = PixelFormat.RGB8,
    shutter: sensor_options.ShutterName = Shutter.ROLLING,
    exposure_lines: sensor_options.ExposureLines = None,
    analog_gain: sensor_options.AnalogGain = None,
    frame_length_lines: sensor_options.FrameLengthLines = None,
    exposure_samples: sensor_options.ExposureSamples = 1,
    seed: sensor_options.Seed = 0,
    restart_on_exit: sensor_options.RestartOnExit = False,
    bandwidth_mbit_s: sensor_options.Bandwidth = None,
    latency_ms: sensor_options.Latency = 0.0,
    jitter_ms: sensor_options.Jitter = 0.0,
    frame_loss: sensor_options.FrameLoss = 0.0,
    service_ms: sensor_options.ServiceTime = 0.0,
    ledger: Ledger = None,
    energy: Energy = None,
    events: Events = False,
    policy: Policy = "published",
    exit_threshold: ExitThreshold = None,
    skip_threshold: SkipThreshold = None,
    as_json: AsJson = False,
    bearer_token: BearerToken = None,
) -> None:
    """Streams photographs, moving scenes, videos or charts; prints bursts as they are decided, ends with a table."""
    from sensor_sim.profiles import ProfileError
    from sensor_sim.scene import SceneError, sample_photos

    choice = sensor_options.SensorChoice(
        preset,
        profile,
        pixel_format,
        shutter,
        exposure_lines,
        analog_gain,
        frame_length_lines,
        exposure_samples,
        seed,
        line_time_us,
        frame_rate,
        restart_on_exit,
    )
    sources = [*(photos or []), *(sample_photos() if samples else [])]
    with failing_on(ProfileError, SceneError, ValueError):
        geometry = sensor_options.geometry_of(variant, pixel_format)
        shots = sensor_options.cameras(
            scene, sources, choice, geometry, frames=frames, speed_px_s=speed_px_s, repeat=repeat
        )
        timing = choice.timing(geometry)
        options = {
            "policy": policy_of(policy, exit_threshold, skip_threshold),
            "pixel_format": pixel_format,
            "bearer_token": bearer_token,
            "timing": timing,
            "link": sensor_options.link_conditions(
                bandwidth_mbit_s, latency_ms, jitter_ms, frame_loss, service_ms, seed
            ),
        }
        _send(
            ((name, camera, None) for name, camera in shots),
            url,
            variant,
            options,
            virtual_time,
            ledger,
            energy,
            as_json,
            Presence() if events else None,
        )


def replay(
    recording: Annotated[Path, typer.Argument(help="file that `rascanet record` wrote")],
    url: Url = DEFAULT_URL,
    virtual_time: VirtualTime = False,
    ledger: Ledger = None,
    energy: Energy = None,
    bandwidth_mbit_s: sensor_options.Bandwidth = None,
    latency_ms: sensor_options.Latency = 0.0,
    jitter_ms: sensor_options.Jitter = 0.0,
    frame_loss: sensor_options.FrameLoss = 0.0,
    service_ms: sensor_options.ServiceTime = 0.0,
    seed: sensor_options.Seed = 0,
    events: Events = False,
    policy: Policy = "published",
    exit_threshold: ExitThreshold = None,
    skip_threshold: SkipThreshold = None,
    as_json: AsJson = False,
    bearer_token: BearerToken = None,
) -> None:
    """Sends a recording to a service, bit for bit and at its own times; the service's exits and skips are obeyed."""
    from sensor_sim.recording import Recording, RecordingError

    with failing_on(RecordingError, ValueError):
        recorded = Recording(recording)
        recorded.check()  # nothing of a broken file is sent
        options = {
            "policy": policy_of(policy, exit_threshold, skip_threshold),
            "pixel_format": recorded.geometry.pixel_format,
            "bearer_token": bearer_token,
            "timing": recorded.timing,
            "link": sensor_options.link_conditions(
                bandwidth_mbit_s, latency_ms, jitter_ms, frame_loss, service_ms, seed
            ),
        }
        variant = f"{recorded.geometry.height}x{recorded.geometry.width}"
        shots = ((f"frame {frame.frame_id}", frame.read, frame.start_us) for frame in recorded.frames())
        _send(shots, url, variant, options, virtual_time, ledger, energy, as_json, Presence() if events else None)


def _send(
    shots: Iterator[Shot],
    url: str,
    variant: str,
    options: dict[str, Any],
    virtual_time: bool,
    ledger_file: Path | None,
    energy_file: Path | None,
    as_json: bool,
    presence: Presence | None,
) -> None:
    """Streams the shots, shows them and what turns over them, and keeps the ledger."""
    from clients.commands.stream.view import JsonView, LiveView, PlainView, result_table
    from clients.python.client import Client, stream_url
    from sensor_sim.clock import VirtualClock
    from sensor_sim.emitter import FrameLostError
    from sensor_sim.ledger import EnergyError, FrameReport, StreamLedger, read_energy
    from sensor_sim.profiles import ProfileError
    from sensor_sim.scene import SceneError
    from sensor_sim.uplink import StreamError

    view = JsonView() if as_json else LiveView(console) if console.is_terminal else PlainView()
    reports: deque[tuple[str, FrameReport]] = deque(maxlen=1000)  # bounds --repeat; the table shows the last ones
    with failing_on(StreamError, SceneError, ProfileError, EnergyError, ValueError, OSError):
        account = StreamLedger(read_energy(energy_file) if energy_file else None)
        first = next(shots, None)  # a scene that can't be shown is told before the service is asked
        if first is None:
            fail("there are no frames to send")
        client = Client(
            stream_url(url),
            variant,
            progress_every=1,
            clock=VirtualClock() if virtual_time else None,
            observer=view.observe,
            **options,
        )
        with _ledger_lines(ledger_file, account) as enter, suppress(KeyboardInterrupt), view, client:
            for name, reader, start_us in chain([first], shots):
                view.begin(name, client.geometry)
                try:
                    report = client.emit(reader, start_us)
                except FrameLostError as lost:
                    view.lost(lost.ledger)
                    enter(name, lost.ledger)
                else:
                    view.end(report)
                    turned = presence and presence.add(report.decision.p_person, report.start_us / 1e6)
                    if turned:
                        view.turned(turned)
                    reports.append((name, report))
                    enter(name, report)
            summary = client.end()
            if as_json:
                print(encode(summary))
    if not as_json:
        console.print(result_table(reports))


@contextmanager
def _ledger_lines(path: Path | None, account: "StreamLedger") -> "Iterator[Callable[[str, FrameLedger], None]]":
    """Takes frames into the account and writes a line each; ends with the stream's, however the stream ended."""
    with path.open("w") if path else nullcontext() as lines:

        def enter(name: str, frame: "FrameLedger") -> None:
            entry = account.add(frame)
            if lines:
                print(json.dumps({"photo": name} | entry), file=lines, flush=True)

        try:
            yield enter
        finally:
            if lines:
                print(json.dumps(account.total()), file=lines)
