"""RaScaNet: a network that reads a frame burst by burst (CVPR 2021, section 3)."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from model.config import RaScaNetConfig
from model.layers import BurstHead, ChannelAttention, Classifier, ConvGRUCell, Projection, pool_columns


class StepOutput(NamedTuple):
    """Output for one burst: logits (B, 2), confidence logit (B,), next hidden state (B, C, Wh); float32."""

    logits: Tensor
    confidence_logit: Tensor
    hidden: Tensor

    @property
    def confidence(self) -> Tensor:
        """P(the current decision is the final one): (B,) in 0..1."""
        return torch.sigmoid(self.confidence_logit)


class FrameOutput(NamedTuple):
    """Output for a frame: logits (B, T, 2) and confidence logits (B, T) after each burst, last hidden (B, C, Wh)."""

    logits: Tensor
    confidence_logits: Tensor
    hidden: Tensor


class RaScaNet(nn.Module):
    """The network. `step` advances one burst; `forward` is the fold of `step` over a frame.

    The hidden state is an argument and a result, never an attribute: one network serves any number of streams.
    """

    def __init__(self, config: RaScaNetConfig) -> None:
        super().__init__()
        self.config = config
        self.heads = nn.ModuleList(BurstHead(config) for _ in range(config.HEADS))
        self.attention = ChannelAttention(config)
        self.projection = Projection(config)
        self.gru = ConvGRUCell(config)
        self.classifier = Classifier(config)
        self.confidence = nn.Linear(config.hidden_channels, 1)

    def initial_hidden(self, batch: int = 1) -> Tensor:
        """Zeros (B, C, Wh), on the network's device and in its dtype."""
        return self.confidence.weight.new_zeros(batch, *self.config.hidden_shape)

    def step(self, burst: Tensor, hidden: Tensor) -> StepOutput:
        """Advances the hidden state by one burst.

        Args:
            burst: network input (B, 3, 5, W) float32, see `model.preprocess`.
            hidden: (B, C, Wh) from `initial_hidden` or the step before.
        """
        hidden = self._advance(self._features(burst), hidden)
        return StepOutput(*self._classify(hidden), hidden)

    def forward(self, frames: Tensor) -> FrameOutput:
        """Reads whole frames (B, 3, H, W) float32, burst by burst.

        The heads don't use the hidden state, so all bursts pass the heads at once, and in training batch norm sees
        the whole frame. In inference, `forward` equals the fold of `step` over the bursts.
        """
        config = self.config
        batch, bursts = len(frames), config.bursts_per_frame
        cut = frames.reshape(batch, config.INPUT_CHANNELS, bursts, config.BURST_ROWS, config.width).transpose(1, 2)
        features = self._features(cut.flatten(0, 1))
        features = features.reshape(batch, bursts, *features.shape[1:])
        hidden = self.initial_hidden(batch)
        states = []
        for burst_features in features.unbind(1):
            hidden = self._advance(burst_features, hidden)
            states.append(hidden)
        logits, confidence_logits = self._classify(torch.stack(states, 1).flatten(0, 1))
        return FrameOutput(
            logits.reshape(batch, bursts, config.CLASSES), confidence_logits.reshape(batch, bursts), hidden
        )

    def _features(self, bursts: Tensor) -> Tensor:
        """(B, 3, 5, W) -> (B, F, Wh)."""
        return torch.cat([head(bursts) for head in self.heads], 1).squeeze(2)

    def _advance(self, features: Tensor, hidden: Tensor) -> Tensor:
        projected: Tensor = self.projection(self.attention(features, hidden))
        advanced: Tensor = self.gru(projected, hidden)
        return advanced

    def _classify(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        pooled = pool_columns(hidden)
        return self.classifier(pooled), self.confidence(pooled).squeeze(1)
