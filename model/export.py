"""Export of the step to ONNX (extra `bench`): an equivalent network in a form that other runtimes optimise well.

`rascanet export onnx` writes it for others; docs/network.md has an example.
"""

from pathlib import Path
from typing import Final, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from model.checkpoint import Checkpoint
from model.preprocess import pixel_table
from model.rascanet import RaScaNet, StepOutput
from model.torch_runtime import network_from

Form = Literal["conv", "gemm"]


class FoldedRaScaNet(RaScaNet):
    """RaScaNet for inference alone: batch norm folded (in float64), both heads as one, the GRU's gates as one product.

    Computes the results of `RaScaNet`, whose `step` and `forward` it inherits. The form `conv`: every layer is a
    convolution.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__(checkpoint.config)
        network = network_from(checkpoint).double()
        del self.heads, self.attention, self.projection, self.gru, self.classifier
        self.blocks = nn.ModuleList()
        for index, blocks in enumerate(zip(*network.heads, strict=True)):
            convs = [fuse_conv_bn_eval(block.conv, block.norm) for block in blocks]
            merged = nn.Conv2d(
                convs[0].in_channels * (1 if index == 0 else len(convs)),  # the first looks at the same pixels
                convs[0].out_channels * len(convs),
                convs[0].kernel_size,
                padding=convs[0].padding,
                groups=1 if index == 0 else len(convs),
            )
            merged.weight = nn.Parameter(torch.cat([conv.weight for conv in convs]))
            merged.bias = nn.Parameter(torch.cat([conv.bias for conv in convs if conv.bias is not None]))
            self.blocks.append(merged)
        self.squeeze, self.excite = network.attention.squeeze, network.attention.excite
        self.project1 = fuse_conv_bn_eval(network.projection.conv1, network.projection.norm1)
        self.project2 = fuse_conv_bn_eval(network.projection.conv2, network.projection.norm2)
        self.gates, self.candidate = self._merged_gates(network)
        self.reduce = fuse_linear_bn_eval(network.classifier.reduce, network.classifier.norm)
        self.classify = network.classifier.classify
        self.confidence = network.confidence
        self.float().eval().requires_grad_(requires_grad=False)

    def _merged_gates(self, network: RaScaNet) -> tuple[nn.Conv1d, nn.Conv1d]:
        """Reset, update and the candidate's projected half as one convolution; and the candidate's hidden half.

        The hidden half stays apart, because it needs the result of the reset gate.
        """
        gru, channels = network.gru, self.config.hidden_channels
        gates = nn.Conv1d(2 * channels, 3 * channels, 1)
        halves = gru.candidate.weight.detach().clone()
        halves[:, channels:] = 0
        gates.weight = nn.Parameter(torch.cat([gru.reset.weight, gru.update.weight, halves]))
        biases = [conv.bias for conv in (gru.reset, gru.update, gru.candidate) if conv.bias is not None]
        gates.bias = nn.Parameter(torch.cat(biases))
        candidate = nn.Conv1d(channels, channels, 1, bias=False)
        candidate.weight = nn.Parameter(gru.candidate.weight[:, channels:].detach())
        return gates, candidate

    def _features(self, bursts: Tensor) -> Tensor:
        for block in self.blocks:
            bursts = functional.max_pool2d(functional.relu(block(bursts)), (1, 2))
        return bursts.squeeze(2)

    def _advance(self, features: Tensor, hidden: Tensor) -> Tensor:
        squeezed = functional.relu(self.squeeze(torch.cat((features, hidden), 1)))
        projected = functional.relu(self.project1(features * torch.sigmoid(self.excite(squeezed))))
        projected = functional.relu(self.project2(projected))
        reset, update, candidate = self.gates(torch.cat((projected, hidden), 1)).chunk(3, 1)
        candidate = torch.tanh(candidate + self.candidate(torch.sigmoid(reset) * hidden))
        return candidate + torch.sigmoid(update) * (hidden - candidate)

    def _classify(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        return self._classify_pooled(hidden.mean(2) + hidden.amax(2))

    def _classify_pooled(self, pooled: Tensor) -> tuple[Tensor, Tensor]:
        logits = self.classify(functional.hardswish(self.reduce(pooled)))
        return logits, self.confidence(pooled).squeeze(1)


class GemmRaScaNet(FoldedRaScaNet):
    """The form `gemm`: every layer after the heads is a matrix product over the columns.

    The hidden state is (B, Wh, C), the transpose of the hidden state of `RaScaNet`.
    """

    def initial_hidden(self, batch: int = 1) -> Tensor:
        channels, columns = self.config.hidden_shape
        return self.confidence.weight.new_zeros(batch, columns, channels)

    def _features(self, bursts: Tensor) -> Tensor:
        return super()._features(bursts).transpose(1, 2)

    def _advance(self, features: Tensor, hidden: Tensor) -> Tensor:
        squeezed = functional.relu(_product(self.squeeze, torch.cat((features, hidden), 2)))
        attended = features * torch.sigmoid(_product(self.excite, squeezed))
        projected = functional.relu(_product(self.project1, _neighbours(attended)))
        projected = functional.relu(_product(self.project2, _neighbours(projected)))
        reset, update, candidate = _product(self.gates, torch.cat((projected, hidden), 2)).chunk(3, 2)
        candidate = torch.tanh(candidate + _product(self.candidate, torch.sigmoid(reset) * hidden))
        return candidate + torch.sigmoid(update) * (hidden - candidate)

    def _classify(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        return self._classify_pooled(hidden.mean(1) + hidden.amax(1))


def _product(conv: nn.Conv1d, columns: Tensor) -> Tensor:
    """Applies a convolution to columns that are laid side by side: (B, W, k * Cin) -> (B, W, Cout)."""
    return functional.linear(columns, conv.weight.transpose(1, 2).flatten(1), conv.bias)


def _neighbours(columns: Tensor) -> Tensor:
    """Each column with the one before and the one after it: (B, W, C) -> (B, W, 3C)."""
    padded = functional.pad(columns, (0, 0, 1, 1))
    return torch.cat((padded[:, :-2], columns, padded[:, 2:]), 2)


class RowsStep(nn.Module):
    """The step with preprocessing: takes rows as uint8 (B, 5, W, 3) RGB and a hidden state."""

    def __init__(self, network: RaScaNet) -> None:
        super().__init__()
        self.network = network
        self.middle = float(pixel_table()[-1])

    def forward(self, rows: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Returns logits (B, 2), confidence (B,) in 0..1 and the next hidden state, all float32."""
        output: StepOutput = self.network.step(self.network_input(rows), hidden)
        return output.logits, output.confidence, output.hidden

    def network_input(self, rows: Tensor) -> Tensor:
        """`model.preprocess.network_input` in arithmetic: uint8 (B, H, W, 3) -> float32 (B, 3, H, W).

        The published scaling round((p / 255 - 1/2) * 254) is p - 127, one less above 127: exact, and no look-up.
        """
        pixels = rows.permute(0, 3, 1, 2).to(torch.float32)
        return pixels - self.middle - (pixels > self.middle).to(torch.float32)


class AnsweringStep(RowsStep):
    """The step with P(person) beside the logits."""

    def forward(self, rows: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:  # type: ignore[override]
        """Returns logits (B, 2), P(person) (B,), confidence (B,), both 0..1, and the next hidden state, all float32."""
        logits, confidence, next_hidden = super().forward(rows, hidden)
        return logits, torch.sigmoid(logits[:, 1] - logits[:, 0]), confidence, next_hidden


OUTPUTS: Final = ("logits", "p_person", "confidence", "next_hidden")
"""Names of the tensors that an exported step gives."""


def folded_network(checkpoint: Checkpoint, form: Form) -> FoldedRaScaNet:
    """The network of a checkpoint in the form `conv` or `gemm`."""
    return (GemmRaScaNet if form == "gemm" else FoldedRaScaNet)(checkpoint)


def export_step(checkpoint: Checkpoint, path: Path, *, batch: int = 1, form: Form = "conv") -> None:
    """Writes the step as an ONNX file.

    Inputs: `rows` uint8 (batch, 5, W, 3) RGB; `hidden` float32 (batch, C, Wh), in the form `gemm` (batch, Wh, C), zeros
    before a frame's first burst. Outputs: `logits` (batch, 2), `p_person` and `confidence` (batch,) in 0..1, and
    `next_hidden`. The weights' digest and the variant stand in the file's metadata.

    Args:
        checkpoint: the weights.
        path: the file to write.
        batch: number of streams that one call advances; fixed in the file, because runtimes optimise fixed sizes best.
        form: form of the layers after the heads; the faster form depends on the runtime.
    """
    network = folded_network(checkpoint, form)
    rows = torch.zeros(batch, *checkpoint.config.burst_shape, dtype=torch.uint8)
    program = torch.onnx.export(
        AnsweringStep(network).eval(),
        (rows, network.initial_hidden(batch)),
        input_names=["rows", "hidden"],
        output_names=list(OUTPUTS),
        dynamo=True,
        verbose=False,
    )
    assert program is not None  # noqa: S101 - None comes from the old exporter alone
    program.model.metadata_props.update({"variant": checkpoint.config.name, "digest": checkpoint.digest})
    program.save(path)
