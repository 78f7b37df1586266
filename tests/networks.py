"""Networks with random weights, made again from a seed, and what they say of a frame."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from model.checkpoint import Checkpoint
from model.config import RaScaNetConfig
from model.integer.arithmetic import multiplier_of
from model.integer.network import MIXED_BITS, OUTPUT_BITS, IntegerLayer, IntegerNetwork, layer_shapes
from model.random_weights import random_checkpoint
from model.step import Pixels, StepRuntime

__all__ = ["SMALL", "float16_checkpoint", "is_config", "person_curve", "random_checkpoint", "random_integer_network"]

SMALL = RaScaNetConfig(height=30, width=32, head_channels=(2, 3, 4, 5), hidden_channels=8)


def float16_checkpoint(config: RaScaNetConfig, seed: int) -> Checkpoint:
    """A checkpoint of random weights, all of them numbers of float16."""
    checkpoint = random_checkpoint(config, seed)
    halves = {name: tensor.astype(np.float16).astype(np.float32) for name, tensor in checkpoint.tensors.items()}
    return replace(checkpoint, tensors=halves)


def is_config(width: int, hidden: int, head: tuple[int, int, int, int]) -> bool:
    """Whether there is a network of these sizes; the kernels hold to the same limits."""
    try:
        RaScaNetConfig(height=5, width=width, head_channels=head, hidden_channels=hidden)
    except ValueError:
        return False
    return True


def random_integer_network(config: RaScaNetConfig, seed: int) -> IntegerNetwork:
    """Any numbers whose values spread over their whole range and, here and there, past it."""
    rng = np.random.default_rng(seed)
    layers = {}
    for name, shape in layer_shapes(config).items():
        wide = name in ("reduce", "classify", "confidence")
        mixed = name == "squeeze" or name.startswith("gate")
        size = 2.0**13 if wide else 60.0 * 2**MIXED_BITS if mixed else 60.0
        spread = 73 * size * np.sqrt(np.prod(shape[1:]))
        scales = 2.0 ** rng.uniform(-3, 1.5, shape[0]) * (2.0**13 if name in OUTPUT_BITS else 120.0) / spread
        scales = np.where(rng.random(shape[0]) < 0.05, 0, np.minimum(scales, 0.49))
        pairs = [multiplier_of(float(scale)) for scale in scales]
        layers[name] = IntegerLayer(
            rng.integers(-127, 128, shape, np.int8),
            rng.normal(0, spread / 4, shape[0]).astype(np.int32),
            np.array([multiplier for multiplier, _ in pairs], np.int32),
            np.array([shift for _, shift in pairs], np.int8),
        )
    return IntegerNetwork(config, layers, multiplier_of(2.0 ** rng.uniform(-17, -14)))


def person_curve(runtime: StepRuntime, frame: Pixels) -> npt.NDArray[np.float64]:
    """P(person) after each burst of a frame read to its end: (T,) in 0..1."""
    return np.array(runtime.step(frame, runtime.initial_hidden()).p_person)
