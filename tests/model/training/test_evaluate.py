from pathlib import Path

import pytest

from model.config import VARIANTS
from model.exit_policy import NeverExitPolicy, PublishedPolicy
from model.runtime import load_runtime
from model.scan import scan_frame
from model.training.evaluate import evaluate_split
from model.training.photos import load_frames, read_photos
from tests.networks import random_checkpoint


def test_all_pictures_come_first_then_each_source_that_has_both_classes(photo_folder: Path) -> None:
    config = VARIANTS["105x120"]
    runtime = load_runtime(random_checkpoint(config, 1))
    photos = read_photos(photo_folder, "val")
    # Thresholds in the middle, so that a network with random weights exits and skips.
    policy = PublishedPolicy(exit_threshold=0.5, skip_threshold=0.4)
    results = list(evaluate_split(runtime, photos, policy))
    assert [result.source for result in results] == ["all", "garden", "street"]
    assert [(result.metrics.persons, result.metrics.empties) for result in results] == [(3, 3), (1, 1), (2, 2)]
    frames = load_frames(photos, config.height, config.width)
    scans = [scan_frame(runtime, frame, policy) for frame in frames]
    ratios = [scan.processed_ratio for scan in scans]
    assert results[0].exits == sum(scan.exited for scan in scans) == results[1].exits + results[2].exits
    assert results[0].processed_ratios == pytest.approx((sum(ratios) / 6, sum(ratios[1::2]) / 3, sum(ratios[::2]) / 3))
    assert results[0].processed_ratios[0] < 1


def test_a_policy_that_never_acts_reads_everything(photo_folder: Path) -> None:
    runtime = load_runtime(random_checkpoint(VARIANTS["105x120"], 1))
    whole = next(evaluate_split(runtime, read_photos(photo_folder, "val"), NeverExitPolicy()))
    assert whole.exits == 0
    assert whole.processed_ratios == (1.0, 1.0, 1.0)
