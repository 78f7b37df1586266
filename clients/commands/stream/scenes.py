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
from clients.commands.stream.cameras import WEBCAM, is_camera, live_camera, live_input
from clients.commands.stream.sensor_options import SCENES, SceneChoice, SensorChoice
from clients.commands.suggestions import no_such
from model.picture import USUAL_LIMITS, PictureError, decode_picture
from sensor_sim.burst import Frame, Rows, SensorGeometry
from sensor_sim.camera import Camera
from sensor_sim.charts import CHARTS, chart
from sensor_sim.live import LiveChange, LivePicture, LiveRate, LiveReader, LiveSource
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

VIDEO_SUFFIXES: Final = (
    ".3gp", ".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ogv", ".webm", ".wmv",
)  # fmt: skip
"""Endings of video files; a file of another ending is a photograph unless `--scene video` says otherwise."""
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
"""What comes next: a frame, a live source that was lost or is back, or nothing yet."""


@dataclass(slots=True)
class _Playing:
    """A film that begins with the first frame that shows it.

    Attributes:
        film: the video.
        name: name of the film, behind that of its region.
        period_us: time from one frame of the sensor to the next; 0: frames have no times of their own.
        begun_us: start of the first frame, us since the stream began; None before.
        newest_us: start of the newest frame, likewise.
        shown: number of frames that show the film.
        passed_over: number of frames that the sensor should have begun, and could not.
    """

    film: VideoScene
    name: str
    period_us: float
    begun_us: float | None = None
    newest_us: float = 0.0
    shown: int = 0
    passed_over: int = 0

    def rows(self, first_row: int, times_us: Times) -> Frame:
        # Half a picture ahead, an exposure at the film's own rate lies within one picture, not across two.
        return self.film.rows(first_row, times_us - (self.begun_us or 0.0) + self.period_us / 2)

    def reader(self, camera: Camera) -> Reader:
        """Returns the camera as a reader that begins the film, and counts its frames."""

        def read(frame_id: int, start_us: float) -> Iterator[Rows]:
            if self.begun_us is None:
                self.begun_us = start_us
            elif self.period_us:
                self.passed_over += max(0, round((start_us - self.newest_us) / self.period_us) - 1)
            self.newest_us = start_us
            self.shown += 1
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
            raise SceneError("name photographs, videos or a camera, or --samples (needs the extra 'samples')")
        if any(part.kind in LIVE for part in self._parts[:-1]):
            raise SceneError("a camera has no end: nothing can come after it")
        self._in_order = in_order
        self._films: list[VideoScene] = []
        self._playing: list[_Playing] = []
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
        for playing in list(self._playing):  # cut off by a number of frames or an interruption
            self._finish(playing)
        for film in self._films:
            film.close()

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
            frames = None if self._repeat else frames or 1
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
                raise SceneError(f"there are no pictures in {', '.join(part.sources[0] for part in self._parts)}")
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
        playing = _Playing(film, place, self.timing.frame_period_us or 0.0)
        self._playing.append(playing)
        reader = playing.reader(self._facing(playing))
        for number in itertools.count():
            yield Shot(f"{name} {number}", reader)
            if film.ended:
                break
        self._finish(playing)

    def _finish(self, playing: _Playing) -> None:
        """Lets go of a film and tells what of it was not shown."""
        self._playing.remove(playing)
        self._closed(playing.film)
        if playing.film.damaged_packets:
            say(f"{playing.name}: {playing.film.damaged_packets} damaged parts of the film were skipped")
        if playing.passed_over:
            frames = playing.shown + playing.passed_over
            say(f"{playing.name}: {playing.passed_over:,} of {frames:,} frames were passed over: {self._why_late()}")

    def _why_late(self) -> str:
        """Says why the sensor could not begin a frame in time, and what helps."""
        timing = self.timing
        if timing.row_read_us(0.0, self._geometry.height - 1) > (timing.frame_period_us or 0.0):
            return "reading one takes longer than --frame-rate allows; lower --line-time-us or --frame-rate"
        if self._in_order:
            return "the link and the service, as the options have them, answer more than a frame late"
        return "decisions came more than a frame late; --virtual-time shows every picture, however busy the machine is"

    def _opened(self, part: _Part, window: Window) -> VideoScene:
        film = VideoScene(part.sources[0], self._geometry, window)
        self._films.append(film)
        return film

    def _closed(self, film: VideoScene) -> None:
        self._films.remove(film)
        film.close()

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
        yield _Part("camera", sources[:1] or [WEBCAM])
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
