"""`rascanet record`: what a simulated sensor emits, to a file, without a service."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from clients.commands.console import SOME_FAILED, console, failing_on, say
from clients.commands.names import shown
from clients.commands.outputs import Overwrite, check_outputs, naming
from clients.commands.policy import Variant
from clients.commands.stream.sensor_options import SceneChoice, SensorChoice
from clients.commands.stream.view import live_words
from clients.commands.table import counted
from clients.commands.takes import takes
from model.config import DEFAULT_VARIANT


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("record")(takes(record))


def record(
    scene: SceneChoice,
    sensor: SensorChoice,
    out: Annotated[
        Path,
        typer.Option(metavar="FILE", help="file to write, usually .rscn; the demo page plays it if you drop it there"),
    ],
    variant: Variant = DEFAULT_VARIANT,
    overwrite: Overwrite = False,
) -> None:
    """Records whole frames (rows, time stamps, configuration) into a file. `rascanet replay` sends them to a service.

    Examples:
        rascanet record photo.jpg --out photo.rscn
        rascanet record film.mp4 --preset dusk --out dusk.rscn
    """
    from clients.commands.sources import SourceError
    from clients.commands.stream.cameras import is_camera
    from clients.commands.stream.scenes import Filming, Shot, geometry_of
    from sensor_sim.live import LiveChange
    from sensor_sim.profiles import ProfileError
    from sensor_sim.recording import Recorder
    from sensor_sim.scene import SceneError
    from sensor_sim.window import WindowError

    check_outputs(overwrite=overwrite, out=out)
    frames, faults, start_us, pixels_bytes = 0, 0, 0.0, 0
    with failing_on(ProfileError, SceneError, SourceError, WindowError, ValueError):
        geometry = geometry_of(variant, sensor)
        window, *more = scene.windows()
        if more:
            raise WindowError("a recording holds one stream: name one --crop, or record each region by itself")
        endless = scene.scene == "webcam" or any(is_camera(source) for source in scene.sources or [])
        if scene.frames is None and endless:
            raise SceneError("a camera has no end: say with --frames how many are recorded")
        with Filming(scene, sensor, geometry, in_order=scene.stdin is not None) as filming:
            settings = {
                "choice": asdict(sensor),
                "sensor": asdict(sensor.config(geometry)),
                "scene": {
                    "name": scene.scene or "photo",
                    "files": filming.names,
                    "speed_px_s": scene.speed_px_s,
                    "masks": list(scene.mask or []),
                    "region": (scene.crop or [""])[0],
                },
            }
            timing = filming.timing
            with naming(out), Recorder(out, geometry, timing, settings) as recorder:
                taken_s = None
                for shot in filming.shots(window):
                    if isinstance(shot, LiveChange):
                        say(live_words(shot))
                    if not isinstance(shot, Shot):
                        continue
                    if shot.taken_s is not None and scene.stdin is None:
                        taken_s = shot.taken_s if taken_s is None else taken_s
                        start_us = max(start_us, (shot.taken_s - taken_s) * 1e6)
                    if shot.reader is None:
                        say(shot.fault)
                        faults += 1
                        continue
                    pixels_bytes += recorder.write_frame(start_us, shot.reader(frames, start_us))
                    frames += 1
                    start_us = timing.next_frame_us(start_us, timing.row_read_us(start_us, geometry.height - 1))
    console.print(
        f"{shown(out)}: {counted(frames, 'frame')}, {pixels_bytes / 1000:.1f} kB of pixels, {start_us / 1e6:.3f} s",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
    if faults:
        raise typer.Exit(SOME_FAILED)
