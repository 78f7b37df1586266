"""`rascanet record`: what a simulated sensor emits, to a file, without a service."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from clients.commands.console import console, failing_on
from clients.commands.policy import Variant
from clients.commands.stream import sensor_options
from sensor_sim.burst import PixelFormat
from sensor_sim.camera import Shutter


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("record")(record)


def record(
    out: Annotated[Path, typer.Option(help="file to write")],
    photos: sensor_options.Photos = None,
    samples: Annotated[bool, typer.Option("--samples", help="also the sample photographs")] = False,
    variant: Variant = "105x120",
    line_time_us: sensor_options.LineTime = None,
    frame_rate: sensor_options.FrameRate = None,
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
) -> None:
    """Records whole frames in virtual time: rows, time stamps and configuration; `rascanet replay` sends them."""
    from sensor_sim.profiles import ProfileError
    from sensor_sim.recording import Recorder
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
    )
    sources = [*(photos or []), *(sample_photos() if samples else [])]
    with failing_on(ProfileError, SceneError, ValueError, OSError):
        geometry = sensor_options.geometry_of(variant, pixel_format)
        timing = choice.timing(geometry)
        shots = sensor_options.cameras(scene, sources, choice, geometry, frames=frames, speed_px_s=speed_px_s)
        names: list[str] = []
        settings = {
            "choice": asdict(choice),
            "sensor": asdict(choice.config(geometry)),
            "scene": {"name": scene, "files": [str(source) for source in sources], "speed_px_s": speed_px_s},
        }
        start_us, pixels = 0.0, 0
        with Recorder(out, geometry, timing, settings) as recorder:
            for name, camera in shots:
                pixels += recorder.write_frame(start_us, camera(len(names), start_us))
                names.append(name)
                start_us = timing.next_frame_us(start_us, timing.row_read_us(start_us, geometry.height - 1))
    console.print(f"{out}: {len(names)} frames, {pixels / 1000:.1f} kB of pixels, {start_us / 1e6:.3f} s")
