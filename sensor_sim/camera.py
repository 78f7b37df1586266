"""A camera: a sensor in front of a scene, with a rolling or global shutter, read out row by row in virtual time.

Light becomes digital numbers, with their noise, in `sensor_sim.sensor`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property

import numpy as np
import numpy.typing as npt

from sensor_sim.burst import Rows, SensorGeometry
from sensor_sim.readout import ReadoutTiming, Samples, cut_bursts
from sensor_sim.scene import Scene
from sensor_sim.sensor import PRESETS, Light, Sensor, SensorConfig, linear_light


class Shutter(StrEnum):
    """Time of the exposure: of each row just before the row is read, or of all rows just before the first is read."""

    ROLLING = "rolling"
    GLOBAL = "global"


@dataclass(frozen=True)
class Camera:
    """Reads frames of a scene out; a camera can be called as a `Reader`.

    The same arguments give the same bursts, in any order of calls.

    Attributes:
        scene: the scene in front of the lens.
        geometry: rows, columns and colour filters.
        timing: line and frame time.
        config: response and noise of the sensor; moving things blur over `config.exposure_us`.
        shutter: rolling or global.
        exposure_samples: number of moments within the exposure whose light is averaged, 1 to 64; 1 shows the middle of
            the exposure alone, without blur.
        seed: seed of the noise and of this sensor's nonuniformity.
        sensor: the sensor of `config`, `geometry` and `seed`, where it is made already; None: it is made when needed.

    Raises:
        ValueError: `exposure_samples` out of its range.
    """

    scene: Scene
    geometry: SensorGeometry
    timing: ReadoutTiming = field(default_factory=ReadoutTiming)
    config: SensorConfig = PRESETS["ideal"]
    shutter: Shutter = Shutter.ROLLING
    exposure_samples: int = 1
    seed: int = 0
    sensor: Sensor | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not 1 <= self.exposure_samples <= 64:
            raise ValueError(f"exposure_samples must be 1 to 64, not {self.exposure_samples}")

    @cached_property
    def _sensor(self) -> Sensor:
        return self.sensor or Sensor(self.config, self.geometry, self.seed)

    def facing(self, scene: Scene) -> "Camera":
        """The same camera in front of another scene: making a sensor costs more than reading a frame."""
        return replace(self, scene=scene, sensor=self._sensor)

    def __call__(self, frame_id: int, start_us: float) -> Iterator[Rows]:
        """Yields the bursts of the frame whose readout begins at `start_us`; each is simulated when it is asked for."""

        def read_rows(first: int, last: int) -> Samples:
            return self._sensor.rows(self._light(first, last, start_us), frame_id, first)

        return cut_bursts(read_rows, self.geometry, self.timing, frame_id, start_us)

    def frame(self, frame_id: int = 0, start_us: float = 0.0) -> Samples:
        """A whole frame (H, W, channels) uint8, whose readout begins at `start_us`."""
        return self._sensor.rows(self._light(0, self.geometry.height, start_us), frame_id, 0)

    def exposure_ends_us(self, first: int, last: int, start_us: float) -> npt.NDArray[np.float64]:
        """Ends of the exposures of rows `first` to `last` - 1: (last - first,), us since the stream began."""
        if self.shutter is Shutter.GLOBAL:
            return np.full(last - first, start_us)
        return np.array([self.timing.row_read_us(start_us, row) for row in range(first, last)])

    def _light(self, first: int, last: int, start_us: float) -> Light:
        ends_us = self.exposure_ends_us(first, last, start_us)
        exposure_us, moments = self.config.exposure_us, self.exposure_samples
        light = np.zeros((), np.float32)
        for moment in range(moments):
            before_end_us = exposure_us * (moments - moment - 0.5) / moments
            light = light + linear_light(self.scene.rows(first, ends_us - before_end_us))
        return np.asarray(light / np.float32(moments), np.float32) if moments > 1 else np.asarray(light, np.float32)
