"""Shots of a stream: the scene of each frame and the start of its readout, from the sources named."""

import itertools
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from types import TracebackType
from typing import Final, Self

import numpy as np

from clients.commands.console import need, no_samples, say
from clients.commands.sources import VIDEO_SUFFIXES, NoPicturesError, Picture, check_paths, matches, pictures
from clients.commands.stream.cameras import WEBCAM, is_camera, live_camera, live_input
from clients.commands.stream.playing import Playing
from clients.commands.stream.sensor_options import SCENES, SceneChoice, SensorChoice
from clients.commands.suggestions import no_such
from model.picture import USUAL_LIMITS, PictureError, decode_picture
from sensor_sim.burst import SensorGeometry
from sensor_sim.camera import Camera
from sensor_sim.charts import CHARTS, chart
from sensor_sim.live import LiveChange, LivePicture, LiveRate, LiveReader, LiveSource
from sensor_sim.readout import Reader, ReadoutTiming
from sensor_sim.scene import (
    MaskedScene,
    Scene,
    SceneError,
    StillScene,
    panning_photo,
    sample_photos,
    sprite_over,
)
from sensor_sim.video import VideoScene
from sensor_sim.window import Window
from server.errors import ServiceError

LIVE: Final = ("camera", "stdin")
MOVING: Final = ("video", *LIVE)
TICK_S: Final = 0.5
"""Longest wait for a live source's picture before the caller has its turn."""


@dataclass(frozen=True, slots=True)
class Shot:
    """One frame to come.

    Attributes:
        name: name of the source shown.
        reader: reads the frame out; None if it can't be shown.
        start_us: start of the readout, us since the stream began; None: as the timing says.
        fault: why it can't be shown.
        taken_s: time at which a live source's picture came, seconds since 1970; None: the source is not live.
    """

    name: str
    reader: Reader | None
    start_us: float | None = None
    fault: str = ""
    taken_s: float | None = None


News = Shot | LiveChange | None
"""The next news: a frame, a live source that was lost or is back, or nothing yet."""


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
        raise SceneError(f"{variant!r} is not a variant: rows and columns name it, such as 105x120") from None


class Filming:
    """A sensor in front of its sources, as a context manager that lets go of videos and cameras.

    Args:
        scene: the scene of every frame.
        sensor: the sensor.
        geometry: geometry of the frames.
        repeat: true if the sources are shown over and over.
        in_order: true if time stands still for the sources: every frame of a program is shown, and no camera can be.

    Attributes:
        timing: line and frame time; at the rate of the first video, unless the options name another.

    Raises:
        SceneError: an unknown scene, sources that it can't be made of, or a camera that can't be connected to.
        SourceError: a source that isn't there.
        ProfileError: options that don't go together.
    """

    def __init__(
        self,
        scene: SceneChoice,
        sensor: SensorChoice,
        geometry: SensorGeometry,
        *,
        repeat: bool = False,
        in_order: bool = False,
    ) -> None:
        if scene.scene not in (None, *SCENES):
            raise SceneError(no_such("scene", scene.scene or "", SCENES))
        sources = [*(scene.sources or []), *(map(str, sample_photos()) if scene.samples else [])]
        check_paths(source for source in sources if not is_camera(source))
        self._scene, self._geometry, self._repeat = scene, geometry, repeat
        self._parts = list(_parts(sources, scene))
        if not self._parts:
            raise SceneError(
                no_samples() if scene.samples else "name photographs, folders, films or a camera, or give --samples"
            )
        if any(part.kind in LIVE for part in self._parts[:-1]):
            raise SceneError("a camera has no end: nothing can come after it")
        self._in_order = in_order
        self._films: dict[VideoScene, Playing | None] = {}
        self._first_film: VideoScene | None = None
        self._camera: Camera | None = None
        self._readers = 0
        self._live: LiveSource | None = None
        self._live_period_s = 0.0
        if self._parts[-1].kind in LIVE:
            if self._parts[-1].kind == "stdin":
                self._live = live_input(scene, every=in_order)
            elif in_order:
                raise SceneError("a camera runs in real time: leave --virtual-time out")
            else:
                self._live = live_camera(self._parts[-1].sources[0], scene)
            if sensor.frame_rate is not None and not in_order:
                self._live_period_s = 1 / sensor.frame_rate
                sensor = replace(sensor, frame_rate=None)
        self.timing: ReadoutTiming = sensor.timing(geometry)
        films = [part for part in self._parts if part.kind == "video"]
        if films:
            need("av")
            with suppress(SceneError):  # told when its turn comes
                self._first_film = self._opened(films[0], Window())
                if sensor.frame_rate is None and not sensor.profile:
                    sensor = replace(sensor, frame_rate=self._first_film.rate_fps)
                    self.timing = sensor.timing(geometry)
        self._sensor = sensor
        sensor.config(geometry)  # options that don't go together are told before anything is sent

    def __enter__(self) -> Self:
        if self._live:
            self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.close()
        for film in list(self._films):
            self._closed(film)

    def interrupted(self) -> None:
        """Takes that the service was lost: the frames that the films miss until the next one are its fault."""
        for playing in self._films.values():
            if playing:
                playing.interrupted = True

    @property
    def names(self) -> list[str]:
        """Names of the sources, without anything secret."""
        live = self._live.name if self._live else ""
        return [live if part.kind in LIVE else name for part in self._parts for name in part.sources]

    def shots(self, window: Window | None = None) -> Iterator[News]:
        """Yields the frames in order: as many as the options say, or all that there are.

        Args:
            window: the part of every picture that is shown; None: all of it.

        Raises:
            SceneError: there is nothing to show.
        """
        window = window or Window()
        drawn = [part.kind for part in self._parts if part.kind not in ("photo", *MOVING)]
        if window.region and drawn:
            raise SceneError(f"a region is cut out of photographs, videos and cameras, not of the scene {drawn[0]!r}")
        frames = self._scene.frames
        if self._parts[0].kind not in (*MOVING, "photo"):
            frames = frames or (None if self._repeat else 1)
        reader = self._live.reader() if self._live else None
        return _at_most(self._rounds(window, reader), frames)

    def _rounds(self, window: Window, reader: LiveReader | None) -> Iterator[News]:
        again = self._repeat or (self._scene.frames is not None and all(each.kind == "photo" for each in self._parts))
        while True:
            shown = False
            for part in self._parts:
                for news in self._part(part, window, reader):
                    shown = True
                    yield news
            if not shown:
                raise NoPicturesError([source for part in self._parts for source in part.sources])
            if not again or reader:
                return

    def _part(self, part: _Part, window: Window, reader: LiveReader | None) -> Iterator[News]:
        if part.kind == "photo":
            for picture in pictures(part.sources):
                yield self._photo(picture, window)
        elif part.kind in LIVE and reader:
            yield from self._live_shots(reader, window)
        elif part.kind == "video":
            yield from self._film_shots(part, window)
        else:
            scene, name = self._moving(part)
            if window.masks:
                scene = MaskedScene(scene, window.covered(self._geometry.height, self._geometry.width))
            camera = self._facing(scene)
            for number in itertools.count():
                yield Shot(f"{name} {number}", camera)

    def _facing(self, scene: Scene) -> Camera:
        """The camera, which is one, in front of a scene."""
        if self._camera is None:
            self._camera = self._sensor.camera(scene, self._geometry)
        return self._camera.facing(scene)

    def _photo(self, picture: Picture, window: Window) -> Shot:
        name = PurePath(picture.name).name
        try:
            whole = np.asarray(decode_picture(picture.read(USUAL_LIMITS.most_bytes)))
            frame = window.frame(whole, self._geometry.height, self._geometry.width)
        except (ServiceError, PictureError) as error:
            return Shot(name, None, fault=f"{picture.name}: {error}")
        return Shot(name, self._facing(StillScene(frame)))

    def _film_shots(self, part: _Part, window: Window) -> Iterator[Shot]:
        name = PurePath(part.sources[0]).name
        film, self._first_film = self._first_film, None
        try:
            if film and not window.whole:
                self._closed(film)
                film = None
            film = film or self._opened(part, window)
        except SceneError as error:
            yield Shot(name, None, fault=str(error))
            return
        place = f"{window.name}: {name}" if window.name else name
        timing = self.timing
        readout_us = timing.row_read_us(0.0, self._geometry.height - 1)
        playing = Playing(film, place, timing.frame_period_us or 0.0, readout_us, self._in_order)
        self._films[film] = playing
        reader = playing.reader(self._facing(playing))
        for number in itertools.count():
            yield Shot(f"{name} {number}", reader)
            if film.ended:
                break
        self._closed(film)

    def _opened(self, part: _Part, window: Window) -> VideoScene:
        film = VideoScene(part.sources[0], self._geometry, window)
        self._films[film] = None
        return film

    def _closed(self, film: VideoScene) -> None:
        """Lets go of a film, and tells which of its pictures were not shown."""
        playing = self._films.pop(film)
        film.close()
        for remark in playing.remarks() if playing else ():
            say(remark)

    def _live_shots(self, reader: LiveReader, window: Window) -> Iterator[News]:
        """Yields a shot for each picture, at most as many a second as the options say, or None after each tick."""
        name = self._live.name if self._live else ""
        self._readers += 1
        first, number, rate = self._readers == 1, 0, LiveRate(self._live_period_s)
        while True:
            try:
                news = reader.next(TICK_S)
            except EOFError:
                return
            if isinstance(news, LiveChange) and not first:
                continue  # one region tells it
            if not isinstance(news, LivePicture):
                yield news
                continue
            if not rate.takes(news.taken_s):
                yield None
                continue
            frame = window.frame(news.pixels, self._geometry.height, self._geometry.width)
            yield Shot(f"{name} {number}", self._facing(StillScene(frame)), taken_s=news.taken_s)
            number += 1

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


def _at_most(news: Iterator[News], frames: int | None) -> Iterator[News]:
    """Yields news up to a number of frames."""
    left = frames
    for each in news:
        yield each
        if left is not None and isinstance(each, Shot):
            left -= 1
            if not left:
                return


def _parts(sources: list[str], choice: SceneChoice) -> Iterator[_Part]:
    """Yields the sources by their kinds, neighbours of one kind together where they make one scene."""
    scene = choice.scene
    if choice.stdin or choice.size:
        yield _Part("stdin", ["-"])
    elif scene == "webcam":
        if len(sources) > 1:
            raise SceneError(f"the scene 'webcam' is one camera, not {len(sources)} sources")
        yield _Part("camera", sources or [WEBCAM])
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
                yield from (_Part(kind, [source]) for source in several)


def _expanded(source: str) -> Iterator[str]:
    """Yields the files of a pattern that names videos; anything else as it is."""
    found = [] if is_camera(source) or Path(source).exists() else list(matches(source))
    yield from found if any(_kind(each) == "video" for each in found) else [source]


def _kind(source: str) -> str:
    if is_camera(source):
        return "camera"
    return "video" if source.lower().endswith(VIDEO_SUFFIXES) and not Path(source).is_dir() else "photo"
