"""Figures of a network in the light of each of the sensor's presets."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from model.step import StepRuntime
from model.training.metrics import BinaryMetrics, binary_metrics
from sensor_sim.burst import SensorGeometry
from sensor_sim.sensor import PRESETS, Sensor


def preset_metrics(
    runtime: StepRuntime, frames: npt.NDArray[np.uint8], labels: npt.NDArray[np.int64]
) -> Iterator[tuple[str, BinaryMetrics]]:
    """Yields each preset with the figures of full frames (N, H, W, 3) uint8 under it; frame i has the noise of id i."""
    geometry = SensorGeometry(runtime.config.height, runtime.config.width)
    for name, config in PRESETS.items():
        sensor = Sensor(config, geometry)
        seen = (sensor.frame(frame, index) for index, frame in enumerate(frames))
        p_person = np.array([runtime.step(frame, runtime.initial_hidden()).p_person[-1] for frame in seen])
        yield name, binary_metrics(p_person, labels)
