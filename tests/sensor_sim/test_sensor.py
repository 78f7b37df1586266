from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor_sim.burst import PixelFormat, SensorGeometry
from sensor_sim.sensor import PRESETS, Sensor, SensorConfig, behind_filters, linear_light

pictures = st.integers(0, 99).map(
    lambda seed: np.random.default_rng(seed).integers(0, 256, (20, 17, 3), np.uint8),
)
formats = st.sampled_from(PixelFormat)


def _flat(shape: tuple[int, ...], value: float) -> npt.NDArray[np.float32]:
    return np.full(shape, value, np.float32)


@given(
    picture=pictures,
    pixel_format=formats,
    preset=st.sampled_from(sorted(PRESETS)),
    cuts=st.sets(st.integers(1, 19), max_size=6),
    frame_id=st.integers(0, 2**32 - 1),
    seed=st.integers(0, 2**63),
)
def test_chunking_never_changes_a_bit(
    picture: npt.NDArray[np.uint8],
    pixel_format: PixelFormat,
    preset: str,
    cuts: set[int],
    frame_id: int,
    seed: int,
) -> None:
    geometry = SensorGeometry(20, 17, 5, pixel_format)
    light = linear_light(picture)
    whole = Sensor(PRESETS[preset], geometry, seed).rows(light, frame_id, 0)
    other = Sensor(PRESETS[preset], geometry, seed)
    edges = [0, *sorted(cuts), 20]
    spans = list(pairwise(edges))
    parts = {first: other.rows(light[first:last], frame_id, first) for first, last in reversed(spans)}
    assert np.array_equal(np.concatenate([parts[first] for first, _ in spans]), whole)


@given(picture=pictures)
def test_the_ideal_sensor_gives_every_picture_back(picture: npt.NDArray[np.uint8]) -> None:
    assert np.array_equal(Sensor(PRESETS["ideal"], SensorGeometry(20, 17)).frame(picture), picture)


def test_the_ideal_sensor_keeps_all_256_values() -> None:
    picture = np.repeat(np.arange(256, dtype=np.uint8).reshape(16, 16, 1), 3, axis=2)
    assert np.array_equal(Sensor(PRESETS["ideal"], SensorGeometry(16, 16, 1)).frame(picture), picture)


def test_seed_frame_and_row_choose_the_noise() -> None:
    geometry = SensorGeometry(5, 16)
    grey = _flat((5, 16, 3), 0.5)
    sensor = Sensor(PRESETS["night"], geometry, 1)
    first = sensor.rows(grey, 0, 0)
    assert np.array_equal(first, Sensor(PRESETS["night"], geometry, 1).rows(grey, 0, 0))
    assert not np.array_equal(first, sensor.rows(grey, 1, 0))
    assert not np.array_equal(first, Sensor(PRESETS["night"], geometry, 2).rows(grey, 0, 0))
    assert not np.array_equal(first[0], first[1])


@pytest.mark.parametrize("pixel_format", [each for each in PixelFormat if each.pattern])
def test_each_pixel_of_a_mosaic_sees_its_colour(pixel_format: PixelFormat) -> None:
    light = np.random.default_rng(0).random((5, 6, 3), np.float32)
    pattern = pixel_format.pattern
    assert pattern
    for first_row in range(2):
        seen = behind_filters(light, pixel_format, first_row)
        for row in range(5):
            for column in range(6):
                colour = "rgb".index(pattern[2 * ((row + first_row) % 2) + column % 2])
                assert seen[row, column, 0] == light[row, column, colour]


def test_mono_sees_the_luminance() -> None:
    light = np.array([[[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]]], np.float32)
    assert behind_filters(light, PixelFormat.MONO8, 0).ravel() == pytest.approx([0.2126, 0.7152, 0.0722, 1.0])


def test_photons_are_those_of_the_standard() -> None:
    """By hand: 100 cd/m2 at f/2 through 90 % are 17.67 lx, at 683 lm/W 2.587 uW/cm2; E * A * t * wavelength / (h c)."""
    config = SensorConfig(luminance_cd_m2=100, exposure_us=10_000, f_number=2, lens_transmittance=0.9)
    joules = np.pi / 4 * 100 * 0.9 / 4 / 683 * 12.96e-12 * 0.01
    assert config.white_photons == pytest.approx(joules * 555e-9 / (6.62607015e-34 * 299792458), rel=1e-3)


def test_dark_current_doubles() -> None:
    config = SensorConfig(temperature_c=30, dark_current_e_s=40, exposure_us=1e6)
    assert config.dark_electrons == pytest.approx(40)
    assert replace(config, temperature_c=38).dark_electrons == pytest.approx(80)


def test_the_full_well_clips_before_the_converter() -> None:
    config = replace(PRESETS["ideal"], full_well_e=1000, gain_dn_e=1, bits=12)
    numbers = Sensor(config, SensorGeometry(5, 16)).digital_numbers(_flat((5, 16, 3), 1), 0, 0)
    assert set(numbers.ravel().tolist()) == {1000}


@pytest.mark.parametrize("bits", [8, 10, 12])
def test_the_converter_rounds_and_clips(bits: int) -> None:
    plain = replace(PRESETS["ideal"], bits=bits, black_level_dn=10, srgb=False)
    electrons = plain.white_photons * plain.quantum_efficiency
    config = replace(plain, gain_dn_e=(plain.max_dn - 10) / electrons)
    sensor = Sensor(config, SensorGeometry(1, 5, 1))
    light = np.repeat(np.array([[0, 0.25, 0.5, 1, 1.1]], np.float32)[..., None], 3, axis=2)
    expected = [10 + round((config.max_dn - 10) * share) for share in (0, 0.25, 0.5, 1)]
    found = sensor.digital_numbers(light, 0, 0)
    assert found.dtype == np.uint16
    assert found[0, :, 0].tolist() == [*expected, config.max_dn]
    assert sensor.rows(light, 0, 0)[0, :, 0].tolist() == pytest.approx([0, 64, 128, 255, 255], abs=1)


@given(factor=st.integers(1, 4), preset=st.sampled_from(["daylight", "indoor", "dusk"]))
def test_binning_is_the_mean_of_as_many_pixels(factor: int, preset: str) -> None:
    config = replace(PRESETS[preset], prnu=0, bits=12)
    geometry = SensorGeometry(40, 48, 5, PixelFormat.MONO8)
    fine_geometry = SensorGeometry(40 * factor, 48 * factor, 5, PixelFormat.MONO8)
    level = 0.5
    binned = Sensor(config.binned(factor), geometry, 1).digital_numbers(_flat((40, 48, 1), level), 0, 0)
    fine = Sensor(config, fine_geometry, 2).digital_numbers(_flat(fine_geometry.sample_shape, level), 0, 0)
    mean = fine.reshape(40, factor, 48, factor).mean(axis=(1, 3))
    assert binned.mean() == pytest.approx(mean.mean(), rel=0.01)
    # quantised once, after binning, against once a pixel before: 1/12 each
    spread = np.hypot(np.std(mean), np.sqrt((1 - 1 / factor**2) / 12))
    assert np.std(binned.astype(float)) == pytest.approx(spread, rel=0.1)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("f_number", 0),
        ("exposure_us", float("nan")),
        ("read_noise_e", -1),
        ("quantum_efficiency", 1.1),
        ("bits", 9),
        ("black_level_dn", 1023),
        ("full_well_e", 2**25),
    ],
)
def test_impossible_configurations_are_named(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=name):
        replace(SensorConfig(), **{name: value})


def test_rows_must_be_the_frames() -> None:
    sensor = Sensor(PRESETS["ideal"], SensorGeometry(5, 16))
    for light, first_row in ((_flat((5, 15, 3), 1), 0), (_flat((5, 16, 3), 1), 1), (_flat((1, 16, 3), 1), -1)):
        with pytest.raises(ValueError, match="rows of a frame"):
            sensor.digital_numbers(light, 0, first_row)
