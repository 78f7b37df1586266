"""Models of the Open Inference Protocol: each network is one model that takes frames, and one that takes sequences."""

from collections.abc import Iterator
from typing import Final

from model.config import RaScaNetConfig
from server.errors import ServiceError
from server.networks import Networks, ServedNetwork
from server.tensors.codec import TensorSpec

SEQUENCE: Final = "-sequence"
VERSION_DIGITS: Final = 12

COMMON_OUTPUTS: Final = (
    ("p_person", "FP32"),
    ("confidence", "FP32"),
    ("person", "BOOL"),
    ("exited", "BOOL"),
    ("burst_index", "INT32"),
    ("processed", "INT32"),
    ("skipped", "INT32"),
    ("unread", "INT32"),
)
FRAME_OUTPUTS: Final = (
    TensorSpec("logits", "FP32", (-1, 2)),
    *(TensorSpec(name, datatype, (-1,)) for name, datatype in COMMON_OUTPUTS),
)
SEQUENCE_OUTPUTS: Final = (
    TensorSpec("logits", "FP32", (1, 2)),
    *(
        TensorSpec(name, datatype, (1,))
        for name, datatype in (*COMMON_OUTPUTS, ("next_burst", "INT32"), ("decided", "BOOL"), ("audit", "BOOL"))
    ),
)


class TensorModel:
    """A network as a model that takes frames or sequences.

    Args:
        networks: the networks served.
        name: name of the model: the variant, or the variant and `SEQUENCE`.
        version: the first digits of the weights' SHA-256; None: any.

    Attributes:
        variant: name of the network.
        sequences: true if the model takes bursts of one frame after the other.
        served: the network.

    Raises:
        ServiceError: `unknown_model`.
    """

    def __init__(self, networks: Networks, name: str, version: str | None = None) -> None:
        self.name, self.variant = name, name.removesuffix(SEQUENCE)
        self.sequences = name.endswith(SEQUENCE)
        if self.variant not in networks:
            known = ", ".join(f"{each}, {each}{SEQUENCE}" for each in networks) or "none"
            raise ServiceError("unknown_model", f"there is no model {name[:80]!r}; there is {known}")
        self.served: ServedNetwork = networks[self.variant]
        self.version = self.served.digest[:VERSION_DIGITS]
        if version not in (None, self.version):
            raise ServiceError("unknown_model", f"{name} has the version {self.version}, not {str(version)[:80]!r}")

    @property
    def config(self) -> RaScaNetConfig:
        """The network's sizes."""
        return self.served.runtime.config

    @property
    def takes(self) -> TensorSpec:
        """The model's input."""
        if self.sequences:
            return TensorSpec("bursts", "UINT8", (-1, *self.config.burst_shape))
        return TensorSpec("frames", "UINT8", (-1, *self.config.frame_shape))

    @property
    def gives(self) -> tuple[TensorSpec, ...]:
        """The model's outputs."""
        return SEQUENCE_OUTPUTS if self.sequences else FRAME_OUTPUTS


def every_model(networks: Networks) -> Iterator[TensorModel]:
    """Yields every model, two for each network."""
    for variant in networks:
        yield TensorModel(networks, variant)
        yield TensorModel(networks, variant + SEQUENCE)
