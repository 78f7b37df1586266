from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from model.training.people import HEAD, SIDE_PX, PersonScore
from model.training.tfjs import GraphModelError
from tests.model.training.graph_models import integers, node, text, write_graph_model


def detector(folder: Path) -> PersonScore:
    """A detector whose score is the red channel, and whose four distances are the green one."""
    kernel = np.zeros((1, 1, 3, 4), np.float32)
    kernel[0, 0, 1] = 1
    nodes = [
        node("picture", "Placeholder"),
        node(f"{HEAD}_cls_output/BiasAdd", "Identity", "picture"),
        node(
            f"{HEAD}_wh_output/BiasAdd",
            "Conv2D",
            "picture",
            "kernel",
            strides=integers(1, 1, 1, 1),
            padding=text("SAME"),
        ),
    ]
    return PersonScore(write_graph_model(folder, nodes, {"kernel": kernel}))


class Graph(nn.Module):
    """The maps of a detector that sees one person, with a score of sigmoid(2); elsewhere it is sigmoid(-2)."""

    def __init__(self, row: int, column: int, distance: float) -> None:
        super().__init__()
        self.classes = torch.full((1, 80, 64, 64), -2.0)
        self.classes[0, 0, row, column] = 2
        self.distances = torch.full((1, 4, 64, 64), distance)

    def forward(self, _: Tensor) -> list[Tensor]:
        return [self.classes, self.distances]


def best(score: PersonScore, graph: Graph) -> float:
    score.graph = graph
    return float(score(torch.zeros(1, 3, SIDE_PX, SIDE_PX, dtype=torch.uint8)).logit())


@pytest.mark.parametrize(
    ("distance", "found"),
    [
        (0.0, -np.inf),
        (0.5, -np.inf),  # a square of 2 * 0.5 * 16 px is 0.4 % of the picture
        (0.6, 2),
    ],
)
def test_a_person_counts_from_half_a_percent(distance: float, found: float, tmp_path: Path) -> None:
    assert best(detector(tmp_path), Graph(20, 30, distance)) == pytest.approx(found)


def test_of_a_box_that_is_cut_counts_what_is_within(tmp_path: Path) -> None:
    # Of the person's box, a quarter is within. Far from the person, boxes are whole.
    assert best(detector(tmp_path), Graph(0, 0, 0.6)) == pytest.approx(-2)
    assert best(detector(tmp_path), Graph(0, 0, 1.2)) == pytest.approx(2)


def test_the_graph_is_read(tmp_path: Path) -> None:
    frames = torch.zeros(2, 3, SIDE_PX, SIDE_PX, dtype=torch.uint8)
    frames[:, 1] = 8
    assert detector(tmp_path)(frames).tolist() == pytest.approx([0.5, 0.5])
    (tmp_path / "model.json").write_text("{}")
    with pytest.raises(GraphModelError, match="not a TensorFlow"):
        PersonScore(tmp_path / "model.json")
