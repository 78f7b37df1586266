"""Networks with random weights, made again from a seed: for tests and measurements."""

import numpy as np

from model.checkpoint import Checkpoint, tensor_shapes
from model.config import RaScaNetConfig


def random_checkpoint(config: RaScaNetConfig, seed: int) -> Checkpoint:
    """A checkpoint of random weights whose outputs spread over the whole range of P(person)."""
    rng = np.random.default_rng(seed)
    tensors = {}
    for name, shape in tensor_shapes(config).items():
        if name.endswith("running_var"):
            tensor = rng.uniform(0.5, 1.5, shape)
        elif ".norm" in name and name.endswith("weight"):
            tensor = rng.uniform(0.7, 1.3, shape)
        elif len(shape) == 1:
            tensor = rng.normal(0, 0.2, shape)
        else:
            tensor = rng.normal(0, np.sqrt(2 / np.prod(shape[1:])), shape)
            if name.startswith("heads") and ".0.conv" in name:
                tensor /= 60  # brings pixels of +-127 near one
        tensors[name] = tensor.astype(np.float32)
    tensors["classifier.classify.weight"] *= 4
    return Checkpoint(config, tensors, provenance={"seed": seed})
