import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.errors import ServiceError
from server.tensors.json_numbers import CUT_OUT, SLICE_BYTES, read_numbers, split_numbers

SHAPES = st.tuples(st.integers(1, 40), st.integers(1, 30), st.integers(1, 20), st.just(3))


@given(
    SHAPES, st.booleans(), st.sampled_from([None, 1]), st.sampled_from([(",", ":"), (", ", ": ")]), st.integers(0, 99)
)
def test_numbers_are_those_that_json_reads(
    shape: tuple[int, ...], flat: bool, indent: int | None, separators: tuple[str, str], seed: int
) -> None:
    array = np.random.default_rng(seed).integers(0, 256, shape)
    document = {"a": '"data": [1]', "data": (array.ravel() if flat else array).tolist(), "b": [2]}
    text = json.dumps(document, indent=indent, separators=separators).encode()
    header, numbers = split_numbers(text)
    assert json.loads(header) == document | {"data": json.loads(CUT_OUT)}
    assert numbers is not None
    np.testing.assert_array_equal(read_numbers(numbers, shape, "frames"), array.ravel())


@given(st.binary(max_size=60).map(lambda end: b'{"data": [1, 2' + end), st.integers(0, 4))
def test_whatever_follows_is_kept_or_refused(text: bytes, values: int) -> None:
    try:
        header, numbers = split_numbers(text)
        assert numbers is not None
        assert len(header) == len(text) - len(numbers) + len(CUT_OUT)
        found = read_numbers(numbers, (values,), "frames")
    except ServiceError as error:
        assert error.code == "bad_tensor"  # noqa: PT017 - or it is none
    else:
        assert json.loads(bytes(numbers)) == found.tolist()


@pytest.mark.parametrize(
    "data", ["[-1]", "[1.0]", "[1e1]", "[null]", '["1"]', '[1, "2"]', "[{}]", "[[1], [true]]", "[1"]
)
def test_what_is_no_whole_number_is_told(data: str) -> None:
    with pytest.raises(ServiceError, match=r"must be whole numbers of 0..255"):
        split_numbers(f'{{"data": {data}, "name": "frames"}}'.encode())


@pytest.mark.parametrize(
    "text",
    [
        "[1 2,3]", "[1][2,3]", "[1,2,3", "1,2,3]", "[1,2,3]]", "[[1,2,3]]", "[1,,3]", "[,1,3]", "[1,2,]", "[1,2]", "[]",
        "[1,2,3,4]", "[01,2,3]", "[256,2,3]", "[1,2,99999999999999999999999]", "[[1],[2],[3]]",
        "[1,2,3" + " " * SLICE_BYTES + "4]",
    ],
)  # fmt: skip
def test_what_is_refused(text: str) -> None:
    with pytest.raises(ServiceError, match=r"3 whole numbers of 0..255, flat or nested as the shape \[3\]"):
        read_numbers(memoryview(text.encode()), (3,), "frames")


@given(SHAPES, st.lists(st.tuples(st.integers(0, 10**6), st.sampled_from("[],1 ")), min_size=1, max_size=3))
def test_nothing_is_taken_that_json_reads_otherwise(shape: tuple[int, ...], changes: list[tuple[int, str]]) -> None:
    text = json.dumps(np.ones(shape, int).tolist(), separators=(",", ":"))
    for place, mark in changes:
        place %= len(text)
        text = text[:place] + mark + text[place + 1 :]
    try:
        found = read_numbers(memoryview(text.encode()), shape, "frames")
    except ServiceError:
        return
    np.testing.assert_array_equal(np.array(json.loads(text)).ravel(), found)


@pytest.mark.parametrize("text", ["[[1,2],[3,4,5,6]]", "[[1,2,3,4],[5,6]]", "[[1[,2,3],[4,5,6]]", "[[1,2,3],[]4,5,6]"])
def test_lists_are_as_long_as_the_shape_says(text: str) -> None:
    with pytest.raises(ServiceError, match="nested as the shape"):
        read_numbers(memoryview(text.encode()), (2, 3), "frames")


def test_nothing_is_allocated_for_numbers_that_are_not_there() -> None:
    with pytest.raises(ServiceError, match="whole numbers"):
        read_numbers(memoryview(b"[1]"), (2**31, 105, 120, 3), "frames")
