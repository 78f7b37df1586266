import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from model.training.tfjs import GraphModel, GraphModelError
from tests.model.training.graph_models import integers, node, text, texts, write_graph_model

PICTURE = node("picture", "Placeholder")
CONVOLUTION = {"padding": text("VALID"), "strides": integers(1, 2, 2, 1)}


def random_constants() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    return {
        "kernel": rng.standard_normal((3, 3, 3, 4)).astype(np.float16).astype(np.float32),
        "bias": rng.standard_normal(4).astype(np.float32),
        "shift": rng.standard_normal(4).astype(np.float32),
        "around": np.array([[0, 0], [1, 1], [1, 1], [0, 0]], np.int32),
        "nothing": np.array(0, np.float32),
        "size": np.array([8, 8], np.int32),
        "axis": np.array(3, np.int32),
    }


POOL = {"padding": text("VALID"), "strides": integers(1, 2, 2, 1), "ksize": integers(1, 2, 2, 1)}
NODES = [
    PICTURE,
    node("turned", "Transpose", "picture"),
    node("padded", "PadV2", "turned", "around", "nothing"),
    node("convolved", "_FusedConv2D", "padded:0", "kernel", "bias", fused_ops=texts("BiasAdd"), **CONVOLUTION),
    node("active", "LeakyRelu", "convolved", alpha={"f": 0.1}),
    node("pooled", "MaxPool", "active", **POOL),
    node("larger", "ResizeBilinear", "pooled", "size", half_pixel_centers={"b": True}),
    node("both", "ConcatV2", "larger", "active", "axis"),
    node("shifted", "AddV2", "larger", "shift"),
    node("sum", "AddV2", "shifted", "active"),
]


@pytest.mark.parametrize("size", [(16, 16), (24, 40)])
def test_a_graph_gives_what_its_operations_give(tmp_path: Path, size: tuple[int, int]) -> None:
    constants = random_constants()
    model = GraphModel(write_graph_model(tmp_path, NODES, constants, half=["kernel"]), ["sum", "both"], 16)
    pictures = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(0))
    kernel, bias, shift = (torch.from_numpy(constants[name]) for name in ("kernel", "bias", "shift"))
    active = functional.leaky_relu(
        functional.conv2d(pictures, kernel.permute(3, 2, 0, 1), bias, stride=2, padding=1), 0.1
    )
    larger = functional.interpolate(functional.max_pool2d(active, 2), scale_factor=2, mode="bilinear")
    summed, both = model(pictures)
    torch.testing.assert_close(summed, larger + shift[:, None, None] + active)
    torch.testing.assert_close(both, torch.cat((larger, active), 1))


def test_weights_in_eight_bits_are_spread_out(tmp_path: Path) -> None:
    shift = np.array([0, 10, 255], np.uint8)
    path = write_graph_model(tmp_path, [PICTURE, node("sum", "Add", "picture", "shift")], {"shift": shift})
    described = json.loads(path.read_text())
    (weights,) = described["weightsManifest"][0]["weights"]
    weights |= {"dtype": "float32", "quantization": {"dtype": "uint8", "scale": 0.5, "min": -3}}
    path.write_text(json.dumps(described))
    found = GraphModel(path, ["sum"], 4)(torch.zeros(1, 3, 4, 4))[0]
    assert found[0, :, 0, 0].tolist() == [-3, 2, 124.5]


def test_what_is_not_wanted_is_not_read(tmp_path: Path) -> None:
    nodes = [*NODES, node("boxes", "NonMaxSuppressionV5", "sum")]
    model = GraphModel(write_graph_model(tmp_path, nodes, random_constants()), ["active"], 16)
    assert model(torch.zeros(1, 3, 16, 16))[0].shape == (1, 4, 8, 8)
    assert not any(parameter.requires_grad for parameter in model.parameters())


@pytest.mark.parametrize(
    ("broken", "wrong"),
    [
        (node("sum", "Softplus", "picture"), "Softplus is not known"),
        (node("sum", "Conv2D", "picture", "kernel", padding=text("SAME"), strides=integers(1, 1, 1, 1)), "pads"),
        (node("sum", "Identity", "elsewhere"), "elsewhere"),
    ],
)
def test_a_graph_that_is_not_known_is_refused(tmp_path: Path, broken: dict[str, Any], wrong: str) -> None:
    path = write_graph_model(tmp_path, [PICTURE, broken], random_constants())
    with pytest.raises(GraphModelError, match=wrong):
        GraphModel(path, ["sum"], 16)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"weightsManifest": [{"paths": ["none"], "weights": []}]}'])
def test_another_file_is_refused_by_name(tmp_path: Path, content: str) -> None:
    path = tmp_path / "model.json"
    path.write_text(content)
    with pytest.raises(GraphModelError, match=r"not a TensorFlow\.js graph model"):
        GraphModel(path, ["sum"], 16)
