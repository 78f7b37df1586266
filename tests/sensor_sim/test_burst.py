import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor_sim.burst import PixelFormat, SensorGeometry

SIZES = st.integers(2, 300)


@settings(max_examples=50)
@given(st.integers(1, 60), st.integers(1, 12), SIZES, st.sampled_from(PixelFormat))
def test_bursts_cover_the_frame_and_their_bytes_are_those_of_rows_and_halo(
    bursts: int, burst_rows: int, width: int, pixel_format: PixelFormat
) -> None:
    height = bursts * burst_rows
    if pixel_format.pattern and height < 2:
        return
    geometry = SensorGeometry(height, width, burst_rows, pixel_format)
    assert geometry.bursts_per_frame * geometry.burst_rows == geometry.height
    assert geometry.sample_shape == (height, width, pixel_format.channels)
    assert geometry.frame_shape == (height, width, 3)
    rows = burst_rows + 2 * pixel_format.halo_rows
    assert geometry.burst_bytes == rows * geometry.row_bytes == rows * width * pixel_format.channels


@pytest.mark.parametrize("pixel_format", PixelFormat)
def test_a_mosaic_has_a_pattern_a_halo_and_one_sample_a_pixel(pixel_format: PixelFormat) -> None:
    if not pixel_format.value.startswith("bayer_"):
        assert pixel_format.pattern is None
        assert pixel_format.halo_rows == 0
        return
    assert pixel_format.pattern is not None
    assert sorted(pixel_format.pattern) == ["b", "g", "g", "r"]
    assert (pixel_format.halo_rows, pixel_format.channels) == (1, 1)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((0, 10, 5), "must be positive"),
        ((10, -1, 5), "must be positive"),
        ((11, 10, 5), "no multiple of burst_rows 5"),
        ((5, 1, 5, PixelFormat.BAYER_RGGB8), "at least 2"),
    ],
)
def test_a_geometry_that_no_sensor_has_is_refused(arguments: tuple[int, int, int], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        SensorGeometry(*arguments)
