import json
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from server.errors import ServiceError
from server.tensors.codec import Tensors, TensorSpec, read_tensors, write_tensors

TAKES = TensorSpec("frames", "UINT8", (-1, 2, 3, 3))
GIVES = ("p_person", "next_burst")
INPUTS = arrays(np.uint8, st.tuples(st.integers(1, 4), st.just(2), st.just(3), st.just(3)))


def _request(array: npt.NDArray[np.uint8], **fields: Any) -> dict[str, Any]:
    return {"inputs": [{"name": "frames", "shape": list(array.shape), "datatype": "UINT8", **fields}]}


def _read(body: bytes, header_length: int | None = None) -> Tensors:
    return read_tensors(body, None if header_length is None else str(header_length), TAKES, GIVES, frozenset())


@settings(max_examples=40)
@given(INPUTS)
def test_every_way_to_send_an_array_gives_the_same_array(array: npt.NDArray[np.uint8]) -> None:
    nested = json.dumps(_request(array, data=array.tolist())).encode()
    flat = json.dumps(_request(array, data=array.ravel().tolist())).encode()
    header = json.dumps(_request(array, parameters={"binary_data_size": array.size})).encode()
    ways = [_read(nested), _read(flat), _read(header + array.tobytes(), len(header)), _read(array.tobytes(), 0)]
    for found in ways:
        assert found.array.dtype == np.uint8
        np.testing.assert_array_equal(found.array, array)


@settings(max_examples=40)
@given(arrays(np.float32, st.integers(1, 5), elements=st.floats(0, 1, width=32)), st.booleans(), st.none() | st.text())
def test_an_answer_holds_the_outputs_wanted(
    values: npt.NDArray[np.float32], binary: bool, identity: str | None
) -> None:
    request = Tensors(np.zeros((1, 2, 3, 3), np.uint8), identity, {}, {"p_person": binary})
    body, headers = write_tensors("105x120", "1", request, {"p_person": values, "next_burst": np.zeros(1, np.int32)})
    length = int(headers.get("Inference-Header-Content-Length", len(body)))
    answer = json.loads(body[:length])
    (output,) = answer["outputs"]
    assert answer.get("id") == identity
    assert (output["name"], output["shape"], output["datatype"]) == ("p_person", [len(values)], "FP32")
    found = np.frombuffer(body[length:], "<f4") if binary else np.array(output["data"], np.float32)
    np.testing.assert_array_equal(found, values)


ARRAY = np.zeros((1, 2, 3, 3), np.uint8)


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({"inputs": []}, "bad_tensor"),
        (_request(ARRAY) | {"parameters": {"unheard_of": 1}}, "bad_request"),
        (_request(ARRAY), "bad_tensor"),
        (_request(ARRAY, data=[1, 2]), "bad_tensor"),
        (_request(ARRAY, data=ARRAY.tolist()) | {"outputs": [{"name": "other"}]}, "bad_tensor"),
        (_request(ARRAY, data=ARRAY.tolist()) | {"parameters": {"binary_data_output": 1}}, "bad_request"),
        (_request(np.zeros((1, 3, 3, 3), np.uint8), data=[0] * 27), "bad_tensor"),
        ("no object", "bad_request"),
    ],
)
def test_a_request_that_can_mean_nothing_is_refused(request_: Any, code: str) -> None:
    with pytest.raises(ServiceError) as refused:
        _read(json.dumps(request_).encode())
    assert refused.value.refusal.code == code
