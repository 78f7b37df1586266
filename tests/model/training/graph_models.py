"""Graph models of TensorFlow.js, written by hand."""

import base64
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt


def text(value: str) -> dict[str, Any]:
    return {"s": base64.b64encode(value.encode()).decode()}


def texts(*values: str) -> dict[str, Any]:
    return {"list": {"s": [base64.b64encode(value.encode()).decode() for value in values]}}


def integers(*values: int) -> dict[str, Any]:
    return {"list": {"i": [str(value) for value in values]}}


def node(name: str, kind: str, *inputs: str, **attributes: Any) -> dict[str, Any]:
    return {"name": name, "op": kind, "input": list(inputs), "attr": attributes}


def write_graph_model(
    folder: Path,
    nodes: Sequence[dict[str, Any]],
    constants: Mapping[str, npt.NDArray[Any]],
    *,
    half: Sequence[str] = (),
) -> Path:
    """A model's JSON file, with its weights in two files beside it; those named in `half` are kept in 16 bits."""
    entries, content = [], b""
    for name, values in constants.items():
        entry: dict[str, Any] = {"name": name, "shape": list(values.shape), "dtype": str(values.dtype)}
        if name in half:
            entry["quantization"] = {"dtype": "float16", "original_dtype": "float32"}
        content += (values.astype(np.float16) if name in half else values).tobytes()
        entries.append(entry)
    (folder / "a.bin").write_bytes(content[:5])
    (folder / "b.bin").write_bytes(content[5:])
    nodes = [*nodes, *(node(name, "Const") for name in constants)]
    description = {
        "modelTopology": {"node": nodes},
        "weightsManifest": [{"paths": ["a.bin", "b.bin"], "weights": entries}],
    }
    path = folder / "model.json"
    path.write_text(json.dumps(description))
    return path
