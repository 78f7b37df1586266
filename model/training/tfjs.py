"""Graph models of TensorFlow.js in torch: the part of the format that convolutional detectors need."""

import base64
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

Node = dict[str, Any]
Constants = dict[str, npt.NDArray[Any]]


RESIZE_BY = "ResizeBy"
"""Our own name for a node that resizes by a factor, whatever the size."""


class GraphModelError(ValueError):
    """A file that is not a graph model, or a model with an unknown operation."""


class GraphModel(nn.Module):
    """A graph up to some of its nodes, for pictures of any size that its strides divide.

    Args:
        path: the model's JSON file, with its weights beside it.
        outputs: names of the nodes whose values are wanted.
        side: height and width (px) of the pictures that the graph was made for.
        picture: name of the node that the pictures replace; None: the graph's placeholder.

    Raises:
        GraphModelError: not a graph model, or an unknown operation.
    """

    def __init__(self, path: Path, outputs: Sequence[str], side: int, picture: str | None = None) -> None:
        super().__init__()
        self.outputs = tuple(outputs)
        self._inputs: dict[str, list[str]] = {}
        self._steps = nn.ModuleDict()
        try:
            description = json.loads(path.read_text())
            constants = _constants(description, path.parent)
            nodes = {node["name"]: node for node in description["modelTopology"]["node"]}
            nodes |= _factors(nodes, constants)
            if picture:
                nodes[picture] = {"name": picture, "op": "Placeholder"}
            found: dict[str, Tensor] = {}
            for node in _in_order(nodes, self.outputs):
                name, inputs = node["name"], [_bare(each) for each in node.get("input", ())]
                if name in constants:
                    continue
                fixed = [constants[each] for each in inputs if each in constants]
                self._inputs[name] = [each for each in inputs if each not in constants]
                given = [found[each] for each in self._inputs[name]] or [torch.zeros(1, 3, side, side)]
                module = _operation(node, fixed, given[0].shape[2])
                self._steps[_key(name)] = module
                # Sizes that the graph names become factors, by the sizes seen in this run.
                found[name] = module(*given)
        except (OSError, KeyError, ValueError, TypeError, IndexError, RuntimeError) as error:
            raise GraphModelError(
                f"{path}: not a TensorFlow.js graph model with its weights beside it ({error!r})"
            ) from error
        self.eval().requires_grad_(requires_grad=False)

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """Returns the outputs (B, C, h, w) for pictures (B, 3, H, W)."""
        found: dict[str, Tensor] = {}
        for name, inputs in self._inputs.items():
            found[name] = self._steps[_key(name)](*([found[each] for each in inputs] or [pictures]))
        return [found[name] for name in self.outputs]


class _Shift(nn.Module):
    def __init__(self, constant: npt.NDArray[Any]) -> None:
        super().__init__()
        self.constant = nn.Parameter(torch.from_numpy(constant).reshape(-1, 1, 1))

    def forward(self, features: Tensor) -> Tensor:
        return features + self.constant


class _Sum(nn.Module):
    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        return first + second


class _Concat(nn.Module):
    def forward(self, *parts: Tensor) -> Tensor:
        return torch.cat(parts, 1)


class _Scale(nn.Module):
    def __init__(self, constant: npt.NDArray[Any]) -> None:
        super().__init__()
        self.constant = nn.Parameter(torch.from_numpy(constant).reshape(-1, 1, 1))

    def forward(self, features: Tensor) -> Tensor:
        return features * self.constant


class _Product(nn.Module):
    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        return first * second


class _Mean(nn.Module):
    def forward(self, features: Tensor) -> Tensor:
        return features.mean((2, 3), keepdim=True)


class _Resize(nn.Module):
    """Bilinear resizing; `by_corner`: true if a pixel's place is its upper left corner, false if it is its middle."""

    def __init__(self, factor: float, *, by_corner: bool) -> None:
        super().__init__()
        self.factor, self.by_corner = factor, by_corner

    def forward(self, features: Tensor) -> Tensor:
        if not self.by_corner:
            return functional.interpolate(features, scale_factor=self.factor, mode="bilinear", align_corners=False)
        height, width = (round(side * self.factor) for side in features.shape[2:])
        one_more = functional.pad(features, (0, 1, 0, 1), "replicate")
        size = (height + 1, width + 1)
        return functional.interpolate(one_more, size, mode="bilinear", align_corners=True)[:, :, :height, :width]


class _PadSame(nn.Module):
    """TensorFlow's padding `SAME`: one output for each stride; an odd pixel of padding goes to the right and below."""

    def __init__(self, kernel: tuple[int, int], stride: int) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride

    def forward(self, features: Tensor) -> Tensor:
        around = []
        # Columns first, as `pad` takes them.
        for side, kernel in zip(features.shape[:1:-1], self.kernel[::-1], strict=True):
            missing = max((-(-side // self.stride) - 1) * self.stride + kernel - side, 0)
            around += [missing // 2, missing - missing // 2]
        return functional.pad(features, around)


ACTIVATIONS: dict[str, type[nn.Module]] = {"Relu": nn.ReLU, "Relu6": nn.ReLU6, "Sigmoid": nn.Sigmoid}


def _operation(node: Node, fixed: Sequence[npt.NDArray[Any]], height: int) -> nn.Module:
    """Makes a module on (B, C, H, W) of a node and its constants, from any order of axes in the graph.

    Args:
        node: the node.
        fixed: values of the node's constant inputs.
        height: height (px) of the node's input.
    """
    kind, attributes = node["op"], node.get("attr", {})
    if kind in {"Placeholder", "Identity", "Transpose"}:
        return nn.Identity()
    if kind in {"Conv2D", "_FusedConv2D", "DepthwiseConv2dNative", "FusedDepthwiseConv2dNative"}:
        return _convolution(attributes, fixed, depthwise="Depthwise" in kind)
    if kind in {"Add", "AddV2", "BiasAdd"}:
        return _Shift(fixed[0]) if fixed else _Sum()
    if kind == "Mul":
        return _Scale(fixed[0]) if fixed else _Product()
    if kind in ACTIVATIONS:
        return ACTIVATIONS[kind]()
    if kind == "Mean" and attributes["keep_dims"]["b"] and fixed[0].tolist() == [1, 2]:
        return _Mean()
    if kind == "LeakyRelu":
        return nn.LeakyReLU(attributes["alpha"]["f"])
    if kind == "MaxPool" and _text(attributes["padding"]) == "VALID":
        return nn.MaxPool2d(_integers(attributes["ksize"])[1], _integers(attributes["strides"])[1])
    if kind in {"Pad", "PadV2"}:
        (top, bottom), (left, right) = [pair for pair in fixed[0].tolist() if any(pair)] or [(0, 0), (0, 0)]
        return nn.ConstantPad2d((left, right, top, bottom), float(fixed[1]) if kind == "PadV2" else 0.0)
    if kind == "ConcatV2":
        return _Concat()
    if kind in {"ResizeBilinear", RESIZE_BY} and not attributes.get("align_corners", {}).get("b"):
        factor = int(fixed[0][0]) / (1 if kind == RESIZE_BY else height)
        return _Resize(factor, by_corner=not attributes["half_pixel_centers"]["b"])
    raise ValueError(f"{kind} is not known")


def _convolution(attributes: dict[str, Any], fixed: Sequence[npt.NDArray[Any]], *, depthwise: bool) -> nn.Module:
    fused = [base64.b64decode(name).decode() for name in attributes.get("fused_ops", {}).get("list", {}).get("s", ())]
    biased, activated = "BiasAdd" in fused, [name for name in fused if name in ACTIVATIONS]
    padding = _text(attributes["padding"])
    if padding not in {"VALID", "SAME"} or set(fused) - {"BiasAdd", *ACTIVATIONS}:
        raise ValueError(f"a convolution with {', '.join((padding, *fused))} is not known")
    rows, columns, inputs, outputs = fixed[0].shape
    weight = (
        torch.from_numpy(fixed[0]).permute(2, 3, 0, 1) if depthwise else torch.from_numpy(fixed[0]).permute(3, 2, 0, 1)
    )
    if depthwise:  # `outputs` of each input
        weight, outputs = weight.reshape(inputs * outputs, 1, rows, columns), inputs * outputs
    stride = _integers(attributes["strides"])[1]
    convolution = nn.Conv2d(inputs, outputs, (rows, columns), stride, groups=inputs if depthwise else 1, bias=biased)
    convolution.weight.data = weight.contiguous()
    if biased:
        convolution.bias.data = torch.from_numpy(fixed[1])  # type: ignore[union-attr]  # made with a bias
    before = [_PadSame((rows, columns), stride)] if padding == "SAME" else []
    after = [ACTIVATIONS[name]() for name in activated]
    return nn.Sequential(*before, convolution, *after) if before or after else convolution


def _factors(nodes: dict[str, Node], constants: Constants) -> dict[str, Node]:
    """The nodes, where those that resize by a constant times their input's size are turned into `ResizeBy` nodes."""
    found = {}
    for name, node in nodes.items():
        if node["op"] == "ResizeBilinear" and (size := nodes.get(_bare(node["input"][1]), {})).get("op") == "Mul":
            (factor,) = (each for each in map(_bare, size["input"]) if each in constants)
            found[name] = node | {"op": RESIZE_BY, "input": [node["input"][0], factor]}
    return found


def _constants(description: dict[str, Any], folder: Path) -> Constants:
    """The weights by name, as float32; quantised weights are scaled back."""
    constants: Constants = {}
    for group in description["weightsManifest"]:
        content, start = b"".join((folder / name).read_bytes() for name in group["paths"]), 0
        for entry in group["weights"]:
            stored = entry.get("quantization", {})
            kind = np.dtype(stored.get("dtype", entry["dtype"]))
            values = np.frombuffer(content, kind, int(np.prod(entry["shape"])), start).reshape(entry["shape"])
            start += values.nbytes
            values = values * stored["scale"] + stored["min"] if "scale" in stored else values
            constants[entry["name"]] = values.astype(entry["dtype"])
    return constants


def _in_order(nodes: dict[str, Node], wanted: Sequence[str]) -> Iterator[Node]:
    """Yields the nodes that lead to the wanted nodes, each after its inputs."""
    done: set[str] = set()
    stack = list(reversed(wanted))
    while stack:
        name = stack[-1]
        missing = [each for each in map(_bare, nodes[name].get("input", ())) if each not in done]
        stack += missing
        if not missing:
            stack.pop()
            if name not in done:
                done.add(name)
                yield nodes[name]


def _bare(name: str) -> str:
    """A node's name without the number of its output."""
    return name.partition(":")[0]


def _key(name: str) -> str:
    """A node's name in a form that torch allows for a module."""
    return name.replace(".", "_")


def _text(attribute: dict[str, Any]) -> str:
    return base64.b64decode(attribute["s"]).decode()


def _integers(attribute: dict[str, Any]) -> list[int]:
    return [int(value) for value in attribute["list"]["i"]]
