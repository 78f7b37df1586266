import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from model.training.light import READ_NOISE_E, Dice, Light, add_noise, change_light
from sensor_sim.burst import SensorGeometry
from sensor_sim.sensor import PRESETS, Sensor

UNCHANGED = Light(brightness=0.0, saturation=(1.0, 1.0))
STRONG = Light(
    contrast=(0.5, 1.5), saturation=(0.2, 1.8), hue_degrees=30, grey_share=0.3, noise_share=0.5, erase_share=0.5
)


def random_frames(seed: int = 0) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (4, 20, 24, 3), np.uint8)


def dice(seed: int = 0) -> Dice:
    return Dice(torch.Generator().manual_seed(seed))


def changed(frames: npt.NDArray[np.uint8], light: Light, seed: int = 0) -> npt.NDArray[np.uint8]:
    return change_light(dice(seed), torch.from_numpy(frames), light).numpy()


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_the_same_generator_gives_the_same_frames(seed: int) -> None:
    frames = random_frames()
    first = changed(frames, STRONG, seed)
    assert np.array_equal(first, changed(frames, STRONG, seed))
    assert (first.shape, first.dtype) == (frames.shape, frames.dtype)
    assert np.array_equal(frames, random_frames())  # what came in is left alone
    assert not np.array_equal(first, changed(frames, STRONG, seed + 1))


def test_without_strength_light_stays_as_it_was() -> None:
    assert np.array_equal(changed(random_frames(), UNCHANGED), random_frames())


@settings(max_examples=20)
@given(st.integers(0, 255), st.integers(0, 2**32 - 1))
def test_grey_stays_grey_whatever_the_hue_and_saturation(shade: int, seed: int) -> None:
    light = Light(brightness=0.0, saturation=(0.0, 2.0), hue_degrees=180)
    frames = np.full((3, 4, 4, 3), shade, np.uint8)
    assert np.abs(changed(frames, light, seed).astype(int) - shade).max() <= 1


def test_a_third_of_a_turn_makes_red_green() -> None:
    light = Light(brightness=0.0, saturation=(1.0, 1.0), hue_degrees=120)
    red = np.zeros((64, 1, 1, 3), np.uint8)
    red[..., 0] = 255
    colours = changed(red, light).reshape(-1, 3)
    assert colours[:, 1].max() > 200  # towards green
    assert colours[:, 2].max() > 200  # and the other way, towards blue


def test_without_colour_all_channels_are_the_luminance() -> None:
    frames = random_frames()
    grey = changed(frames, Light(brightness=0.0, saturation=(1.0, 1.0), grey_share=1.0))
    assert np.ptp(grey, axis=-1).max() == 0
    assert np.abs(grey[..., 0] - frames @ [0.299, 0.587, 0.114]).max() <= 0.51


def test_contrast_keeps_the_middle_of_the_scale() -> None:
    light = Light(brightness=0.0, saturation=(1.0, 1.0), contrast=(0.5, 0.5))
    frames = np.array([0, 127, 128, 255], np.uint8).reshape(1, 4, 1, 1).repeat(3, axis=3)
    assert changed(frames, light)[0, :, 0, 0].tolist() == pytest.approx([64, 127, 128, 191], abs=1)


def test_brightness_stops_at_the_ends_of_the_scale() -> None:
    frames = np.repeat(np.array([0, 255], np.uint8), 8 * 8 * 3).reshape(2, 8, 8, 3)
    shades = []
    for seed in range(10):
        for frame in changed(frames, Light(brightness=1.0), seed):
            assert np.ptp(frame) <= 1  # an even picture stays even: nothing wraps around
            shades.append(int(frame[0, 0, 0]))
    assert {0, 255} <= set(shades)
    assert len(set(shades)) > 5


def test_an_erased_rectangle_has_one_colour_and_the_rest_stays() -> None:
    frames = random_frames()
    erased = changed(frames, Light(brightness=0.0, saturation=(1.0, 1.0), erase_share=1.0))
    for before, after in zip(frames, erased, strict=True):
        touched = (before != after).any(-1)
        rows, columns = touched.any(1).nonzero()[0], touched.any(0).nonzero()[0]
        patch = after[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        assert len(np.unique(patch.reshape(-1, 3), axis=0)) == 1
        assert 0 < touched.mean() <= 0.12


@pytest.mark.parametrize(("preset", "tolerance"), [("indoor", 0.1), ("dusk", 0.25), ("night", 0.4)])
@pytest.mark.parametrize("level", [60, 128, 200])
def test_noise_is_that_of_the_simulated_sensor(preset: str, tolerance: float, level: int) -> None:
    # The sensor has a dark current, uneven pixels, steps and sRGB's own curve too; the darker, the more they tell.
    config = PRESETS[preset]
    white = min(config.white_photons * config.quantum_efficiency, config.full_well_e)
    exposure = min(1.0, white * config.gain_dn_e / (config.max_dn - config.black_level_dn))
    seen = Sensor(config, SensorGeometry(105, 120)).frame(np.full((105, 120, 3), level, np.uint8)).astype(float)
    even = torch.full((1, 105, 120, 3), float(level))
    made = add_noise(dice(), even, torch.tensor([white]), torch.tensor([exposure])).numpy()
    assert made.mean() == pytest.approx(seen.mean(), rel=0.05 if preset != "night" else 0.25)
    assert made.std() == pytest.approx(seen.std(), rel=tolerance)


def test_frames_in_the_dark_are_darker() -> None:
    frames = np.full((16, 20, 20, 3), 200, np.uint8)
    light = Light(brightness=0.0, saturation=(1.0, 1.0), noise_share=0.5, exposure=(0.25, 0.5))
    shades = changed(frames, light).mean((1, 2, 3))
    assert (shades == 200).sum() == 8  # those without noise
    noisy = shades[shades != 200]
    assert noisy.max() < 200 * 0.5 ** (1 / 2.2) + 3
    assert noisy.min() > 200 * 0.25 ** (1 / 2.2) - 3


@pytest.mark.parametrize("white_electrons", [200.0, 20_000.0])
def test_noise_has_the_size_that_the_electrons_ask_for(white_electrons: float) -> None:
    level = 128.0
    noisy = add_noise(dice(), torch.full((2, 150, 150, 3), level), torch.tensor([white_electrons, 1e9])).numpy()
    assert noisy[1] == pytest.approx(level, abs=0.1)
    light = (level / 255) ** 2.2
    spread = np.sqrt(light * white_electrons + READ_NOISE_E**2) / white_electrons
    assert np.std((noisy[0] / 255) ** 2.2) == pytest.approx(spread, rel=0.05)
    assert np.mean((noisy[0] / 255) ** 2.2) == pytest.approx(light, rel=0.02)
