"""A checkpoint's layers with batch norm folded in, as kernels and quantisation take them."""

from typing import Final

import numpy as np

from model.checkpoint import Checkpoint
from model.step import Floats

BATCH_NORM_EPSILON: Final = 1e-5


def folded_layers(checkpoint: Checkpoint) -> dict[str, tuple[Floats, Floats]]:
    """Weight and bias of each layer by the names of `rascanet_layers`, batch norm folded in (in float64)."""
    tensors = {name: tensor.astype(np.float64) for name, tensor in checkpoint.tensors.items()}

    def layer(name: str, norm: str | None = None) -> tuple[Floats, Floats]:
        weight = tensors[f"{name}.weight"]
        bias = tensors.get(f"{name}.bias", np.zeros(len(weight)))
        if norm:
            scale = tensors[f"{norm}.weight"] / np.sqrt(tensors[f"{norm}.running_var"] + BATCH_NORM_EPSILON)
            weight = weight * scale.reshape(-1, *[1] * (weight.ndim - 1))
            bias = (bias - tensors[f"{norm}.running_mean"]) * scale + tensors[f"{norm}.bias"]
        return weight.astype(np.float32), bias.astype(np.float32)

    layers = {
        f"conv{2 * block + head}": layer(f"heads.{head}.{block}.conv", f"heads.{head}.{block}.norm")
        for block in range(4)
        for head in range(checkpoint.config.HEADS)
    }
    layers |= {name: layer(f"attention.{name}") for name in ("squeeze", "excite")}
    layers |= {f"project{i}": layer(f"projection.conv{i + 1}", f"projection.norm{i + 1}") for i in range(2)}
    layers |= {f"gate{i}": layer(f"gru.{gate}") for i, gate in enumerate(("reset", "update", "candidate"))}
    layers["reduce"] = layer("classifier.reduce", "classifier.norm")
    layers["classify"] = layer("classifier.classify")
    layers["confidence"] = layer("confidence")
    return layers
