import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.exit_policy import NeverExitPolicy, PublishedPolicy
from model.runtime import load_runtime
from model.scan import FrameScan, scan_frame, scan_to_last
from model.step import Pixels
from tests.model.conftest import Oracle
from tests.model.random_networks import LOGITS_TOLERANCE, STATE_TOLERANCE, random_frames, seeds
from tests.networks import SMALL, person_curve, random_checkpoint


def test_the_published_rule_reads_what_the_authors_code_reads(oracle: Oracle) -> None:
    runtime = load_runtime(oracle.checkpoint)
    scans, logits = [], []
    for frame in oracle["frames"]:
        scan, last = scan_to_last(runtime, frame, PublishedPolicy())
        scans.append(scan)
        logits.append(last.logits[-1])
    assert [scan.processed_ratio for scan in scans] == oracle["exit_fraction_of_bursts_processed"].tolist()
    np.testing.assert_allclose(np.array(logits), oracle["exit_logits"], rtol=0, atol=LOGITS_TOLERANCE)
    # Exits, skips and frames read to their end all occur, so the equality above speaks of each.
    assert {scan.exited for scan in scans} == {True, False}
    assert any(scan.skipped for scan in scans)


chances = st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.005, 0.99, 1.0]))


@settings(max_examples=30)
@given(st.lists(chances, min_size=1, max_size=12))
def test_every_burst_is_processed_skipped_or_unread(p_persons: list[float]) -> None:
    policy = PublishedPolicy()
    scan = FrameScan(len(p_persons), policy)
    processed, skipped = [], []
    while not scan.decided:
        assert scan.unread == 0
        processed.append(scan.next_burst)
        burst = scan.advance(p_persons[scan.next_burst], 0.5)
        assert scan.last_burst == processed[-1]
        assert scan.p_person == p_persons[scan.last_burst]
        if burst is not None:
            skipped.append(burst)
            assert p_persons[burst - 1] <= policy.skip_threshold
    assert (scan.processed, scan.skipped) == (len(processed), len(skipped))
    assert sorted(processed + skipped) == list(range(len(p_persons) - scan.unread))
    assert scan.exited == (scan.p_person >= 0.99 and scan.last_burst < len(p_persons) - 1)
    assert scan.unread == 0 or scan.exited


def test_a_skip_may_take_the_last_burst() -> None:
    scan = FrameScan(2, PublishedPolicy())
    assert scan.advance(0.001, 0.5) == 1
    assert scan.decided
    assert not scan.exited
    assert (scan.processed, scan.skipped, scan.unread) == (1, 1, 0)
    assert scan.processed_ratio == 0.5


def test_certainty_at_the_last_burst_is_no_exit() -> None:
    scan = FrameScan(1, PublishedPolicy())
    assert scan.advance(1.0, 0.5) is None
    assert scan.decided
    assert not scan.exited
    assert scan.person


@pytest.mark.parametrize(("p_person", "person"), [(0.5, True), (0.4999, False)])
def test_half_is_a_person(p_person: float, person: bool) -> None:
    scan = FrameScan(1, NeverExitPolicy())
    scan.advance(p_person, 0.5)
    assert scan.person is person


@settings(max_examples=20)
@given(seeds)
def test_a_policy_that_never_acts_ends_where_the_curve_ends(seed: int) -> None:
    runtime = load_runtime(random_checkpoint(SMALL, seed))
    frame = random_frames(SMALL, 1, seed)[0]
    curve = person_curve(runtime, frame)
    scan = scan_frame(runtime, frame, NeverExitPolicy())
    assert curve.shape == (SMALL.bursts_per_frame,)
    assert scan.p_person == pytest.approx(curve[-1], abs=STATE_TOLERANCE)
    assert (scan.processed, scan.skipped, scan.unread) == (SMALL.bursts_per_frame, 0, 0)


@pytest.mark.parametrize(
    "frame",
    [np.zeros((25, 32, 3), np.uint8), np.zeros((30, 33, 3), np.uint8), np.zeros((30, 32, 3))],
    ids=["rows", "columns", "dtype"],
)
def test_frames_of_another_network_are_refused(frame: Pixels) -> None:
    with pytest.raises(ValueError, match="must be uint8"):
        scan_frame(load_runtime(random_checkpoint(SMALL, 1)), frame, PublishedPolicy())
