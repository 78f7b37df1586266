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


def tensorflow_same(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Padding before and after, as TensorFlow's documentation of `SAME` has it."""
    missing = max(kernel - stride, 0) if size % stride == 0 else max(kernel - size % stride, 0)
    return missing // 2, missing - missing // 2


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [(8, 8), (9, 7), (5, 6)])
def test_padding_of_the_same_size_puts_the_odd_pixel_last(tmp_path: Path, size: tuple[int, int], stride: int) -> None:
    constants = {"kernel": np.random.default_rng(0).standard_normal((3, 3, 3, 4)).astype(np.float32)}
    convolved = node("out", "Conv2D", "picture", "kernel", padding=text("SAME"), strides=integers(1, stride, stride, 1))
    model = GraphModel(write_graph_model(tmp_path, [PICTURE, convolved], constants), ["out"], 8)
    pictures = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(0))
    (top, bottom), (left, right) = (tensorflow_same(side, 3, stride) for side in size)
    kernel = torch.from_numpy(constants["kernel"]).permute(3, 2, 0, 1)
    expected = functional.conv2d(functional.pad(pictures, (left, right, top, bottom)), kernel, stride=stride)
    torch.testing.assert_close(model(pictures)[0], expected)


@pytest.mark.parametrize("kind", ["DepthwiseConv2dNative", "FusedDepthwiseConv2dNative"])
def test_a_depthwise_kernel_sees_one_channel(tmp_path: Path, kind: str) -> None:
    rng = np.random.default_rng(0)
    kernel, bias = rng.standard_normal((2, 2, 3, 2)).astype(np.float32), rng.standard_normal(6).astype(np.float32)
    fused = kind.startswith("Fused")
    attributes = {"fused_ops": texts("BiasAdd", "Relu6")} if fused else {}
    inputs = ["picture", "kernel", *(["bias"] if fused else [])]
    convolved = node("out", kind, *inputs, padding=text("VALID"), strides=integers(1, 1, 1, 1), **attributes)
    path = write_graph_model(tmp_path, [PICTURE, convolved], {"kernel": kernel, "bias": bias})
    pictures = torch.randn(2, 3, 5, 5, generator=torch.Generator().manual_seed(0))
    found = GraphModel(path, ["out"], 5)(pictures)[0]
    for channel in range(6):
        one = torch.from_numpy(kernel[:, :, channel // 2, channel % 2])[None, None]
        expected = functional.conv2d(pictures[:, channel // 2 : channel // 2 + 1], one)[:, 0]
        expected = functional.relu6(expected + bias[channel]) if fused else expected
        torch.testing.assert_close(found[:, channel], expected)


def test_squeeze_and_excite(tmp_path: Path) -> None:
    nodes = [
        PICTURE,
        node("mean", "Mean", "picture", "sides", keep_dims={"b": True}),
        node("third", "Mul", "mean", "factor"),
        node("bounded", "Relu6", "third"),
        node("gate", "Sigmoid", "bounded"),
        node("out", "Mul", "gate", "picture"),
    ]
    constants = {"sides": np.array([1, 2], np.int32), "factor": np.array(3, np.float32)}
    model = GraphModel(write_graph_model(tmp_path, nodes, constants), ["out"], 4)
    pictures = torch.randn(2, 3, 4, 6, generator=torch.Generator().manual_seed(0))
    gate = (pictures.mean((2, 3), keepdim=True) * 3).clamp(0, 6).sigmoid()
    torch.testing.assert_close(model(pictures)[0], pictures * gate)


@pytest.mark.parametrize("worked_out", [False, True])
def test_resizing_by_corners_and_by_a_factor(tmp_path: Path, *, worked_out: bool) -> None:
    sizes = [node("shape", "Shape", "picture"), node("size", "Mul", "shape", "twice")] if worked_out else []
    name = "size" if worked_out else "eight"
    by_corner, by_middle = (
        node(out, "ResizeBilinear", "picture", name, half_pixel_centers={"b": middle}, align_corners={"b": False})
        for out, middle in (("corner", False), ("middle", True))
    )
    constants = {"twice": np.array([2, 2], np.int32), "eight": np.array([8, 8], np.int32)}
    path = write_graph_model(tmp_path, [PICTURE, *sizes, by_corner, by_middle], constants)
    pictures = torch.arange(4.0).expand(1, 3, 4, 4)
    corner, middle = GraphModel(path, ["corner", "middle"], 4)(pictures)
    assert corner.shape == middle.shape == (1, 3, 8, 8)
    assert corner[0, 0, 0].tolist() == [0, 0.5, 1, 1.5, 2, 2.5, 3, 3]
    assert middle[0, 0, 0].tolist() == [0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3]


def test_a_node_can_stand_for_the_picture(tmp_path: Path) -> None:
    nodes = [PICTURE, node("cast", "Cast", "picture"), node("out", "Mul", "cast", "twice")]
    path = write_graph_model(tmp_path, nodes, {"twice": np.array(2, np.float32)})
    found = GraphModel(path, ["out"], 4, picture="cast")(torch.ones(1, 3, 4, 4))[0]
    assert found.unique().tolist() == [2]


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
        (
            node("sum", "Conv2D", "picture", "kernel", padding=text("EXPLICIT"), strides=integers(1, 1, 1, 1)),
            "EXPLICIT",
        ),
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
