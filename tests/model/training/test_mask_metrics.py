from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model.exit_policy import PERSON_FROM, parse_policy
from model.random_weights import random_checkpoint
from model.runtime import load_runtime
from model.scan import scan_frame
from model.training.mask_metrics import LEFT, mask_figures
from model.training.photos import Photos, load_frames, read_photos
from sensor_sim.window import Rectangle
from tests.model.training.folders import write_index
from tests.networks import SMALL

BOXES = {"left": [0.0, 0.2, 0.15, 0.6], "right": [0.8, 0.2, 0.2, 0.6], "whole": [0.0, 0.0, 1.0, 1.0]}


@pytest.fixture
def photos(tmp_path: Path) -> Photos:
    """Persons at places, and empty pictures."""
    rng = np.random.default_rng(0)
    lines = []
    for number, box in enumerate([*BOXES.values(), None, None]):
        Image.fromarray(rng.integers(0, 256, (60, 64, 3), np.uint8)).save(tmp_path / f"{number}.png")
        lines.append(f'{number}.png,val,{int(box is not None)},coco,"{[box] if box else []}"')
    return read_photos(write_index(tmp_path, *lines), "val")


def test_persons_behind_a_mask_don_t_count_and_exits_are_lost_as_frame_by_frame(photos: Photos) -> None:
    runtime = load_runtime(random_checkpoint(SMALL, 3))
    policy = parse_policy({"name": "fixed_row", "share": 0.4})
    frames = load_frames(photos, SMALL.height, SMALL.width)
    found = {figures.name: figures for figures in mask_figures(runtime, policy, frames, photos)}
    assert list(found) == list(LEFT)
    assert {name: figures.pictures for name, figures in found.items()} == {
        "none": 5, "left fifth": 4, "left half": 4, "upper third": 5, "lower third": 5, "10 % around": 4,
    }  # fmt: skip
    assert found["none"].masked == found["none"].whole == found["none"].region
    masked = frames.copy()
    masked[:, :, : SMALL.width // 2] = 0
    lost = 0
    for frame in np.delete(masked, list(BOXES).index("left"), axis=0):
        full = runtime.step(frame, runtime.initial_hidden()).p_person[-1]
        lost += (scan_frame(runtime, frame, policy).p_person >= PERSON_FROM) != (full >= PERSON_FROM)
    assert found["left half"].lost[0] == lost / 4


def test_what_masks_leave_is_a_part_of_the_picture() -> None:
    for rectangle in LEFT.values():
        assert rectangle is None or isinstance(rectangle, Rectangle)
        assert rectangle is None or rectangle.width * rectangle.height < 100 * 100
