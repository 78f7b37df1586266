"""Weights on disk: our safetensors format, and the import of the authors' public checkpoints.

Our format holds the tensors of `tensor_shapes` and, as JSON strings in the safetensors metadata, `format`, `config`,
`labels`, `provenance` (how the weights came to be) and `digest` (SHA-256 over config and tensors). A tensor of which
every value is one of float16 lies in the file as float16, any other as float32: no value changes between file and
network, and the digest is that of the values, whichever way they are stored.
"""

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, Protocol

import msgspec
import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from model import float16
from model.config import VARIANTS, RaScaNetConfig

if TYPE_CHECKING:
    import torch

FORMAT = "rascanet-stream/1"
LABELS = ("no person", "person")
Arithmetic = Literal["float32", "int8"]
"""The numbers that a network computes in."""
WEIGHTS_FOLDER = Path(__file__).parent / "weights"
PUBLIC_LICENCE = (
    "The authors' public checkpoints are licensed for research use only; the imported file falls under the same terms "
    "and is not for redistribution."
)

Tensors = Mapping[str, npt.NDArray[np.float32]]
"""Arrays by the names of `tensor_shapes`."""

Shapes = dict[str, tuple[int, ...]]
"""Shapes by the names of tensors."""


class CheckpointError(ValueError):
    """A file of weights that cannot be used; the message names the first thing wrong with it."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A network's weights, with the facts needed to use and to trust them.

    Attributes:
        config: the network's shape.
        tensors: float32 arrays by the names and shapes of `tensor_shapes`.
        labels: the class names in the order of the logits.
        provenance: JSON-ready facts on the weights' origin.
    """

    config: RaScaNetConfig
    tensors: Tensors
    labels: tuple[str, ...] = LABELS
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_tensors({name: tensor.shape for name, tensor in self.tensors.items()}, tensor_shapes(self.config))
        for name, tensor in self.tensors.items():
            if tensor.dtype != np.float32:
                raise CheckpointError(f"tensor {name!r} must be float32, not {tensor.dtype}")
            if not np.isfinite(tensor).all():
                raise CheckpointError(f"tensor {name!r} holds values that are not finite")
            if name.endswith(".running_var") and (tensor < 0).any():
                raise CheckpointError(f"tensor {name!r} holds variances below 0")

    @property
    def digest(self) -> str:
        """SHA-256 over the config and the tensors, as hex digits."""
        digest = hashlib.sha256(_to_json(self.config.to_dict()).encode())
        for name in sorted(self.tensors):
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(self.tensors[name], "<f4").tobytes())
        return digest.hexdigest()


class _Layer(NamedTuple):
    """One layer with parameters: name here, name in the public checkpoints, shapes of the tensors."""

    ours: str
    public: str
    shapes: Shapes


def _weighted(ours: str, public: str, *shape: int, bias: bool = True) -> _Layer:
    return _Layer(ours, public, {"weight": shape} | ({"bias": shape[:1]} if bias else {}))


def _norm(ours: str, public: str, channels: int) -> _Layer:
    return _Layer(ours, public, dict.fromkeys(("weight", "bias", "running_mean", "running_var"), (channels,)))


def _layers(config: RaScaNetConfig) -> Iterator[_Layer]:
    hidden, features = config.hidden_channels, config.feature_channels
    reduced, taps = hidden // config.REDUCTION, config.KERNEL_COLUMNS
    channels = (config.INPUT_CHANNELS, *config.head_channels)
    for head in range(config.HEADS):
        for block, kernel_rows in enumerate(config.KERNEL_ROWS):
            ours, public = f"heads.{head}.{block}", f"raster_cnn_{head}.conv_block{block + 1}"
            inputs, outputs = channels[block : block + 2]
            yield _weighted(f"{ours}.conv", f"{public}.conv", outputs, inputs, kernel_rows, taps, bias=False)
            yield _norm(f"{ours}.norm", f"{public}.bn", outputs)
    public = "raster_att.channel_prj"
    yield _weighted("attention.squeeze", f"{public}.channel_att.0", reduced, features + hidden, 1)
    yield _weighted("attention.excite", f"{public}.channel_att.2", features, reduced, 1)
    yield _weighted("projection.conv1", f"{public}.projection.0", hidden, features, taps, bias=False)
    yield _norm("projection.norm1", f"{public}.projection.1", hidden)
    yield _weighted("projection.conv2", f"{public}.projection.3", hidden, hidden, taps, bias=False)
    yield _norm("projection.norm2", f"{public}.projection.4", hidden)
    for gate, public in (("reset", "conv_reset"), ("update", "conv_update"), ("candidate", "conv_h")):
        yield _weighted(f"gru.{gate}", f"raster_rnn.gru.cell.{public}", hidden, 2 * hidden, 1)
    public = "out_classifier.out_classifier"
    yield _weighted("classifier.reduce", f"{public}.0", reduced, hidden)
    yield _norm("classifier.norm", f"{public}.1", reduced)
    yield _weighted("classifier.classify", f"{public}.3", config.CLASSES, reduced)
    yield _weighted("confidence", "raster_confidence.out_classifier.1", 1, hidden)


def tensor_shapes(config: RaScaNetConfig) -> Shapes:
    """Name and shape of every tensor that a checkpoint of this config holds."""
    return {f"{layer.ours}.{name}": shape for layer in _layers(config) for name, shape in layer.shapes.items()}


def _check_tensors(found: Mapping[str, tuple[int, ...]], expected: Shapes) -> None:
    for name, shape in expected.items():
        if name not in found:
            raise CheckpointError(f"tensor {name!r} is missing")
        if tuple(found[name]) != shape:
            raise CheckpointError(f"tensor {name!r} has the shape {tuple(found[name])}, expected {shape}")
    for name in found:
        if name not in expected:
            raise CheckpointError(f"tensor {name!r} is not part of this network")


def _to_json(value: object) -> str:
    return json.dumps(value, sort_keys=True)


def shipped_weights(variant: str, arithmetic: Arithmetic = "float32") -> Path:
    """The path of the weights of a variant that come with the project (the file may be missing)."""
    return WEIGHTS_FOLDER / f"rascanet_{variant}{'' if arithmetic == 'float32' else f'_{arithmetic}'}.safetensors"


class Described(NamedTuple):
    """A file of weights, as it was read.

    Attributes:
        format: which of ours it is.
        config, labels, provenance, digest: of its metadata.
        tensors: by their names, of any type that NumPy has.
    """

    format: str
    config: RaScaNetConfig
    labels: tuple[str, ...]
    provenance: dict[str, Any]
    digest: str | None
    tensors: dict[str, npt.NDArray[Any]]


class Describable(Protocol):
    """Weights of any arithmetic, with what the metadata says of them."""

    @property
    def config(self) -> RaScaNetConfig: ...
    @property
    def labels(self) -> tuple[str, ...]: ...
    @property
    def provenance(self) -> Mapping[str, Any]: ...
    @property
    def digest(self) -> str: ...


def write_described(path: Path, file_format: str, tensors: Mapping[str, npt.NDArray[Any]], of: Describable) -> None:
    """Writes tensors with their metadata; the file appears whole or not at all.

    Raises:
        OSError: the file can't be written.
    """
    metadata = {
        "format": file_format,
        "config": _to_json(of.config.to_dict()),
        "labels": _to_json(of.labels),
        "provenance": _to_json(dict(of.provenance)),
        "digest": of.digest,
    }
    partial = path.with_name(path.name + ".partial")
    # Not `save_file`: a file of its making is readable for its owner alone, whatever the umask.
    partial.write_bytes(save({name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}, metadata))
    partial.replace(path)


def read_described(path: Path, formats: Collection[str]) -> Described:
    """Reads a file of one of these formats.

    Raises:
        CheckpointError: the file is missing, of no such format, or its metadata is damaged.
    """
    if not path.is_file():
        raise CheckpointError(f"{path}: no such file")
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    except OSError as error:
        raise CheckpointError(f"{path}: {error.strerror or error}") from error
    except SafetensorError as error:
        raise CheckpointError(f"{path}: not a safetensors file ({error})") from error
    except (TypeError, AttributeError) as error:  # bfloat16 and other types that numpy lacks
        raise CheckpointError(f"{path}: tensors must be float32 or float16, or int8 and int32 ({error})") from error
    if (found := metadata.get("format")) not in formats:
        expected = " or ".join(map(repr, formats))
        hint = "" if "int8" in expected or "int8" not in str(found) else ": these weights are integers already"
        raise CheckpointError(f"{path}: the metadata's format is {found!r}, expected {expected}{hint}")
    try:
        labels = msgspec.json.decode(metadata["labels"], type=tuple[str, ...])
        if labels != LABELS:
            raise ValueError(f"the metadata's labels are {list(labels)!r:.60}, expected {list(LABELS)}")
        return Described(
            metadata["format"],
            RaScaNetConfig.from_dict(msgspec.json.decode(metadata["config"], type=dict[str, Any])),
            labels,
            msgspec.json.decode(metadata["provenance"], type=dict[str, Any]),
            metadata.get("digest"),
            tensors,
        )
    except KeyError as error:
        raise CheckpointError(f"{path}: the metadata lacks {error}") from error
    except (ValueError, TypeError, RecursionError) as error:  # JSON errors included
        raise CheckpointError(f"{path}: {error}") from error


def save_checkpoint(checkpoint: Checkpoint, path: Path) -> None:
    """Writes a checkpoint in our format, tensors of float16's values as float16; the file appears whole or not at all.

    Raises:
        OSError: the file can't be written.
    """
    write_described(path, FORMAT, {name: float16.stored(each) for name, each in checkpoint.tensors.items()}, checkpoint)


def load_checkpoint(path: Path) -> Checkpoint:
    """Reads a checkpoint in our format; tensors of float16 become float32.

    Raises:
        CheckpointError: the file is missing, not of our format, damaged or altered.
    """
    return float_checkpoint(path, read_described(path, (FORMAT,)))


def float_checkpoint(path: Path, described: Described) -> Checkpoint:
    """The checkpoint of a file that was read.

    Raises:
        CheckpointError: its tensors are not those of a network, or were altered.
    """
    tensors = {name: float16.read(tensor) for name, tensor in described.tensors.items()}
    try:
        checkpoint = Checkpoint(described.config, tensors, described.labels, described.provenance)
    except (ValueError, TypeError) as error:  # CheckpointErrors included
        raise CheckpointError(f"{path}: {error}") from error
    if checkpoint.digest != described.digest:
        raise CheckpointError(f"{path}: the digest does not match the tensors; the file was altered")
    return checkpoint


def import_public_checkpoint(path: Path) -> Checkpoint:
    """Reads a user's own copy of a public checkpoint (needs torch; never runs code from the file).

    Args:
        path: a torch file holding a state dict, bare or as one of the entries `STATE_ENTRIES`; its names may begin with
            the prefixes `WRAPPERS`.

    Raises:
        CheckpointError: not such a file, or its tensors are not those of a known variant.
    """
    import torch  # only this import path needs it

    if not path.is_file():
        raise CheckpointError(f"{path}: no such file")
    try:
        path.open("rb").close()
    except OSError as error:
        raise CheckpointError(f"{path}: {error.strerror or error}") from error
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file makes torch's unpickler raise errors of any type
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise CheckpointError(
            f"{path}: not a torch file of plain tensors; files that would run code are refused ({reason})"
        ) from error
    try:
        state = _unwrapped(_state_of(content))
        shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
        config = _recognise(shapes)
        names = {f"{layer.public}.{name}": f"{layer.ours}.{name}" for layer in _layers(config) for name in layer.shapes}
        _check_tensors(shapes, {public: tensor_shapes(config)[ours] for public, ours in names.items()})
        tensors = {ours: _plain(public, state[public]) for public, ours in names.items()}
        provenance = {"imported_from": path.name, "licence": PUBLIC_LICENCE}
        return Checkpoint(config, tensors, provenance=provenance)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error


STATE_ENTRIES: Final = ("state_dict", "model_state_dict", "model", "net", "network")
"""Entries of a saved dict in which programs keep the state dict."""
WRAPPERS: Final = ("module.", "_orig_mod.")
"""Prefixes that DataParallel and `torch.compile` put before the names of a network's tensors."""


def _state_of(content: object) -> "dict[str, torch.Tensor]":
    """The state dict of a torch file, without batch norm's counters.

    Raises:
        CheckpointError: there is no state dict, or one that can't be used; the message names the first fault.
    """
    import torch

    state = content
    if isinstance(state, dict):
        state = next((state[entry] for entry in STATE_ENTRIES if isinstance(state.get(entry), dict)), state)
    if not isinstance(state, dict) or not state:
        found = type(state).__name__ if not isinstance(state, dict) else "an empty one"
        raise CheckpointError(f"expected a state dict, or a dict with one as {' or '.join(STATE_ENTRIES)}, not {found}")
    for name, value in state.items():
        if not isinstance(name, str) or not isinstance(value, torch.Tensor):
            raise CheckpointError(
                f"expected a state dict, or a dict with one as {' or '.join(STATE_ENTRIES)}; its entry "
                f"{str(name)[:80]!r} is {type(value).__name__}, no tensor"
            )
    return {name: tensor for name, tensor in state.items() if not name.endswith("num_batches_tracked")}


def _unwrapped(state: "dict[str, torch.Tensor]") -> "dict[str, torch.Tensor]":
    """The tensors without the prefixes of `WRAPPERS`."""
    plain: dict[str, torch.Tensor] = {}
    for name, tensor in state.items():
        bare = name
        while bare.startswith(WRAPPERS):
            bare = bare.partition(".")[2]
        if bare in plain:
            raise CheckpointError(f"tensor {bare!r} is there twice, once as {name!r}")
        plain[bare] = tensor
    return plain


def _plain(name: str, tensor: "torch.Tensor") -> npt.NDArray[np.float32]:
    """A tensor's values as a dense array, from any type and layout, with or without gradients."""
    import torch

    if not (tensor.is_floating_point() and tensor.layout == torch.strided and tensor.device.type == "cpu"):
        kind = f"{tensor.dtype}, {tensor.layout}, on {tensor.device.type}"
        raise CheckpointError(f"tensor {name!r} must hold dense floating-point values, not {kind}")
    return tensor.detach().to(torch.float32).numpy().copy()


def _recognise(shapes: Mapping[str, tuple[int, ...]]) -> RaScaNetConfig:
    """The variant whose last head block has the width found in the file."""
    name = "raster_cnn_0.conv_block4.conv.weight"
    if name not in shapes:
        raise CheckpointError(f"tensor {name!r} is missing")
    for config in VARIANTS.values():
        if shapes[name][:1] == config.head_channels[-1:]:
            return config
    raise CheckpointError(
        f"tensor {name!r} has the shape {shapes[name]}, which is neither of the variants {', '.join(VARIANTS)}"
    )
