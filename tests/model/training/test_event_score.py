import pytest

from model.training.event_score import streaming_score
from model.training.metrics import poisson_interval, wilson_interval

WINDOWS = [(10.0, 12.0), (30.0, 31.0), (50.0, 55.0)]


def test_detections_in_windows_and_around_them() -> None:
    # Found: 10.5 (again at 11), and 31.9 within the grace. False: 9.9, then 40 with its echo at 40.8, then 56.1.
    score = streaming_score([9.9, 11.0, 10.5, 31.9, 40.0, 40.8, 56.1], WINDOWS, 1800.0)
    assert (score.windows, score.found, score.missed, score.false_alarms) == (3, 2, 1, 3)
    assert score.delay_s == pytest.approx((0.5 + 1.9) / 2)
    assert score.false_per_hour == pytest.approx(6)
    assert score.recall_interval == wilson_interval(2, 3)
    assert score.false_per_hour_interval == tuple(2 * end for end in poisson_interval(3))


def test_a_detection_counts_for_the_window_that_has_begun() -> None:
    score = streaming_score([2.5], [(0.0, 2.0), (2.4, 3.0)], 10.0)
    assert score.found == 1
    assert score.delay_s == pytest.approx(0.1)


def test_silence() -> None:
    score = streaming_score([], WINDOWS, 60.0)
    assert (score.found, score.delay_s, score.false_alarms) == (0, None, 0)
    assert score.false_per_hour_interval[1] == pytest.approx(3.689 * 60, rel=1e-3)


@pytest.mark.parametrize(
    ("windows", "length", "message"),
    [([(3.0, 2.0)], 10.0, "in order and apart"), ([(0.0, 5.0), (4.0, 6.0)], 10.0, "in order"), ([], 0.0, "a length")],
)
def test_impossible_truth_is_refused(windows: list[tuple[float, float]], length: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        streaming_score([], windows, length)


@pytest.mark.parametrize(("count", "low", "high"), [(0, 0, 3.6889), (1, 0.02532, 5.5716), (10, 4.7954, 18.3904)])
def test_poisson_intervals_of_the_tables(count: int, low: float, high: float) -> None:
    assert poisson_interval(count) == pytest.approx((low, high), rel=1e-3)
