from pathlib import Path

import numpy as np
import pytest

from model.exit_policy import NeverExitPolicy, parse_policy
from model.runtime import load_runtime
from model.scan import scan_frame
from model.training.kind_metrics import COVER_GREY, KINDS, frames_of_kind, kind_figures
from model.training.metrics import binary_metrics, wilson_interval
from model.training.photos import Photo, Photos
from sensor_sim.sensor import PRESETS
from tests.model.random_networks import random_frames
from tests.networks import SMALL, random_checkpoint
from tests.server.stream.sessions import frame_of


def test_exits_are_lost_as_frame_by_frame() -> None:
    runtime, never = load_runtime(random_checkpoint(SMALL, 0)), NeverExitPolicy()
    policy = parse_policy({"name": "fixed_row", "share": 0.4})
    frames = np.stack([frame_of(seed) for seed in range(8)])
    photos = Photos("val", tuple(Photo(Path(), number % 2, "", None) for number in range(8)), "")
    found = {figures.name: figures for figures in kind_figures(runtime, policy, frames, photos)}
    assert list(found) == list(KINDS)
    for name, figures in found.items():
        scans = [
            (scan_frame(runtime, frame, policy), scan_frame(runtime, frame, never))
            for frame in frames_of_kind(name, frames)
        ]
        assert figures.lost.tolist() == [early.person != full.person for early, full in scans]
        assert figures.processed_ratio == pytest.approx(np.mean([early.processed_ratio for early, _ in scans]))
        assert figures.full == binary_metrics(np.array([full.p_person for _, full in scans]), photos.labels)
        assert figures.interval == wilson_interval(int(figures.lost.sum()), 8)
    assert any(figures.lost.any() for figures in found.values())


def test_each_kind_looks_as_it_is_called() -> None:
    frames = random_frames(SMALL, 3, 5)
    shown = {name: frames_of_kind(name, frames) for name in KINDS}
    assert set(PRESETS) <= set(shown)
    assert all(each.shape == frames.shape and each.dtype == np.uint8 for each in shown.values())
    assert np.array_equal(shown["ideal"], frames)
    assert len({each.tobytes() for each in shown.values()}) == len(KINDS)
    assert np.ptp(shown["indoor, mono8"], axis=3).max() == 0
    assert (shown["overexposed, thirty times daylight"] == 255).mean() > 0.5
    assert shown["underexposed, a tenth of daylight"].mean() < frames.mean() / 2
    covered = shown["upper three fifths covered"]
    rows = SMALL.height * 3 // 5
    assert (covered[:, :rows] == COVER_GREY).all()
    assert np.array_equal(covered[:, rows:], frames[:, rows:])
