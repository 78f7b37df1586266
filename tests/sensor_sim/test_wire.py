import json

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor_sim.burst import PixelFormat
from sensor_sim.wire import (
    HEADER,
    MAX_TEXT_BYTES,
    TYPE_OF,
    ClientMessage,
    Decision,
    Hello,
    Message,
    Rows,
    WireError,
    decode,
    encode,
)
from tests.vectors.make_wire import FILE, MESSAGES, vectors

SHARED = json.loads(FILE.read_text())


def _same(one: Message, other: Message) -> bool:
    if isinstance(one, Rows) and isinstance(other, Rows):
        scalars = ("frame_id", "first_burst", "bursts", "readout_us", "pixel_format")
        return all(getattr(one, name) == getattr(other, name) for name in scalars) and np.array_equal(
            one.rows, other.rows
        )
    return one == other


def test_vectors_on_file_are_those_of_the_code() -> None:
    assert json.loads(FILE.read_text()) == vectors()


@pytest.mark.parametrize("entry", SHARED["messages"], ids=lambda entry: str(entry["name"]))
def test_vector_decodes(entry: dict[str, str]) -> None:
    content = bytes.fromhex(entry["hex"])
    data = content.decode() if entry["kind"] == "text" else content
    assert _same(decode(data), MESSAGES[entry["name"]])


@pytest.mark.parametrize("entry", SHARED["tolerated"], ids=lambda entry: str(entry["name"]))
def test_fields_of_a_later_server_are_ignored(entry: dict[str, str]) -> None:
    assert decode(entry["text"]) == MESSAGES[entry["name"]]


@pytest.mark.parametrize("entry", SHARED["refused"], ids=lambda entry: str(entry["name"]))
def test_what_no_server_says(entry: dict[str, str]) -> None:
    with pytest.raises(WireError) as caught:
        decode(entry["text"])
    assert caught.value.code == entry["code"]


def test_a_message_that_is_not_known_is_told_by_its_name() -> None:
    with pytest.raises(WireError, match='type "weather"; the types are hello, '):
        decode('{"type":"weather"}')


def test_fields_that_a_client_makes_up_are_refused_by_name() -> None:
    for name, message in MESSAGES.items():
        if isinstance(message, ClientMessage):
            kind = TYPE_OF[type(message)]
            with pytest.raises(WireError, match=f"{kind}: .*`rain`") as caught:
                decode(json.dumps(msgspec.to_builtins(message) | {"rain": 1}))
            assert caught.value.code == "bad_field", name


counts = st.integers(0, 2**32 - 1)


@given(
    frame_id=counts,
    first=st.integers(0, 65535),
    bursts=st.integers(1, 4),
    time=st.integers(0, 2**64 - 1),
    width=st.integers(1, 20),
    pixel_format=st.sampled_from(PixelFormat),
    seed=st.integers(0, 99),
)
def test_rows_round_trip(
    frame_id: int, first: int, bursts: int, time: int, width: int, pixel_format: PixelFormat, seed: int
) -> None:
    shape = (bursts * 5 + 2 * pixel_format.halo_rows, width, pixel_format.channels)
    rows = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    message = Rows(frame_id, first, bursts, time, rows, pixel_format)
    data = encode(message)
    assert isinstance(data, bytes)
    assert len(data) == HEADER.size + rows.size
    assert _same(decode(data), message)


shares = st.floats(0, 1)


@given(counts, counts, shares, st.booleans(), st.booleans(), counts, counts, counts)
def test_decision_round_trip(
    frame_id: int, burst: int, p_person: float, person: bool, exited: bool, processed: int, skipped: int, unread: int
) -> None:
    message = Decision(frame_id, burst, p_person, person, exited, processed, skipped, unread)
    assert decode(encode(message)) == message


@given(st.binary(max_size=200))
def test_any_bytes_are_rows_or_a_typed_error(data: bytes) -> None:
    try:
        assert isinstance(decode(data), Rows)
    except WireError as error:
        assert error.code in {"malformed_rows", "unsupported_version"}  # noqa: PT017 - either outcome is right


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
)
field_names = st.sampled_from(["type", "variant", "policy", "progress_every", "frame_id", "p_person", "x"])


@given(st.text(max_size=60) | st.dictionaries(field_names, st.just("hello") | json_values).map(json.dumps))
def test_any_text_is_control_or_a_typed_error(text: str) -> None:
    try:
        assert not isinstance(decode(text), Rows)
    except WireError as error:
        assert error.code in {"malformed_json", "unknown_type", "bad_field"}  # noqa: PT017 - either outcome is right


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{", "malformed_json"),
        ("[]", "malformed_json"),
        ("[" * 3000, "malformed_json"),
        (" " * (MAX_TEXT_BYTES + 1), "malformed_json"),
        ('{"type":"skip","frame_id":1,"burst_index":NaN}', "malformed_json"),
        ("{}", "unknown_type"),
        ('{"type":"rows"}', "unknown_type"),
        ('{"type":"hello"}', "bad_field"),
        ('{"type":"hello","variant":5}', "bad_field"),
        ('{"type":"hello","variant":"105x120","progress_every":-1}', "bad_field"),
        ('{"type":"hello","variant":"105x120","progress_every":true}', "bad_field"),
        ('{"type":"hello","variant":"105x120","colour":1}', "bad_field"),
        ('{"type":"hello","variant":"105x120","pixel_format":"rgb16"}', "bad_field"),
        ('{"type":"hello","variant":"105x120","pixel_format":[]}', "bad_field"),
        ('{"type":"sync"}', "bad_field"),
        ('{"type":"end","x":1}', "bad_field"),
    ],
)
def test_control_refused(text: str, code: str) -> None:
    with pytest.raises(WireError) as caught:
        decode(text)
    assert caught.value.code == code


def _tampered(offset: int, value: int) -> bytes:
    data = bytearray(encode(Rows(0, 0, 1, 0, np.zeros((5, 16, 3), np.uint8))))  # type: ignore[arg-type]  # rows are bytes
    data[offset] = value
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "malformed_rows"),
        (_tampered(0, 2), "unsupported_version"),
        (_tampered(1, 6), "malformed_rows"),
        (encode(Rows(0, 0, 1, 0, np.zeros((2, 16, 1), np.uint8), PixelFormat.BAYER_RGGB8)), "malformed_rows"),
        (_tampered(2, 0), "malformed_rows"),
        (_tampered(10, 0), "malformed_rows"),
        (_tampered(10, 2), "malformed_rows"),
        (_tampered(12, 47), "malformed_rows"),
        (_tampered(0, 1)[:-1], "malformed_rows"),
        (_tampered(0, 1) + b"x", "malformed_rows"),
    ],
)
def test_rows_refused(data: bytes, code: str) -> None:
    with pytest.raises(WireError) as caught:
        decode(data)
    assert caught.value.code == code


def test_rows_are_not_copied() -> None:
    data = encode(Rows(0, 0, 1, 0, np.ones((5, 16, 3), np.uint8)))
    message = decode(data)
    assert isinstance(message, Rows)
    assert message.rows.base is not None
    assert not message.rows.flags.writeable


def test_defaults_of_hello() -> None:
    assert decode('{"type":"hello","variant":"105x120"}') == Hello("105x120", None, 1)
    assert decode('{"type":"hello","variant":"105x120","policy":null}') == Hello("105x120")
