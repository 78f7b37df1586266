import numpy as np
import pytest

from sensor_sim.burst import SensorGeometry
from sensor_sim.charts import CHARTS, EDGE_LEVELS, chart
from sensor_sim.scene import SceneError

GEOMETRY = SensorGeometry(40, 48)


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_is_the_same_by_frame_and_by_row(name: str) -> None:
    scene = chart(name, GEOMETRY)
    whole = scene.rows(0, np.zeros(40))
    assert whole.shape == GEOMETRY.frame_shape
    assert whole.dtype == np.uint8
    rows = np.concatenate([scene.rows(row, np.array([1e6])) for row in range(40)])
    assert np.array_equal(rows, whole)


def test_colour_bars_fall_in_luminance() -> None:
    line = chart("colour-bars", GEOMETRY).rows(0, np.zeros(1))[0]
    bars = line[::6].astype(float) @ [0.2126, 0.7152, 0.0722]
    assert len(bars) == 8
    assert (np.diff(bars) < 0).all()


def test_the_slanted_edge_has_its_angle() -> None:
    level = chart("slanted-edge", GEOMETRY).rows(0, np.zeros(40))[..., 0].astype(float)
    low, high = EDGE_LEVELS
    edge = 48 - ((level - low) / (high - low)).sum(axis=1)
    slope = np.polyfit(np.arange(40), edge, 1)[0]
    assert np.rad2deg(np.arctan(slope)) == pytest.approx(5, abs=0.05)


def test_one_bit_walks() -> None:
    rows = chart("walking-ones", GEOMETRY).rows(0, np.zeros(40))[..., 0]
    assert {int(value).bit_count() for value in np.unique(rows)} == {1}
    assert np.array_equal(rows[1:, :-1], rows[:-1, 1:])


def test_unknown_chart() -> None:
    with pytest.raises(SceneError, match="colour-bars"):
        chart("other", GEOMETRY)
