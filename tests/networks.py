"""Networks with random weights, made again from a seed."""

from model.config import RaScaNetConfig
from model.random_weights import random_checkpoint

__all__ = ["SMALL", "random_checkpoint"]

SMALL = RaScaNetConfig(height=30, width=32, head_channels=(2, 3, 4, 5), hidden_channels=8)
