import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.training.metrics import (
    auroc,
    auroc_change,
    average_precision,
    binary_metrics,
    bootstrap_interval,
    calibration_error,
    mcnemar,
    mean_interval,
    reliability,
    wilson_interval,
)


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        # Newcombe (1998), Statistics in Medicine 17, table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_s_interval_has_its_published_values(successes: int, trials: int, low: float, high: float) -> None:
    assert wilson_interval(successes, trials) == pytest.approx((low, high), abs=5e-5)


def test_nothing_tried_says_nothing() -> None:
    assert wilson_interval(0, 0) == (0.0, 1.0)


@settings(max_examples=30)
@given(st.integers(1, 500).flatmap(lambda trials: st.tuples(st.integers(0, trials), st.just(trials))))
def test_the_interval_holds_the_share_and_mirrors(counts: tuple[int, int]) -> None:
    successes, trials = counts
    low, high = wilson_interval(successes, trials)
    assert 0 <= low <= successes / trials + 1e-12
    assert successes / trials - 1e-12 <= high <= 1
    mirrored = wilson_interval(trials - successes, trials)
    assert mirrored == pytest.approx((1 - high, 1 - low), abs=1e-12)


scores = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 1)), min_size=2, max_size=40).filter(
    lambda pairs: len({label for _, label in pairs}) == 2
)


@settings(max_examples=30)
@given(scores)
def test_auroc_is_the_share_of_ordered_pairs(pairs: list[tuple[int, int]]) -> None:
    people = [score for score, label in pairs if label]
    empties = [score for score, label in pairs if not label]
    wins = sum((person > empty) + (person == empty) / 2 for person in people for empty in empties)
    values = np.array([score for score, _ in pairs]) / 8
    labels = np.array([label for _, label in pairs], np.int64)
    assert auroc(values, labels) == pytest.approx(wins / (len(people) * len(empties)))


def test_a_hand_counted_case() -> None:
    p_person = np.array([0.9, 0.5, 0.4, 0.2, 0.1, 0.5])
    labels = np.array([1, 1, 1, 0, 0, 0])
    found = binary_metrics(p_person, labels)
    assert (found.persons, found.empties) == (3, 3)
    # Half is a person: the second person is found, the last empty picture is not kept.
    assert found.persons_found == pytest.approx(2 / 3)
    assert found.empties_kept == pytest.approx(2 / 3)
    assert found.balanced_accuracy == pytest.approx(2 / 3)
    assert found.auroc == pytest.approx((3 + 2.5 + 2) / 9)
    low, high = wilson_interval(2, 3)
    # Two independent shares of equal spread: their mean spreads less by the root of two.
    assert found.interval == pytest.approx((2 / 3 - (2 / 3 - low) / 2**0.5, 2 / 3 + (high - 2 / 3) / 2**0.5))


def test_balance_does_not_care_how_many_there_are() -> None:
    p_person = np.array([0.9, 0.1] + [0.1] * 98)
    labels = np.array([1, 1] + [0] * 98)
    assert binary_metrics(p_person, labels).balanced_accuracy == pytest.approx(0.75)


def test_the_dict_names_every_figure() -> None:
    found = binary_metrics(np.array([0.9, 0.1]), np.array([1, 0]))
    assert list(found.to_dict()) == [
        "persons",
        "empties",
        "persons_found",
        "empties_kept",
        "balanced_accuracy",
        "interval",
        "auroc",
        "average_precision",
        "calibration_error",
    ]
    assert found.to_dict()["auroc"] == 1.0


def test_calibration_error_by_hand_and_by_law() -> None:
    p_person = np.array([0.1, 0.1, 0.9, 0.9])
    labels = np.array([0, 1, 1, 1])
    assert calibration_error(p_person, labels) == pytest.approx((2 * 0.4 + 2 * 0.1) / 4)
    rng = np.random.default_rng(1)
    p_person = rng.random(40_000)
    drawn = (rng.random(40_000) < p_person).astype(np.int64)
    assert calibration_error(p_person, drawn) < 0.02
    assert calibration_error(p_person, 1 - drawn) > 0.4


@settings(max_examples=40)
@given(scores)
def test_average_precision_is_scikit_learns(pairs: list[tuple[int, int]]) -> None:
    """Against its definition, spelled out: sum over thresholds of (recall gained) * precision."""
    values = np.array([score for score, _ in pairs]) / 8
    labels = np.array([label for _, label in pairs], np.int64)
    expected, before = 0.0, 0.0
    for threshold in sorted(set(values.tolist()), reverse=True):
        taken = values >= threshold
        recall = labels[taken].sum() / labels.sum()
        expected += (recall - before) * labels[taken].mean()
        before = recall
    assert average_precision(values, labels) == pytest.approx(expected)


def test_average_precision_by_hand() -> None:
    # Ranks of the persons: 1, 3, 4; precisions 1, 2/3, 3/4.
    scores_ = np.array([0.9, 0.8, 0.7, 0.6, 0.1])
    assert average_precision(scores_, np.array([1, 0, 1, 1, 0])) == pytest.approx((1 + 2 / 3 + 3 / 4) / 3)


def test_reliability_counts_every_picture_once() -> None:
    p_person = np.array([0.0, 0.05, 0.5, 0.99, 1.0])
    bins = reliability(p_person, np.array([0, 1, 1, 1, 0]), 10)
    assert [each.pictures for each in bins] == [2, 0, 0, 0, 0, 1, 0, 0, 0, 2]
    assert bins[0].persons == 1
    assert bins[0].p_person == pytest.approx(0.025)
    assert np.isnan(bins[1].p_person)


@pytest.mark.parametrize(
    ("first", "second", "p_value"),
    [(0, 0, 1.0), (5, 5, 1.0), (0, 6, 2 / 64), (6, 0, 2 / 64), (1, 9, 2 * 11 / 1024)],
)
def test_mcnemar_counts_the_pictures_that_differ(first: int, second: int, p_value: float) -> None:
    left = np.array([True] * first + [False] * second + [True, False])
    right = np.array([False] * first + [True] * second + [True, False])
    *counts, found = mcnemar(left, right)
    assert counts == [first, second]
    assert found == pytest.approx(min(1.0, p_value))


def test_intervals_shrink_with_pictures_and_hold_the_value() -> None:
    rng = np.random.default_rng(0)
    widths = []
    for count in (100, 900):
        labels = np.arange(count) % 2
        values = rng.normal(labels, 1.0)
        low, high = bootstrap_interval(auroc, values, labels, draws=100)
        assert low < auroc(values, labels) < high
        low_mean, high_mean = mean_interval(values)
        assert low_mean < values.mean() < high_mean
        widths.append((high - low, high_mean - low_mean))
    assert widths[0][0] > 2 * widths[1][0]
    assert widths[0][1] > 2 * widths[1][1]


def test_the_change_is_judged_on_the_same_pictures() -> None:
    # What two scores of the same pictures have in common takes no part in the interval of their difference.
    rng = np.random.default_rng(0)
    labels = rng.permutation(np.arange(400) % 2)
    clean = np.clip(0.5 + 0.15 * (2 * labels - 1) + rng.normal(0, 0.3, 400), 0, 1)
    same = auroc_change(clean, clean, labels)
    assert (same.change, same.interval) == (0, (0, 0))
    worse = np.clip(clean + rng.normal(0, 0.05, 400), 0, 1)
    figures = auroc_change(clean, worse, labels)
    assert figures.change == pytest.approx(auroc(worse, labels) - auroc(clean, labels))
    assert figures.interval[0] <= figures.change <= figures.interval[1]
    assert figures.interval[1] - figures.interval[0] < 0.03
    lost = auroc_change(clean, rng.random(400), labels)
    assert lost.interval[1] < 0
