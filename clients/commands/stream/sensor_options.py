"""The options that choose a scene, a sensor and a link, as dataclasses."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Final

import typer

from clients.commands.suggestions import no_such
from sensor_sim.burst import PixelFormat, SensorGeometry
from sensor_sim.camera import Camera, Shutter
from sensor_sim.charts import CHARTS
from sensor_sim.link import LinkConditions
from sensor_sim.profiles import PROFILES, Profile, ProfileError, Registers
from sensor_sim.readout import ReadoutTiming
from sensor_sim.scene import Scene
from sensor_sim.sensor import PRESETS, SensorConfig
from sensor_sim.window import Window, WindowError, parse_masks, parse_region

DEFAULT_LINE_TIME_US: Final = ReadoutTiming().line_time_us
SCENES: Final = ("photo", "pan", "sprite", "video", "webcam", *CHARTS)
MOST_REGIONS: Final = 16
"""Most regions, each with a connection of its own, that one command streams."""
FINE_PX: Final = 1000
"""Width and height of a picture whose pixels are small enough to say whether masks leave anything of a region."""
SCENE, SENSOR, LINK = "Scene", "Sensor", "Link between sensor and service"


@dataclass(frozen=True, slots=True)
class SceneChoice:
    """Scene in front of the sensor; see the options."""

    sources: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SOURCE",
            show_default=False,
            help="photographs, folders, globs, films, or a camera: rtsp://, http://, `webcam` or a device such as "
            "/dev/video0",
        ),
    ] = None
    samples: Annotated[bool, typer.Option("--samples", rich_help_panel=SCENE, help="add the sample photographs")] = (
        False
    )
    scene: Annotated[
        str | None,
        typer.Option(
            "--scene",
            metavar="NAME",
            rich_help_panel=SCENE,
            help=f"how sources are shown: {', '.join(SCENES)}; if not given, each source is recognised. `sprite` shows "
            "a background picture, and over it a moving bar or second picture",
        ),
    ] = None
    stdin: Annotated[
        str | None,
        typer.Option(
            "--stdin",
            metavar="FORMAT",
            rich_help_panel=SCENE,
            help="raw frames from another program on standard input: rgb8 or mono8; needs --size",
        ),
    ] = None
    size: Annotated[
        str | None,
        typer.Option("--size", metavar="WxH", rich_help_panel=SCENE, help="size of the frames on standard input"),
    ] = None
    camera_timeout_s: Annotated[
        float,
        typer.Option(
            "--camera-timeout-s",
            min=0.1,
            metavar="S",
            rich_help_panel=SCENE,
            help="seconds without a picture until a camera is lost and is connected again (HLS: three times as long)",
        ),
    ] = 10.0
    camera_ca: Annotated[
        Path | None,
        typer.Option(
            "--camera-ca",
            exists=True,
            dir_okay=False,
            metavar="FILE",
            rich_help_panel=SCENE,
            help="certificates (PEM) that are trusted for a camera's rtsps:// or https://",
        ),
    ] = None
    frames: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            rich_help_panel=SCENE,
            help="number of frames; if not given: one of each photograph, all of a film, --stdin or (`stream`) camera, "
            "else 1",
        ),
    ] = None
    speed_px_s: Annotated[
        float,
        typer.Option(
            "--speed-px-s",
            metavar="PX_S",
            rich_help_panel=SCENE,
            help="speed of a panning photograph or a sprite, in columns per second",
        ),
    ] = 200.0
    mask: Annotated[
        list[str] | None,
        typer.Option(
            "--mask",
            metavar="AREA",
            rich_help_panel=SCENE,
            show_default=False,
            help="area that is never sent: x,y,width,height or a polygon's x1,y1,x2,y2,x3,y3,... in percent of the "
            "picture, or a picture file whose black parts are the area; repeatable",
        ),
    ] = None
    crop: Annotated[
        list[str] | None,
        typer.Option(
            "--crop",
            metavar="NAME=X,Y,W,H",
            rich_help_panel=SCENE,
            show_default=False,
            help="region with its own stream and its own events, in percent of the picture; repeatable in `stream`",
        ),
    ] = None

    def windows(self) -> list[Window]:
        """Returns the window of each stream: one for each region, or one of the whole picture.

        Raises:
            WindowError: a mask or a region that can't be, two regions of one name, or one that is masked altogether.
        """
        masks = tuple(shape for text in self.mask or () for shape in parse_masks(text))
        regions = [parse_region(text) for text in self.crop or ()]
        names = [name for name, _ in regions]
        for name in names:
            if names.count(name) > 1:
                raise WindowError(f"crop {name}: two regions have this name")
        if len(regions) > MOST_REGIONS:
            raise WindowError(f"{len(regions)} regions are more than the {MOST_REGIONS} that one command streams")
        windows = [Window(name, region, masks) for name, region in regions] or [Window(masks=masks)]
        for window in windows:
            if masks and window.masked_share(FINE_PX, FINE_PX) == 1:
                place = f"crop {window.name}" if window.name else "picture"
                raise WindowError(
                    f"{place}: all of it is masked, so nobody can be found "
                    "(of a mask's picture, the black parts are masked)"
                )
        return windows


@dataclass(frozen=True, slots=True)
class SensorChoice:
    """The sensor that the options describe; see the options."""

    preset: Annotated[
        str, typer.Option(metavar="NAME", rich_help_panel=SENSOR, help=f"light and noise: {', '.join(PRESETS)}")
    ] = "ideal"
    profile: Annotated[
        str | None,
        typer.Option(
            "--profile",
            metavar="NAME",
            rich_help_panel=SENSOR,
            help=f"timing and registers of a real sensor: {', '.join(PROFILES)}",
        ),
    ] = None
    pixel_format: Annotated[
        PixelFormat,
        typer.Option(
            "--pixel-format",
            metavar="FORMAT",
            rich_help_panel=SENSOR,
            help=f"format of the pixels that the sensor sends: {', '.join(PixelFormat)}",
        ),
    ] = PixelFormat.RGB8
    shutter: Annotated[
        Shutter,
        typer.Option(
            "--shutter",
            metavar="NAME",
            rich_help_panel=SENSOR,
            help="rows are exposed one after the other (rolling) or all at the same time (global)",
        ),
    ] = Shutter.ROLLING
    exposure_lines: Annotated[
        int | None,
        typer.Option(metavar="N", rich_help_panel=SENSOR, help="register (with a profile): exposure in lines"),
    ] = None
    analog_gain: Annotated[
        int | None, typer.Option(metavar="N", rich_help_panel=SENSOR, help="register (with a profile): analog gain")
    ] = None
    frame_length_lines: Annotated[
        int | None,
        typer.Option(metavar="N", rich_help_panel=SENSOR, help="register (with a profile): lines in a frame"),
    ] = None
    exposure_samples: Annotated[
        int,
        typer.Option(
            min=1,
            max=64,
            metavar="N",
            rich_help_panel=SENSOR,
            help="number of moments of the exposure that are averaged, for motion blur: 1 to 64",
        ),
    ] = 1
    seed: Annotated[
        int, typer.Option(min=0, metavar="N", rich_help_panel=SENSOR, help="seed of noise, jitter and losses")
    ] = 0
    line_time_us: Annotated[
        float | None,
        typer.Option(
            min=0,
            metavar="US",
            rich_help_panel=SENSOR,
            help=f"microseconds from row to row; if not given: the profile's, else {DEFAULT_LINE_TIME_US}",
        ),
    ] = None
    frame_rate: Annotated[
        float | None,
        typer.Option(
            min=0.001,
            metavar="HZ",
            rich_help_panel=SENSOR,
            help="frames per second; if not given: the profile's, a film's or camera's, or as fast as rows are read",
        ),
    ] = None
    restart_on_exit: Annotated[
        bool,
        typer.Option(
            "--restart-on-exit", rich_help_panel=SENSOR, help="(`stream`) begin the next frame at once after an exit"
        ),
    ] = False

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
        profile = _found(self.profile)
        return profile.timing(geometry, self._registers(profile), restart_on_exit=self.restart_on_exit)

    def config(self, geometry: SensorGeometry) -> SensorConfig:
        """Response and noise, under the registers, binned as the profile's pixels are.

        Raises:
            ProfileError: an unknown preset, or an exposure that is longer than the frame.
        """
        if self.preset not in PRESETS:
            raise ProfileError(no_such("preset", self.preset, PRESETS))
        config = PRESETS[self.preset]
        period_us = self.timing(geometry).frame_period_us
        if self.profile:
            profile = _found(self.profile)
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


def _found(profile: str) -> Profile:
    """Returns the profile of a name.

    Raises:
        ProfileError: no profile has it.
    """
    if profile not in PROFILES:
        raise ProfileError(no_such("profile", profile, PROFILES))
    return PROFILES[profile]


@dataclass(frozen=True, slots=True)
class LinkChoice:
    """The link that the options describe; see the options."""

    bandwidth_mbit_s: Annotated[
        float | None,
        typer.Option(
            "--bandwidth-mbit-s",
            min=0.000001,
            metavar="MBIT_S",
            rich_help_panel=LINK,
            help="bandwidth of the link, megabits a second; without limit if not given",
        ),
    ] = None
    latency_ms: Annotated[
        float,
        typer.Option("--latency-ms", min=0, metavar="MS", rich_help_panel=LINK, help="delay of the link, each way"),
    ] = 0.0
    jitter_ms: Annotated[
        float,
        typer.Option(
            "--jitter-ms",
            min=0,
            metavar="MS",
            rich_help_panel=LINK,
            help="largest random delay on top of that, each way",
        ),
    ] = 0.0
    frame_loss: Annotated[
        float,
        typer.Option(
            min=0, max=1, metavar="SHARE", rich_help_panel=LINK, help="share of the frames that the link loses"
        ),
    ] = 0.0
    service_ms: Annotated[
        float,
        typer.Option(
            "--service-ms",
            min=0,
            metavar="MS",
            rich_help_panel=LINK,
            help="time until the service answers, in virtual time only",
        ),
    ] = 0.0

    def conditions(self, seed: int) -> LinkConditions:
        """Returns the link's conditions, its randomness from a seed."""
        bandwidth_bit_s = None if self.bandwidth_mbit_s is None else self.bandwidth_mbit_s * 1e6
        return LinkConditions(
            bandwidth_bit_s, self.latency_ms * 1e3, self.jitter_ms * 1e3, self.frame_loss, self.service_ms * 1e3, seed
        )
