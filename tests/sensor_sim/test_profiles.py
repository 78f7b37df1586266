from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor_sim.burst import SensorGeometry
from sensor_sim.profiles import PROFILES, Profile, ProfileError, Registers
from sensor_sim.sensor import PRESETS

LARGE, SMALL = SensorGeometry(210, 240), SensorGeometry(105, 120)
PUBLISHED = {
    "hm01b0-qvga": (125.3, 30.7),
    "hm01b0-qvga60": (62.7, 61.4),
    "hm01b0-qqvga": (125.3, 60.4),
    "hm0360-vga": (32.0, 58.7),
    "hm0360-qvga": (31.3, 120.4),
    "hm0360-qqvga": (31.3, 241.8),
    "ov7670-vga": (65.3, 30.0),
    "mt9v012-vga": (65.48, 30.0),
    "generic-qvga": (133.3, 30.0),
}
"""Row time (us) and frames a second, as the sources and their arithmetic have them."""


@pytest.mark.parametrize(("name", "figures"), PUBLISHED.items())
def test_row_time_and_frame_rate_are_the_published_ones(name: str, figures: tuple[float, float]) -> None:
    profile = PROFILES[name]
    assert profile.line_time_us == pytest.approx(figures[0], abs=0.06)
    assert profile.frames_per_second == pytest.approx(figures[1], abs=0.06)


@pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda profile: profile.name)
@pytest.mark.parametrize("geometry", [LARGE, SMALL], ids=["210x240", "105x120"])
def test_the_window_lies_on_the_sensor_and_the_frame_in_its_period(profile: Profile, geometry: SensorGeometry) -> None:
    if profile.width < geometry.width or profile.height < geometry.height:
        with pytest.raises(ProfileError, match="choose a mode with more pixels"):
            profile.binning(geometry)
        return
    first_row, first_column, rows, columns = profile.window(geometry)
    factor = profile.binning(geometry)
    assert (rows, columns) == (factor * geometry.height, factor * geometry.width)
    assert first_row >= 0 <= first_column
    assert first_row + rows <= profile.height
    assert first_column + columns <= profile.width
    assert rows + geometry.height > profile.height or columns + geometry.width > profile.width  # the largest that fits
    timing = profile.timing(geometry)
    assert timing.frame_period_us is not None
    assert timing.line_time_us == pytest.approx(factor * profile.line_time_us)
    assert timing.row_read_us(0, geometry.height - 1) <= timing.frame_period_us
    assert profile.vertical_blanking_lines > 0 < profile.horizontal_blanking_us


def test_a_bound_burst_of_the_hm01b0() -> None:
    """Five rows of 210x240 take 626.7 us; a row of 105x120 is two lines."""
    assert PROFILES["hm01b0-qvga"].burst_period_us(LARGE) == pytest.approx(626.7, abs=0.1)
    assert PROFILES["hm01b0-qvga"].burst_period_us(SMALL) == pytest.approx(1253.3, abs=0.1)


def test_blanking_is_what_pixels_leave() -> None:
    """MT9V012: 47.41 us active and 18.07 us blank of a line, 1.9 ms of vertical blanking (data sheet, p. 12)."""
    profile = PROFILES["mt9v012-vga"]
    assert profile.horizontal_blanking_us == pytest.approx(18.07, abs=0.01)
    assert profile.line_time_us - profile.horizontal_blanking_us == pytest.approx(47.41, abs=0.01)
    assert profile.vertical_blanking_us == pytest.approx(1.9e3, abs=10)
    assert profile.frame_period_us == pytest.approx(33.33e3, abs=10)


with_registers = [profile for profile in PROFILES.values() if profile.ranges]


@given(
    profile=st.sampled_from(with_registers),
    exposure_us=st.floats(0, 1e6),
    stretch=st.integers(0, 2000),
    gain=st.sampled_from([1, 2, 4, 8, 16]),
)
def test_exposures_are_clamped_to_what_is_legal(profile: Profile, exposure_us: float, stretch: int, gain: int) -> None:
    frame_length = profile.frame_length_lines + stretch
    registers = profile.registers(exposure_us, gain, frame_length)
    profile.check(registers)
    config = profile.exposed(PRESETS["indoor"], registers)
    assert config.gain_dn_e == PRESETS["indoor"].gain_dn_e * gain
    assert config.exposure_us == pytest.approx(registers.exposure_lines * profile.line_time_us)
    timing = profile.timing(SMALL, registers)
    assert timing.frame_period_us == pytest.approx(frame_length * profile.line_time_us)
    assert config.exposure_us < frame_length * profile.line_time_us
    assert profile.ranges
    longest = frame_length - profile.ranges.exposure_margin_lines
    if profile.ranges.min_exposure_lines <= exposure_us / profile.line_time_us <= longest:
        assert abs(config.exposure_us - exposure_us) <= profile.line_time_us / 2 * 1.001


@pytest.mark.parametrize("profile", with_registers, ids=lambda profile: profile.name)
def test_illegal_registers_are_named(profile: Profile) -> None:
    assert profile.ranges
    legal = profile.registers()
    assert legal == Registers(
        profile.frame_length_lines - profile.ranges.exposure_margin_lines, 1, profile.frame_length_lines
    )
    for name, value in (
        ("exposure_lines", legal.exposure_lines + 1),
        ("exposure_lines", profile.ranges.min_exposure_lines - 1),
        ("analog_gain", 3),
        ("frame_length_lines", profile.frame_length_lines - 1),
        ("frame_length_lines", 0x10000),
    ):
        with pytest.raises(ProfileError, match=name):
            profile.check(replace(legal, **{name: value}))


def test_what_is_not_known_is_said() -> None:
    with pytest.raises(ProfileError, match="only the timing"):
        PROFILES["ov7670-vga"].registers()
