"""The EMVA 1288 reference implementation measures the simulated sensor and must find what was configured.

Every noise source is large enough here to be seen, and the test of its absence shows that the measurement sees it.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from emva1288.process.data import Data1288
from emva1288.process.results import Results1288
from emva1288.process.routines import get_int_imgs

from sensor_sim.burst import PixelFormat, SensorGeometry
from sensor_sim.sensor import Sensor, SensorConfig

CONFIG = SensorConfig(
    exposure_us=10_000,
    dark_current_e_s=1600,  # 16 electrons an exposure, as much variance as the read noise
    reference_temperature_c=30,
    temperature_c=30,
    prnu=0.02,
    dsnu_e=6,
    full_well_e=9000,
    read_noise_e=4,
    gain_dn_e=0.5,
    black_level_dn=64,
    bits=12,
    luminance_cd_m2=150,
)
GEOMETRY = SensorGeometry(200, 200, 5, PixelFormat.MONO8)
LEVELS = np.linspace(0.02, 1, 25)
SPATIAL_LEVEL = 0.5
SPATIAL_IMAGES = 16


@dataclass(frozen=True)
class Measured:
    gain: float
    dark_noise_e: float
    dsnu_e: float
    prnu: float
    linearity: float


@pytest.fixture(autouse=True)
def _numpy_2(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """emva1288 1.0.2 calls a function that NumPy 2 dropped."""
    monkeypatch.setattr(np, "asfarray", lambda values: np.asarray(values, float), raising=False)
    yield
    logging.getLogger("Data").setLevel(logging.WARNING)


def measure(config: SensorConfig, seed: int) -> Measured:
    """Bright and dark stacks, as the standard wants them: two images a level, and more for the nonuniformity."""
    sensor = Sensor(config, GEOMETRY, seed)
    frame_ids = iter(range(10_000))

    def images(level: float, count: int) -> dict[str, Any]:
        light = np.full(GEOMETRY.sample_shape, level, np.float32)
        stack: list[npt.NDArray[np.uint16]] = [
            sensor.digital_numbers(light, next(frame_ids), 0)[..., 0] for _ in range(count)
        ]
        sums = get_int_imgs(stack)
        return sums if count > 2 else {name: np.sum(value) for name, value in sums.items()}

    exposure_ns = config.exposure_us * 1000
    photons = config.white_photons
    temporal = {0.0: images(0, 2)} | {photons * level: images(level, 2) for level in LEVELS}
    spatial = {0.0: images(0, SPATIAL_IMAGES), photons * SPATIAL_LEVEL: images(SPATIAL_LEVEL, SPATIAL_IMAGES)}
    data = Data1288(
        {
            "width": GEOMETRY.width,
            "height": GEOMETRY.height,
            "temporal": {exposure_ns: temporal},
            "spatial": {exposure_ns: spatial},
        },
        loglevel=logging.WARNING,
    )
    # Saturation by the full well is out of reach of these levels; the last one stands for it.
    results = Results1288(data.data, index_u_ysat=len(LEVELS) - 1, loglevel=logging.WARNING)
    return Measured(
        float(results.K),
        float(results.sigma_d),
        float(results.DSNU1288),
        float(results.PRNU1288) / 100,
        max(abs(float(results.LE_min)), abs(float(results.LE_max))) / 100,
    )


def mistakes(found: Measured, config: SensorConfig) -> list[str]:
    """Names of the quantities that were not found as configured."""
    checks = {
        "gain": abs(found.gain / config.gain_dn_e - 1) <= 0.03,
        "dark noise": abs(found.dark_noise_e / config.dark_noise_e - 1) <= 0.03,
        "DSNU": abs(found.dsnu_e / config.dsnu_e - 1) <= 0.1,
        "PRNU": abs(found.prnu / config.prnu - 1) <= 0.1,
        "linearity": found.linearity < 0.005,
    }
    return [name for name, right in checks.items() if not right]


@pytest.mark.parametrize("seed", range(10))
def test_the_reference_implementation_finds_what_was_configured(seed: int) -> None:
    assert mistakes(measure(CONFIG, seed), CONFIG) == []


@pytest.mark.parametrize(
    ("off", "missed"),
    [
        ({"shot_noise": False}, "gain"),
        ({"read_noise_e": 0.0}, "dark noise"),
        ({"dark_current_e_s": 0.0}, "dark noise"),
        ({"dsnu_e": 0.0}, "DSNU"),
        ({"prnu": 0.0}, "PRNU"),
    ],
)
@pytest.mark.filterwarnings("ignore:invalid value encountered in sqrt")  # of a variance that is gone
def test_it_misses_a_source_that_is_switched_off(off: dict[str, Any], missed: str) -> None:
    assert missed in mistakes(measure(replace(CONFIG, **off), 0), CONFIG)
