"""The building blocks of the network (torch). Shapes: B batch, W columns, C channels, Wh hidden columns."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.config import RaScaNetConfig


class HeadBlock(nn.Sequential):
    """Convolution (no bias), batch norm, ReLU, 1x2 max-pool.

    A block of the burst CNN (CVPR 2021, section 3): (B, Cin, R, W) -> (B, Cout, R - kernel_rows + 1, W // 2)
    """

    def __init__(self, inputs: int, outputs: int, kernel_rows: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, (kernel_rows, RaScaNetConfig.KERNEL_COLUMNS), padding=(0, 1), bias=False)
        self.norm = nn.BatchNorm2d(outputs)
        self.activation = nn.ReLU()
        self.pool = nn.MaxPool2d((1, 2))


class BurstHead(nn.Sequential):
    """One CNN over a burst (CVPR 2021, section 3): (B, 3, 5, W) -> (B, Cout, 1, W // 16).

    The rows shrink 5 -> 3 -> 3 -> 1 -> 1.
    """

    def __init__(self, config: RaScaNetConfig) -> None:
        channels = (config.INPUT_CHANNELS, *config.head_channels)
        super().__init__(
            *(
                HeadBlock(inputs, outputs, rows)
                for (inputs, outputs), rows in zip(pairwise(channels), config.KERNEL_ROWS, strict=True)
            )
        )


class ChannelAttention(nn.Module):
    """Scales each column's features by a gate computed from features and hidden state (CVPR 2021, section 3).

    features (B, F, Wh), hidden (B, C, Wh) -> (B, F, Wh)
    """

    def __init__(self, config: RaScaNetConfig) -> None:
        super().__init__()
        features, hidden = config.feature_channels, config.hidden_channels
        self.squeeze = nn.Conv1d(features + hidden, hidden // config.REDUCTION, 1)
        self.activation = nn.ReLU()
        self.excite = nn.Conv1d(hidden // config.REDUCTION, features, 1)

    def forward(self, features: Tensor, hidden: Tensor) -> Tensor:
        squeezed = self.activation(self.squeeze(torch.cat((features, hidden), 1)))
        return features * torch.sigmoid(self.excite(squeezed))


class Projection(nn.Sequential):
    """Two convolutions of three columns to the hidden channels (CVPR 2021, section 3): (B, F, Wh) -> (B, C, Wh)."""

    def __init__(self, config: RaScaNetConfig) -> None:
        super().__init__()
        hidden = config.hidden_channels
        self.conv1 = nn.Conv1d(config.feature_channels, hidden, config.KERNEL_COLUMNS, padding=1, bias=False)
        self.norm1 = nn.BatchNorm1d(hidden)
        self.activation1 = nn.ReLU()
        self.conv2 = nn.Conv1d(hidden, hidden, config.KERNEL_COLUMNS, padding=1, bias=False)
        self.norm2 = nn.BatchNorm1d(hidden)
        self.activation2 = nn.ReLU()


class ConvGRUCell(nn.Module):
    """Gated recurrent unit (Cho et al. 2014) with 1x1 kernels, each column on its own (CVPR 2021, section 3).

    projected (B, C, Wh), hidden (B, C, Wh) -> next hidden (B, C, Wh) = (1 - u) * candidate + u * hidden
    """

    def __init__(self, config: RaScaNetConfig) -> None:
        super().__init__()
        channels = config.hidden_channels
        self.reset = nn.Conv1d(2 * channels, channels, 1)
        self.update = nn.Conv1d(2 * channels, channels, 1)
        self.candidate = nn.Conv1d(2 * channels, channels, 1)

    def forward(self, projected: Tensor, hidden: Tensor) -> Tensor:
        both = torch.cat((projected, hidden), 1)
        reset = torch.sigmoid(self.reset(both))
        update = torch.sigmoid(self.update(both))
        candidate = torch.tanh(self.candidate(torch.cat((projected, reset * hidden), 1)))
        return (1 - update) * candidate + update * hidden


class Classifier(nn.Sequential):
    """Class logits from the pooled hidden state (CVPR 2021, section 3): (B, C) -> (B, 2), no person before person."""

    def __init__(self, config: RaScaNetConfig) -> None:
        super().__init__()
        reduced = config.hidden_channels // config.REDUCTION
        self.reduce = nn.Linear(config.hidden_channels, reduced)
        self.norm = nn.BatchNorm1d(reduced)
        self.activation = nn.Hardswish()
        self.classify = nn.Linear(reduced, config.CLASSES)


def pool_columns(hidden: Tensor) -> Tensor:
    """Mean plus maximum over the columns: (B, C, Wh) -> (B, C)."""
    return functional.adaptive_avg_pool1d(hidden, 1).squeeze(2) + hidden.amax(2)
