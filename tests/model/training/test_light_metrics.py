import numpy as np

from model.runtime import load_runtime
from model.training.light_metrics import preset_metrics
from model.training.metrics import binary_metrics
from sensor_sim.burst import SensorGeometry
from sensor_sim.sensor import PRESETS, Sensor
from tests.model.random_networks import random_frames
from tests.networks import SMALL, person_curve, random_checkpoint


def test_each_preset_judges_the_frames_as_its_sensor_sees_them() -> None:
    runtime = load_runtime(random_checkpoint(SMALL, 1))
    frames, labels = random_frames(SMALL, 6, 3), np.array([0, 1] * 3)
    found = dict(preset_metrics(runtime, frames, labels))
    assert list(found) == list(PRESETS)
    geometry = SensorGeometry(SMALL.height, SMALL.width)
    for name, config in PRESETS.items():
        seen = [Sensor(config, geometry).frame(frame, index) for index, frame in enumerate(frames)]
        expected = binary_metrics(np.array([person_curve(runtime, frame)[-1] for frame in seen]), labels)
        assert found[name] == expected
