"""Integer weights on disk: safetensors, with the metadata of `model.checkpoint`.

Tensors are `LAYER.weight` (int8), `LAYER.bias` and `LAYER.multiplier` (int32), `LAYER.shift` (int8) of each layer of
`model.integer.network.layer_shapes`, and `gating` (int32: multiplier and shift). The metadata holds `format`, `config`,
`labels`, `provenance` (with the scales that floats were quantised by) and `digest`.
"""

from pathlib import Path
from typing import Final

import numpy as np

from model.checkpoint import CheckpointError, Described, read_described, write_described
from model.integer.network import IntegerLayer, IntegerNetwork, layer_shapes

FORMAT: Final = "rascanet-stream int8/1"
GATING: Final = "gating"


def save_integer_checkpoint(network: IntegerNetwork, path: Path) -> None:
    """Writes a network; the file appears whole or not at all."""
    tensors = {
        f"{name}.{part}": array for name, layer in network.layers.items() for part, array in layer._asdict().items()
    }
    tensors[GATING] = np.array(network.gating, np.int32)
    write_described(path, FORMAT, tensors, network)


def load_integer_checkpoint(path: Path) -> IntegerNetwork:
    """Reads a network.

    Raises:
        CheckpointError: the file is missing, not of this format, damaged or altered.
    """
    return integer_network(path, read_described(path, (FORMAT,)))


def integer_network(path: Path, described: Described) -> IntegerNetwork:
    """The network of a file that was read.

    Raises:
        CheckpointError: its tensors are not those of a network, or were altered.
    """
    tensors = dict(described.tensors)
    gating = tensors.pop(GATING, None)
    if gating is None or gating.dtype != np.int32 or gating.shape != (2,):
        found = "missing" if gating is None else f"{gating.dtype} {gating.shape}"
        raise CheckpointError(f"{path}: tensor {GATING!r} is {found}, expected int32 (2,)")
    wanted = {f"{name}.{part}" for name in layer_shapes(described.config) for part in IntegerLayer._fields}
    for name in sorted(wanted - tensors.keys()):
        raise CheckpointError(f"{path}: tensor {name!r} is missing")
    for name in sorted(tensors.keys() - wanted):
        raise CheckpointError(f"{path}: tensor {name!r} is not part of this network")
    try:
        network = IntegerNetwork(
            described.config,
            {
                name: IntegerLayer(*(tensors[f"{name}.{part}"] for part in IntegerLayer._fields))
                for name in layer_shapes(described.config)
            },
            (int(gating[0]), int(gating[1])),
            described.labels,
            described.provenance,
        )
    except ValueError as error:
        raise CheckpointError(f"{path}: {error}") from error
    if network.digest != described.digest:
        raise CheckpointError(f"{path}: the digest does not match the tensors; the file was altered")
    return network
