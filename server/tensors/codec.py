"""Codec of Open Inference Protocol bodies: to arrays and back, with the binary tensor extension."""

import math
from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from server.errors import ServiceError
from server.tensors.json_numbers import CUT_OUT, MOST_REST_BYTES, read_numbers, split_numbers

HEADER_LENGTH: Final = "Inference-Header-Content-Length"
JSON: Final = "application/json"
OCTETS: Final = "application/octet-stream"

DATATYPES: Final = {"BOOL": np.bool_, "UINT8": np.uint8, "INT32": np.int32, "FP32": np.float32}
"""NumPy types by the protocol's datatypes, for all tensors of this service."""
_NAMES: Final = {np.dtype(kind): name for name, kind in DATATYPES.items()}

Parameters = dict[str, str | int | float | bool]
Arrays = Mapping[str, npt.NDArray[Any]]

MOST_NUMBER_BYTES: Final = 16
"""Most bytes of a number in JSON, with blanks, a line end and its share of the brackets."""

REQUEST_PARAMETERS: Final = frozenset({"binary_data_output", "priority", "timeout"})
"""Parameters of every request, beside the model's own; the last two are accepted and ignored."""
INPUT_PARAMETERS: Final = frozenset({"binary_data_size"})
OUTPUT_PARAMETERS: Final = frozenset({"binary_data"})

_Given = dict[str, str | int | float | bool | None]


class _Input(msgspec.Struct):
    name: str
    shape: list[int]
    datatype: str
    parameters: _Given | None = None
    data: msgspec.Raw = msgspec.Raw(b"null")


class _Output(msgspec.Struct):
    name: str
    parameters: _Given | None = None


class _Request(msgspec.Struct):
    inputs: list[_Input]
    id: str | None = None
    parameters: _Given | None = None
    outputs: list[_Output] | None = None


_DECODER = msgspec.json.Decoder(_Request)


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """Name, datatype and shape of a model's input or output; -1 in the shape is a size that the request chooses."""

    name: str
    datatype: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Tensors:
    """A parsed request.

    Attributes:
        array: the input, uint8 in the shape of the request.
        id: id of the request, which comes back in the answer.
        parameters: parameters of the request.
        wanted: names of the outputs asked for; true for those that travel in binary.
    """

    array: npt.NDArray[np.uint8]
    id: str | None
    parameters: Parameters
    wanted: dict[str, bool]


def most_json_bytes(takes: TensorSpec, most: int) -> int:
    """Bytes of the largest legal request as JSON.

    Args:
        takes: the model's input.
        most: largest size that the request may choose.
    """
    return MOST_REST_BYTES + MOST_NUMBER_BYTES * most * int(np.prod(takes.shape[1:]))


def read_tensors(
    body: bytes, header_length: str | None, takes: TensorSpec, gives: tuple[str, ...], known: Set[str]
) -> Tensors:
    """Parses the body of an infer request.

    Args:
        body: JSON, or JSON and then the bytes of binary tensors.
        header_length: bytes of the JSON, from the HTTP header; 0: the body is the input tensor and nothing else.
        takes: the model's input, UINT8.
        gives: the names of the model's outputs.
        known: the model's own request parameters.

    Raises:
        ServiceError: `bad_request`, `bad_tensor`, `request_too_large`.
    """
    length = _header_length(header_length, len(body))
    if length == 0:
        return Tensors(_raw(body, takes), None, {}, dict.fromkeys(gives, True))
    header, numbers = split_numbers(body[:length] if length is not None else body)
    try:
        request = _DECODER.decode(header)
    except msgspec.ValidationError as error:
        raise ServiceError("bad_request", f"not an infer request: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ServiceError("bad_request", f"the body is not JSON: {error}") from error
    parameters = present(request.parameters, known | REQUEST_PARAMETERS, "the model")
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
    array = _array(given, numbers, blob).reshape(given.shape)
    return Tensors(array, request.id, parameters, _wanted(request, parameters, gives))


def present(given: _Given | None, known: Set[str], taker: str) -> Parameters:
    """The parameters that were given, without those that are null.

    Raises:
        ServiceError: `bad_request`: an unknown parameter.
    """
    found = {name: value for name, value in (given or {}).items() if value is not None}
    if unknown := sorted(found.keys() - known):
        raise ServiceError(
            "bad_request", f"{taker} takes no parameter {unknown[0][:40]!r}; it takes {', '.join(sorted(known))}"
        )
    return found


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


def _array(given: _Input, numbers: memoryview | None, blob: memoryview) -> npt.NDArray[np.uint8]:
    values = math.prod(given.shape)
    size = present(given.parameters, INPUT_PARAMETERS, f"the input {given.name!r}").get("binary_data_size")
    has_data = bytes(given.data) != b"null"
    if size is not None:
        if has_data:
            raise ServiceError("bad_tensor", f"the input {given.name!r} has both data and binary_data_size")
        if size != values or len(blob) != values:
            raise ServiceError(
                "bad_tensor",
                f"the input {given.name!r} of shape {given.shape} has {values} bytes; binary_data_size says "
                f"{str(size)[:40]}, {len(blob)} follow the header",
            )
        return np.frombuffer(blob, np.uint8)
    if not has_data or len(blob):
        raise ServiceError(
            "bad_tensor", f"the input {given.name!r} comes either as data or as binary with binary_data_size"
        )
    if numbers is None or bytes(given.data) != CUT_OUT:
        raise ServiceError(
            "bad_tensor",
            f"the data of {given.name!r} must be {values} whole numbers of 0..255, in the one member `data` that a "
            "request has",
        )
    return read_numbers(numbers, tuple(given.shape), given.name)


def _wanted(request: _Request, parameters: Parameters, gives: tuple[str, ...]) -> dict[str, bool]:
    """The outputs asked for (all if none is named), each with true if it travels in binary."""
    binary = flag(parameters, "binary_data_output")
    if not request.outputs:
        return dict.fromkeys(gives, binary)
    wanted = {}
    for output in request.outputs:
        if output.name not in gives:
            raise ServiceError("bad_tensor", f"there is no output {output.name[:40]!r}; there is {', '.join(gives)}")
        asked = present(output.parameters, OUTPUT_PARAMETERS, f"the output {output.name!r}")
        wanted[output.name] = flag(asked, "binary_data", default=binary)
    return wanted


def flag(parameters: Parameters, name: str, *, default: bool = False) -> bool:
    """The value of a parameter that is true or false.

    Raises:
        ServiceError: `bad_request`: another value.
    """
    found = parameters.get(name, default)
    if not isinstance(found, bool):
        raise ServiceError("bad_request", f"the parameter {name!r} must be true or false, not {str(found)[:40]!r}")
    return found


def write_tensors(
    model_name: str, model_version: str, request: Tensors, outputs: Arrays
) -> tuple[bytes, dict[str, str]]:
    """Writes the answer's body and headers, with the outputs that the request asked for."""
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
