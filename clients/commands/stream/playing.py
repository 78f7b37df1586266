"""A film in front of the sensor: it begins with the first frame that shows it, and counts the frames passed over."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from clients.commands.table import counted
from sensor_sim.burst import Frame, Rows
from sensor_sim.readout import Reader
from sensor_sim.scene import Scene, Times


class Film(Scene, Protocol):
    """A scene with times of its own, such as `VideoScene`."""

    damaged_packets: int


@dataclass(slots=True)
class Playing:
    """A film that is shown to the sensor; itself a scene.

    Attributes:
        film: the film.
        name: name of the film, behind that of its region.
        period_us: time from one frame of the sensor to the next; 0: frames have no times of their own.
        readout_us: time in which the sensor reads a frame out.
        in_order: true if time is virtual: the sensor then waits for the service, however busy the machine is.
        begun_us: start of the first frame, us since the stream began; None before.
        newest_us: start of the newest frame, likewise.
        shown: number of frames that show the film.
        passed_over: number of frames that the sensor should have begun, and could not.
        interrupted: true if the service was lost since the newest frame began.
        unserved: number of the frames passed over while the service was away.
    """

    film: Film
    name: str
    period_us: float
    readout_us: float
    in_order: bool = False
    begun_us: float | None = None
    newest_us: float = 0.0
    shown: int = 0
    passed_over: int = 0
    interrupted: bool = False
    unserved: int = 0

    def rows(self, first_row: int, times_us: Times) -> Frame:
        """See `Scene`."""
        # Half a picture ahead, an exposure at the film's own rate lies within one picture, not across two.
        return self.film.rows(first_row, times_us - (self.begun_us or 0.0) + self.period_us / 2)

    def reader(self, camera: Reader) -> Reader:
        """Returns the camera as a reader that begins the film, and counts its frames."""

        def read(frame_id: int, start_us: float) -> Iterator[Rows]:
            if self.begun_us is None:
                self.begun_us = start_us
            elif self.period_us:
                missed = max(0, round((start_us - self.newest_us) / self.period_us) - 1)
                self.passed_over += missed
                self.unserved += missed if self.interrupted else 0
            self.newest_us, self.interrupted = start_us, False
            self.shown += 1
            return camera(frame_id, start_us)

        return read

    def remarks(self) -> Iterator[str]:
        """Yields a line on each kind of picture that was not shown."""
        if self.film.damaged_packets:
            yield f"{self.name}: {counted(self.film.damaged_packets, 'damaged part')} of the film left out"
        frames = self.shown + self.passed_over
        if self.unserved:
            yield f"{self.name}: {self.unserved:,} of {frames:,} frames were passed over while the service was away"
        if late := self.passed_over - self.unserved:
            yield f"{self.name}: {late:,} of {frames:,} frames were passed over: {self._why()}"

    def _why(self) -> str:
        """Says why the sensor could not begin a frame in time, and what helps."""
        if self.readout_us > self.period_us:
            return "reading one takes longer than --frame-rate allows; lower --line-time-us or --frame-rate"
        if self.in_order:
            return "the link and the service, as the options have them, answer more than a frame late"
        return "decisions came more than a frame late; --virtual-time shows every picture, however busy the machine is"
