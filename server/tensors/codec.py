"""Bodies of the Open Inference Protocol to arrays and back, with the binary tensor extension. No I/O."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from server.errors import ServiceError

HEADER_LENGTH: Final = "Inference-Header-Content-Length"
JSON: Final = "application/json"
OCTETS: Final = "application/octet-stream"

DATATYPES: Final = {"BOOL": np.bool_, "UINT8": np.uint8, "INT32": np.int32, "FP32": np.float32}
"""Those that this service's tensors have."""
_NAMES: Final = {np.dtype(kind): name for name, kind in DATATYPES.items()}

Parameters = dict[str, str | int | float | bool]
Arrays = Mapping[str, npt.NDArray[Any]]


class _Input(msgspec.Struct):
    name: str
    shape: list[int]
    datatype: str
    parameters: Parameters = {}
    data: msgspec.Raw = msgspec.Raw()  # empty: not given


class _Output(msgspec.Struct):
    name: str
    parameters: Parameters = {}


class _Request(msgspec.Struct):
    inputs: list[_Input]
    id: str | None = None
    parameters: Parameters = {}
    outputs: list[_Output] | None = None


_DECODER = msgspec.json.Decoder(_Request)


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """A tensor that a model takes or gives; -1 in the shape is a size that the request chooses."""

    name: str
    datatype: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Tensors:
    """A request as it was understood.

    Attributes:
        array: the input.
        id: comes back in the answer.
        parameters: of the request.
        wanted: outputs by name, and whether each is to travel in binary.
    """

    array: npt.NDArray[np.uint8]
    id: str | None
    parameters: Parameters
    wanted: dict[str, bool]


def read_tensors(body: bytes, header_length: str | None, takes: TensorSpec, gives: tuple[str, ...]) -> Tensors:
    """Understands the body of an infer request.

    Args:
        body: JSON, or JSON and then the bytes of binary tensors.
        header_length: bytes of the JSON, from the HTTP header; 0: the body is the input tensor and nothing else.
        takes: the model's input, UINT8.
        gives: the names of the model's outputs.

    Raises:
        ServiceError: `bad_request`, `bad_tensor`.
    """
    length = _header_length(header_length, len(body))
    if length == 0:
        return Tensors(_raw(body, takes), None, {}, dict.fromkeys(gives, True))
    try:
        request = _DECODER.decode(body[:length] if length is not None else body)
    except msgspec.ValidationError as error:
        raise ServiceError("bad_request", f"not an infer request: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ServiceError("bad_request", f"the body is not JSON: {error}") from error
    if [each.name for each in request.inputs] != [takes.name]:
        names = ", ".join(repr(each.name[:40]) for each in request.inputs[:5]) or "none"
        raise ServiceError("bad_tensor", f"the model takes one input, {takes.name!r}, not {names}")
    given = request.inputs[0]
    if given.datatype != takes.datatype:
        raise ServiceError(
            "bad_tensor", f"the input {takes.name!r} has the datatype {takes.datatype}, not {given.datatype[:40]!r}"
        )
    _check_shape(given.shape, takes)
    blob = memoryview(body)[length:] if length is not None else memoryview(b"")
    array = _array(given, blob).reshape(given.shape)
    return Tensors(array, request.id, request.parameters, _wanted(request, gives))


def _header_length(text: str | None, body_bytes: int) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 12 and int(text) <= body_bytes):
        raise ServiceError("bad_request", f"{HEADER_LENGTH} must be a number of bytes of the body, not {text[:40]!r}")
    return int(text)


def _raw(body: bytes, takes: TensorSpec) -> npt.NDArray[np.uint8]:
    each = int(np.prod(takes.shape[1:]))
    if not body or len(body) % each:
        raise ServiceError("bad_tensor", f"a raw tensor {takes.name!r} has a multiple of {each} bytes, not {len(body)}")
    return np.frombuffer(body, np.uint8).reshape(-1, *takes.shape[1:])


def _check_shape(shape: list[int], takes: TensorSpec) -> None:
    fits = len(shape) == len(takes.shape) and all(
        size >= 1 if wanted == -1 else size == wanted for size, wanted in zip(shape, takes.shape, strict=True)
    )
    if not fits or shape[0] > 2**31:
        raise ServiceError(
            "bad_tensor",
            f"the input {takes.name!r} has the shape {list(takes.shape)}, -1 being 1 or more, not {shape[:8]}",
        )


def _array(given: _Input, blob: memoryview) -> npt.NDArray[np.uint8]:
    values = int(np.prod(given.shape, dtype=object))
    size = given.parameters.get("binary_data_size")
    if size is not None:
        if bytes(given.data):
            raise ServiceError("bad_tensor", f"the input {given.name!r} has both data and binary_data_size")
        if size != values or len(blob) != values:
            raise ServiceError(
                "bad_tensor",
                f"the input {given.name!r} of shape {given.shape} has {values} bytes; binary_data_size says {size}, "
                f"{len(blob)} follow the header",
            )
        return np.frombuffer(blob, np.uint8)
    if not bytes(given.data) or len(blob):
        raise ServiceError(
            "bad_tensor", f"the input {given.name!r} comes either as data or as binary with binary_data_size"
        )
    try:
        found = np.array(msgspec.json.decode(given.data))
    except (msgspec.DecodeError, ValueError, RecursionError, OverflowError) as error:
        raise ServiceError("bad_tensor", f"the input {given.name!r} is not an array of numbers: {error}") from error
    if found.size != values or found.dtype.kind not in "iu" or found.min() < 0 or found.max() > 255:
        raise ServiceError("bad_tensor", f"the data of {given.name!r} must be {values} whole numbers of 0..255")
    return found.astype(np.uint8)


def _wanted(request: _Request, gives: tuple[str, ...]) -> dict[str, bool]:
    binary = request.parameters.get("binary_data_output") is True
    if request.outputs is None:
        return dict.fromkeys(gives, binary)
    wanted = {}
    for output in request.outputs:
        if output.name not in gives:
            raise ServiceError("bad_tensor", f"there is no output {output.name[:40]!r}; there is {', '.join(gives)}")
        wanted[output.name] = output.parameters.get("binary_data", binary) is True
    return wanted


def write_tensors(
    model_name: str, model_version: str, request: Tensors, outputs: Arrays
) -> tuple[bytes, dict[str, str]]:
    """The answer's body and headers, with the outputs that the request wanted."""
    described, blobs = [], []
    for name, binary in request.wanted.items():
        array = outputs[name]
        entry: dict[str, Any] = {"name": name, "shape": list(array.shape), "datatype": _NAMES[array.dtype]}
        if binary:
            entry["parameters"] = {"binary_data_size": array.nbytes}
            blobs.append(array.astype(array.dtype.newbyteorder("<")).tobytes())
        else:
            entry["data"] = array.ravel().tolist()
        described.append(entry)
    answer: dict[str, Any] = {"model_name": model_name, "model_version": model_version, "outputs": described}
    if request.id is not None:
        answer["id"] = request.id
    header = msgspec.json.encode(answer)
    if not blobs:
        return header, {"content-type": JSON}
    return header + b"".join(blobs), {"content-type": OCTETS, HEADER_LENGTH: str(len(header))}
