from pathlib import Path

import pytest

from model.budget import budget
from model.config import VARIANTS
from model.exit_policy import NeverExitPolicy, PublishedPolicy, TwoSidedPolicy
from model.runtime import load_runtime
from model.scan import scan_frame
from model.training.evaluate import Evaluation
from model.training.photos import load_frames, read_photos
from tests.model.training.folders import write_twelve
from tests.networks import random_checkpoint


def test_all_pictures_come_first_then_each_source_that_has_both_classes(photo_folder: Path) -> None:
    config = VARIANTS["105x120"]
    runtime = load_runtime(random_checkpoint(config, 1))
    photos = read_photos(photo_folder, "val")
    # Thresholds in the middle, so that a network with random weights exits and skips.
    policy = PublishedPolicy(exit_threshold=0.5, skip_threshold=0.4)
    evaluation = Evaluation(runtime, photos)
    results = dict(evaluation.by_source(policy))
    assert [(name, figures.pictures) for name, figures in results.items()] == [("all", 6), ("garden", 2), ("street", 4)]
    frames = load_frames(photos, config.height, config.width)
    scans = [scan_frame(runtime, frame, policy) for frame in frames]
    ratios = [scan.processed_ratio for scan in scans]
    exits = [figures.exits for figures in results.values()]
    assert exits[0] == sum(scan.exited for scan in scans) == exits[1] + exits[2]
    whole = results["all"]
    assert whole.ratios == pytest.approx((sum(ratios) / 6, sum(ratios[1::2]) / 3, sum(ratios[::2]) / 3))
    assert whole.ratios[0] < 1
    assert whole.ratio_interval[0] <= whole.ratios[0] <= whole.ratio_interval[1]
    assert sum(whole.halts) == 6
    macs = evaluation.mean_macs(whole)
    assert macs == pytest.approx(sum(scan.processed for scan in scans) / 6 * budget(config).macs_per_burst)


def test_pictures_of_one_source_are_judged_once_under_its_name(tmp_path: Path) -> None:
    index = write_twelve(tmp_path) / "index.csv"
    index.write_text(index.read_text().replace(",garden,", ",street,"))
    evaluation = Evaluation(load_runtime(random_checkpoint(VARIANTS["105x120"], 1)), read_photos(tmp_path, "val"))
    assert [(name, int(which.sum())) for name, which in evaluation.sources.items()] == [("street", 6)]


def test_a_policy_that_never_acts_reads_everything(photo_folder: Path) -> None:
    runtime = load_runtime(random_checkpoint(VARIANTS["105x120"], 1))
    whole = Evaluation(runtime, read_photos(photo_folder, "val")).figures(NeverExitPolicy())
    assert (whole.exits, whole.ratios, whole.disagreement) == (0, (1, 1, 1), 0)
    assert whole.halts == (0,) * 9 + (6,)


def test_an_outcome_is_worked_out_once(photo_folder: Path) -> None:
    runtime = load_runtime(random_checkpoint(VARIANTS["105x120"], 1))
    evaluation = Evaluation(runtime, read_photos(photo_folder, "val"))
    assert evaluation.outcome(TwoSidedPolicy(0.6, 0.4)) is evaluation.outcome(TwoSidedPolicy(0.6, 0.4))
