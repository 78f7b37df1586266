"""Shots of a stream: the scene of each frame and the start of its readout, from the sources named."""

import itertools
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from types import TracebackType
from typing import Final, Self

import numpy as np

from clients.commands.console import need, say
from clients.commands.sources import Picture, check_paths, matches, pictures
from clients.commands.stream.sensor_options import SCENES, SceneChoice, SensorChoice
from model.picture import USUAL_LIMITS, PictureError, decode_picture
from sensor_sim.burst import Frame, Rows, SensorGeometry
from sensor_sim.camera import Camera
from sensor_sim.charts import CHARTS, chart
from sensor_sim.readout import Reader, ReadoutTiming
from sensor_sim.scene import (
    MaskedScene,
    Scene,
    SceneError,
    StillScene,
    Times,
    panning_photo,
    sample_photos,
    sprite_over,
)
from sensor_sim.video import VideoScene
from sensor_sim.window import Window
from server.errors import ServiceError

WEBCAM: Final = "webcam"
DEFAULT_WEBCAM: Final = "/dev/video0"
DEVICES: Final = "/dev/video"
VIDEO_SUFFIXES: Final = (
    ".3gp", ".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ogv", ".webm", ".wmv",
)  # fmt: skip
"""Endings of video files; a file of another ending is a photograph unless `--scene video` says otherwise."""
MOVING: Final = ("video", "webcam")


@dataclass(frozen=True, slots=True)
class Shot:
    """One frame to come.

    Attributes:
        name: name of the source shown.
        reader: reads the frame out; None if it can't be shown.
        start_us: start of the readout, us since the stream began; None: as the timing says.
        fault: why it can't be shown.
    """

    name: str
    reader: Reader | None
    start_us: float | None = None
    fault: str = ""


@dataclass(slots=True)
class _Playing:
    """A film that begins with the first frame that shows it.

    Attributes:
        film: the video.
        ahead_us: how far ahead it is seen: half a picture lets an exposure at the film's own rate lie within one
            picture, not across two.
        begun_us: start of the first frame, us since the stream began; None before.
    """

    film: VideoScene
    ahead_us: float
    begun_us: float | None = None

    def rows(self, first_row: int, times_us: Times) -> Frame:
        return self.film.rows(first_row, times_us - (self.begun_us or 0.0) + self.ahead_us)

    def reader(self, camera: Camera) -> Reader:
        """Returns the camera as a reader that begins the film."""

        def read(frame_id: int, start_us: float) -> Iterator[Rows]:
            if self.begun_us is None:
                self.begun_us = start_us
            return camera(frame_id, start_us)

        return read


@dataclass(frozen=True, slots=True)
class _Part:
    """Sources that make one scene, or photographs one after the other."""

    kind: str
    sources: list[str]


def geometry_of(variant: str, sensor: SensorChoice) -> SensorGeometry:
    """Returns the geometry that a variant's name states, `{height}x{width}`.

    Raises:
        SceneError: another kind of name.
    """
    height, _, width = variant.partition("x")
    try:
        return SensorGeometry(int(height), int(width), pixel_format=sensor.pixel_format)
    except ValueError:
        raise SceneError(f"{variant!r} is not a variant such as 105x120") from None


class Filming:
    """A sensor in front of its sources, as a context manager that lets go of videos and webcams.

    Args:
        scene: the scene of every frame.
        sensor: the sensor.
        geometry: geometry of the frames.
        window: the part of every picture that is shown; None: all of it.
        repeat: true if the sources are shown over and over.

    Attributes:
        timing: line and frame time; at the rate of the first video, unless the options name another.

    Raises:
        SceneError: an unknown scene, or sources that it can't be made of.
        SourceError: a source that isn't there.
        ProfileError: options that don't go together.
    """

    def __init__(
        self,
        scene: SceneChoice,
        sensor: SensorChoice,
        geometry: SensorGeometry,
        window: Window | None = None,
        *,
        repeat: bool = False,
    ) -> None:
        if scene.scene not in (None, *SCENES):
            raise SceneError(f"there is no scene {scene.scene!r}; there is {', '.join(SCENES)}")
        sources = [*(scene.sources or []), *(map(str, sample_photos()) if scene.samples else [])]
        check_paths(source for source in sources if source != WEBCAM and not source.startswith(DEVICES))
        self._scene, self._geometry, self._repeat = scene, geometry, repeat
        self._window = window or Window()
        self._parts = list(_parts(sources, scene.scene))
        if not self._parts:
            raise SceneError("name photographs, videos or a webcam, or --samples (needs the extra 'samples')")
        self._first_film: VideoScene | None = None
        self._film: VideoScene | None = None  # the one that is open; there is one at a time
        self.timing: ReadoutTiming = sensor.timing(geometry)
        drawn = [part.kind for part in self._parts if part.kind not in ("photo", *MOVING)]
        if self._window.region and drawn:
            raise SceneError(f"a region is cut out of photographs, videos and cameras, not of the scene {drawn[0]!r}")
        films = [part for part in self._parts if part.kind in MOVING]
        if films:
            need("av")
            with suppress(SceneError):  # told when its turn comes
                self._first_film = self._opened(films[0])
                if sensor.frame_rate is None and not sensor.profile:
                    sensor = replace(sensor, frame_rate=self._first_film.rate_fps)
                    self.timing = sensor.timing(geometry)
        self._sensor = sensor
        sensor.config(geometry)  # options that don't go together are told before anything is sent

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._film:
            self._film.close()

    def shots(self) -> Iterator[Shot]:
        """Yields the frames in order: as many as the options say, or all that there are.

        Raises:
            SceneError: there is nothing to show.
        """
        frames = self._scene.frames
        if self._parts[0].kind not in (*MOVING, "photo"):
            frames = None if self._repeat else frames or 1
        return itertools.islice(self._rounds(), frames)

    def _rounds(self) -> Iterator[Shot]:
        again = self._repeat or (self._scene.frames is not None and all(each.kind == "photo" for each in self._parts))
        while True:
            shown = False
            for part in self._parts:
                for shot in self._part(part):
                    shown = True
                    yield shot
            if not shown:
                raise SceneError(f"there are no pictures in {', '.join(part.sources[0] for part in self._parts)}")
            if not again:
                return

    def _part(self, part: _Part) -> Iterator[Shot]:
        if part.kind == "photo":
            for picture in pictures(part.sources):
                yield self._photo(picture)
        elif part.kind in MOVING:
            yield from self._film_shots(part)
        else:
            scene, name = self._moving(part)
            if self._window.masks:
                scene = MaskedScene(scene, self._window.covered(self._geometry.height, self._geometry.width))
            camera = self._sensor.camera(scene, self._geometry)
            for number in itertools.count():
                yield Shot(f"{name} {number}", camera)

    def _photo(self, picture: Picture) -> Shot:
        name = PurePath(picture.name).name
        try:
            whole = np.asarray(decode_picture(picture.read(USUAL_LIMITS.most_bytes)))
            frame = self._window.frame(whole, self._geometry.height, self._geometry.width)
        except (ServiceError, PictureError) as error:
            return Shot(name, None, fault=f"{picture.name}: {error}")
        return Shot(name, self._sensor.camera(StillScene(frame), self._geometry))

    def _film_shots(self, part: _Part) -> Iterator[Shot]:
        name = PurePath(part.sources[0]).name
        film, self._first_film = self._first_film, None
        try:
            film = film or self._opened(part)
        except SceneError as error:
            yield Shot(name, None, fault=str(error))
            return
        ahead_us = (self.timing.frame_period_us or 0.0) / 2 if part.kind == "video" else 0.0
        playing = _Playing(film, ahead_us)
        reader = playing.reader(self._sensor.camera(playing, self._geometry))
        for number in itertools.count():
            yield Shot(f"{name} {number}", reader)
            if film.ended:
                break
        film.close()
        self._film = None
        if film.damaged_packets:
            say(f"{name}: {film.damaged_packets} damaged parts of the film were skipped")

    def _opened(self, part: _Part) -> VideoScene:
        self._film = VideoScene(part.sources[0], self._geometry, self._window, webcam=part.kind == "webcam")
        return self._film

    def _moving(self, part: _Part) -> tuple[Scene, str]:
        if part.kind in CHARTS:
            return chart(part.kind, self._geometry), part.kind
        files = [Path(source) for source in part.sources]
        most = 2 if part.kind == "sprite" else 1
        if not 1 <= len(files) <= most:
            wanted = "a photograph and, if you like, the sprite" if part.kind == "sprite" else "one photograph"
            raise SceneError(f"the scene {part.kind!r} is made of {wanted}, not of {len(files)} files")
        speed_px_s = self._scene.speed_px_s
        if part.kind == "pan":
            return panning_photo(files[0], self._geometry, speed_px_s), files[0].name
        sprite = files[1] if len(files) > 1 else None
        return sprite_over(files[0], sprite, self._geometry, speed_px_s), files[0].name


def _parts(sources: list[str], scene: str | None) -> Iterator[_Part]:
    """Yields the sources by their kinds, neighbours of one kind together where they make one scene."""
    if scene == "webcam":
        yield _Part("webcam", [_device(source) for source in sources[:1] or [WEBCAM]])
    elif scene == "video":
        if len(sources) != 1:
            raise SceneError(f"the scene 'video' is made of one file, not of {len(sources)} files")
        yield _Part("video", sources)
    elif scene in CHARTS or (scene and (scene != "photo" or sources)):
        yield _Part(scene, sources)
    elif scene is None:
        found = (path for source in sources for path in _expanded(source))
        for kind, several in itertools.groupby(found, _kind):
            if kind == "photo":
                yield _Part(kind, list(several))
            else:
                yield from (_Part(kind, [_device(source)]) for source in several)


def _expanded(source: str) -> Iterator[str]:
    """Yields the files of a pattern that names videos; anything else as it is."""
    found = [] if source == WEBCAM or Path(source).exists() else list(matches(source))
    yield from found if any(_kind(each) == "video" for each in found) else [source]


def _kind(source: str) -> str:
    if source == WEBCAM or source.startswith(DEVICES):
        return "webcam"
    return "video" if source.lower().endswith(VIDEO_SUFFIXES) and not Path(source).is_dir() else "photo"


def _device(source: str) -> str:
    return DEFAULT_WEBCAM if source == WEBCAM else source
