"""The options that choose a scene, a sensor and a link, and the cameras they come to."""

import itertools
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from sensor_sim.burst import PixelFormat, SensorGeometry
from sensor_sim.camera import Camera, Shutter
from sensor_sim.charts import CHARTS, chart
from sensor_sim.link import LinkConditions
from sensor_sim.profiles import PROFILES, Profile, ProfileError, Registers, find_profile
from sensor_sim.readout import ReadoutTiming
from sensor_sim.scene import Scene, SceneError, StillScene, panning_photo, photo_frame, photos_in, sprite_over
from sensor_sim.sensor import PRESETS, SensorConfig
from sensor_sim.video import VideoScene

DEFAULT_LINE_TIME_US = 125.3
SCENES = ("photo", "pan", "sprite", "video", "webcam", *CHARTS)
DEFAULT_WEBCAM = "/dev/video0"

Photos = Annotated[
    list[Path] | None,
    typer.Argument(
        help="photographs or folders of them, one frame each; or a video; or a webcam; for a sprite the background "
        "and, if you like, the sprite"
    ),
]
SceneName = Annotated[str, typer.Option("--scene", help=f"what is seen: {', '.join(SCENES)}")]
Frames = Annotated[
    int | None,
    typer.Option(min=1, help="frames (photographs: one each; a video: to its end; other scenes: 1)"),
]
Speed = Annotated[float, typer.Option("--speed-px-s", help="of a panning photograph or a sprite, columns a second")]
Preset = Annotated[str, typer.Option(help=f"light and noise: {', '.join(PRESETS)}")]
ProfileName = Annotated[str | None, typer.Option("--profile", help=f"a real sensor's timing: {', '.join(PROFILES)}")]
Format = Annotated[
    PixelFormat, typer.Option("--pixel-format", help="what the sensor sends; the service makes RGB of it")
]
ShutterName = Annotated[Shutter, typer.Option("--shutter", help="how rows expose")]
ExposureLines = Annotated[int | None, typer.Option(help="register: exposure in lines (with a profile)")]
AnalogGain = Annotated[int | None, typer.Option(help="register: analog gain (with a profile)")]
FrameLengthLines = Annotated[int | None, typer.Option(help="register: lines a frame (with a profile)")]
ExposureSamples = Annotated[int, typer.Option(min=1, max=64, help="moments averaged over the exposure: motion blur")]
Seed = Annotated[int, typer.Option(min=0, help="of all noise")]
LineTime = Annotated[float | None, typer.Option(min=0, help=f"from one row to the next ({DEFAULT_LINE_TIME_US})")]
FrameRate = Annotated[float | None, typer.Option(min=0.001, help="frames a second; as fast as read if not given")]
RestartOnExit = Annotated[bool, typer.Option("--restart-on-exit", help="an exit starts the next frame at once")]
Bandwidth = Annotated[float | None, typer.Option("--bandwidth-mbit-s", min=0.000001, help="of the link; no limit")]
Latency = Annotated[float, typer.Option("--latency-ms", min=0, help="of the link, each way")]
Jitter = Annotated[float, typer.Option("--jitter-ms", min=0, help="at most so much more, each way")]
FrameLoss = Annotated[float, typer.Option(min=0, max=1, help="share of the frames that the link loses")]
ServiceTime = Annotated[float, typer.Option("--service-ms", min=0, help="time to an answer, in virtual time")]


@dataclass(frozen=True, slots=True)
class SensorChoice:
    """The sensor that the options describe; see the options."""

    preset: str = "ideal"
    profile: str | None = None
    pixel_format: PixelFormat = PixelFormat.RGB8
    shutter: Shutter = Shutter.ROLLING
    exposure_lines: int | None = None
    analog_gain: int | None = None
    frame_length_lines: int | None = None
    exposure_samples: int = 1
    seed: int = 0
    line_time_us: float | None = None
    frame_rate: float | None = None
    restart_on_exit: bool = False

    def timing(self, geometry: SensorGeometry) -> ReadoutTiming:
        """Line and frame time.

        Raises:
            ProfileError: options that don't go together, an unknown profile or an illegal register.
        """
        if not self.profile:
            if self._sets_registers:
                raise ProfileError("registers belong to a sensor: choose one with --profile")
            period_us = 1e6 / self.frame_rate if self.frame_rate else None
            line_time_us = DEFAULT_LINE_TIME_US if self.line_time_us is None else self.line_time_us
            return ReadoutTiming(line_time_us, period_us, self.restart_on_exit)
        if self.line_time_us is not None or self.frame_rate is not None:
            raise ProfileError("--line-time-us and --frame-rate come from the profile; leave them or it out")
        profile = find_profile(self.profile)
        return profile.timing(geometry, self._registers(profile), restart_on_exit=self.restart_on_exit)

    def config(self, geometry: SensorGeometry) -> SensorConfig:
        """Response and noise, under the registers, binned as the profile's pixels are.

        Raises:
            ProfileError: an unknown preset, or an exposure that is longer than the frame.
        """
        if self.preset not in PRESETS:
            raise ProfileError(f"there is no preset {self.preset!r}; there is {', '.join(PRESETS)}")
        config = PRESETS[self.preset]
        period_us = self.timing(geometry).frame_period_us
        if self.profile:
            profile = find_profile(self.profile)
            registers = self._registers(profile)
            if registers:
                config = profile.exposed(config, registers)
            if self.preset != "ideal":
                config = config.binned(profile.binning(geometry))
        if period_us and config.exposure_us > period_us and self.preset != "ideal":
            raise ProfileError(
                f"the exposure of {config.exposure_us:g} us is longer than a frame of {period_us:g} us; lower the "
                "frame rate, or stretch the frame with --frame-length-lines, or set --exposure-lines"
            )
        return config

    def camera(self, scene: Scene, geometry: SensorGeometry) -> Camera:
        """The sensor in front of a scene."""
        timing, config = self.timing(geometry), self.config(geometry)
        return Camera(scene, geometry, timing, config, self.shutter, self.exposure_samples, self.seed)

    @property
    def _sets_registers(self) -> bool:
        return any(value is not None for value in (self.exposure_lines, self.analog_gain, self.frame_length_lines))

    def _registers(self, profile: Profile) -> Registers | None:
        if not self._sets_registers:
            return None
        gain = 1 if self.analog_gain is None else self.analog_gain
        automatic = profile.registers(PRESETS[self.preset].exposure_us, gain, self.frame_length_lines)
        if self.exposure_lines is None:
            return automatic
        registers = replace(automatic, exposure_lines=self.exposure_lines)
        profile.check(registers)
        return registers


def link_conditions(
    bandwidth_mbit_s: float | None, latency_ms: float, jitter_ms: float, frame_loss: float, service_ms: float, seed: int
) -> LinkConditions:
    """The link that the options describe."""
    bandwidth_bit_s = None if bandwidth_mbit_s is None else bandwidth_mbit_s * 1e6
    return LinkConditions(bandwidth_bit_s, latency_ms * 1e3, jitter_ms * 1e3, frame_loss, service_ms * 1e3, seed)


def geometry_of(variant: str, pixel_format: PixelFormat) -> SensorGeometry:
    """The geometry that a variant's name states, `{height}x{width}`.

    Raises:
        SceneError: another kind of name.
    """
    height, _, width = variant.partition("x")
    try:
        return SensorGeometry(int(height), int(width), pixel_format=pixel_format)
    except ValueError:
        raise SceneError(f"{variant!r} is not a variant such as 105x120") from None


def cameras(
    scene: str,
    sources: list[Path],
    choice: SensorChoice,
    geometry: SensorGeometry,
    *,
    frames: int | None,
    speed_px_s: float,
    repeat: bool = False,
) -> Iterator[tuple[str, Camera]]:
    """A name and a camera for each frame.

    Raises:
        SceneError: an unknown scene, or sources that it can't be made of.
        ProfileError: options that don't go together.
    """
    if scene not in SCENES:
        raise SceneError(f"there is no scene {scene!r}; there is {', '.join(SCENES)}")
    if scene == "photo":
        paths = [path for source in sources for path in photos_in(source)]
        if not paths:
            raise SceneError("name photographs, or --samples where the extra 'samples' is installed")
        endless = repeat or (frames or 0) > len(paths)
        for path in itertools.islice(itertools.cycle(paths) if endless else paths, frames):
            yield path.name, choice.camera(StillScene(photo_frame(path, geometry)), geometry)
        return
    with ExitStack() as opened:
        looked_at, name, endless = _moving_scene(scene, sources, geometry, speed_px_s, opened)
        camera = choice.camera(looked_at, geometry)
        count = None if repeat or (endless and frames is None) else frames or 1
        for number in itertools.count() if count is None else range(count):
            yield f"{name} {number}", camera
            if isinstance(looked_at, VideoScene) and looked_at.ended:
                return


def _moving_scene(
    scene: str, sources: list[Path], geometry: SensorGeometry, speed_px_s: float, opened: ExitStack
) -> tuple[Scene, str, bool]:
    """The scene, its name, and whether it goes on until it ends by itself."""
    if scene in CHARTS:
        return chart(scene, geometry), scene, False
    if scene == "webcam":
        device = str(sources[0]) if sources else DEFAULT_WEBCAM
        return opened.enter_context(VideoScene(device, geometry, webcam=True)), device, True
    most = 2 if scene == "sprite" else 1
    if not 1 <= len(sources) <= most:
        files = "a photograph and, if you like, the sprite" if scene == "sprite" else "one file"
        raise SceneError(f"the scene {scene!r} is made of {files}, not of {len(sources)} files")
    name = sources[0].name
    if scene == "video":
        video = opened.enter_context(VideoScene(sources[0], geometry))
        opened.callback(_tell_damage, video, name)
        return video, name, True
    if scene == "pan":
        return panning_photo(sources[0], geometry, speed_px_s), name, False
    sprite = sources[1] if len(sources) > 1 else None
    return sprite_over(sources[0], sprite, geometry, speed_px_s), name, False


def _tell_damage(video: VideoScene, name: str) -> None:
    if video.damaged_packets:
        print(f"rascanet: {name}: {video.damaged_packets} damaged parts of the film were skipped", file=sys.stderr)
