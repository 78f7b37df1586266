import importlib.util
import sys
from itertools import pairwise
from types import FunctionType
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol

from server.stream import framing
from server.stream.framing import FrameGate, Passed, text_frame, unmask

MOST = 400

FRAMES = st.one_of(
    st.binary(max_size=MOST + 3).map(lambda data: Frame(Opcode.BINARY, data)),
    st.binary(max_size=140).map(lambda data: Frame(Opcode.BINARY, data, fin=False)),
    st.binary(max_size=140).map(lambda data: Frame(Opcode.CONT, data, fin=False)),
    st.binary(max_size=5).map(lambda data: Frame(Opcode.CONT, data)),
    st.binary(max_size=5).map(lambda data: Frame(Opcode.PING, data)),
    st.binary(max_size=5).map(lambda data: Frame(Opcode.PONG, data)),
    st.text(max_size=5).map(lambda text: Frame(Opcode.TEXT, text.encode())),
    st.just(Frame(Opcode.TEXT, b"\xff")),
    st.just(Frame(Opcode.CLOSE, b"\x03\xe8")),
)
CUTS = st.lists(st.floats(0, 1), max_size=5)
Seen = tuple[list[tuple[int, bytes, bool]], list[bytes]]


def _pieces(data: bytes, cuts: list[float]) -> list[bytes]:
    places = [0, *sorted(round(each * len(data)) for each in cuts), len(data)]
    return [data[start:end] for start, end in pairwise(places)]


def _parser() -> ServerProtocol:
    return ServerProtocol(state=State.OPEN, max_size=MOST)


def _events(parser: ServerProtocol) -> list[tuple[int, bytes, bool]]:
    return [
        (event.opcode, bytes(event.data), event.fin) for event in parser.events_received() if isinstance(event, Frame)
    ]


def _by_the_library(data: bytes) -> Seen:
    """What websockets' own parser makes of a client's bytes, and what it answers."""
    parser = _parser()
    parser.receive_data(data)
    return _events(parser), parser.data_to_send()


def _by_the_gate(pieces: list[bytes]) -> Seen:
    gate, parser = FrameGate(MOST), _parser()
    seen: list[tuple[int, bytes, bool]] = []
    for piece in pieces:
        gate.feed(piece)
        while (found := gate.next_frame()) is not None:
            if isinstance(found, Passed):
                parser.receive_data(found.data)
                seen += _events(parser)
            elif parser.state is State.OPEN:
                seen.append((Opcode.BINARY, found, True))
    return seen, parser.data_to_send()


@given(frames=st.lists(FRAMES, max_size=8), cuts=CUTS)
def test_the_gate_and_the_parser_see_what_the_parser_alone_sees(frames: list[Frame], cuts: list[float]) -> None:
    data = b"".join(frame.serialize(mask=True) for frame in frames)
    assert _by_the_gate(_pieces(data, cuts)) == _by_the_library(data)


@given(frames=st.lists(FRAMES, max_size=4))
def test_so_they_do_byte_by_byte(frames: list[Frame]) -> None:
    data = b"".join(frame.serialize(mask=True) for frame in frames)
    assert _by_the_gate([bytes([byte]) for byte in data]) == _by_the_library(data)


@given(
    frames=st.lists(FRAMES, max_size=5),
    changes=st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255))),
    cuts=CUTS,
)
def test_so_they_do_with_bytes_changed(
    frames: list[Frame], changes: list[tuple[float, int]], cuts: list[float]
) -> None:
    """A parser that is told of a wrong frame only once it is whole answers later, never otherwise."""
    data = bytearray(b"".join(frame.serialize(mask=True) for frame in frames))
    for place, byte in changes if data else []:
        data[int(place * len(data))] = byte
    seen, written = _by_the_gate(_pieces(bytes(data), cuts))
    expected_seen, expected_written = _by_the_library(bytes(data))
    assert seen == expected_seen
    assert written == expected_written[: len(written)]


@given(st.lists(FRAMES.filter(lambda frame: len(frame.data) <= MOST), min_size=1, max_size=8))
def test_frames_come_one_at_a_time(frames: list[Frame]) -> None:
    gate = FrameGate(MOST)
    gate.feed(b"".join(frame.serialize(mask=True) for frame in frames))
    for frame in frames:
        found = gate.next_frame()
        if isinstance(found, Passed):
            parser = ServerProtocol(state=State.OPEN, max_size=MOST)
            parser.receive_data(found.data)
            opens = frame.opcode is not Opcode.CONT  # alone it is an error to the parser
            assert not opens or len(_events(parser)) <= 1
            assert found.whole == (frame.fin and frame.opcode in (Opcode.TEXT, Opcode.BINARY))
        else:
            assert found == frame.data
    assert gate.next_frame() is None


@pytest.mark.parametrize(
    "frame",
    [
        Frame(Opcode.TEXT, b"12345678").serialize(mask=True),
        Frame(Opcode.PING, b"12345678").serialize(mask=True),
        Frame(Opcode.BINARY, b"12345678", fin=False).serialize(mask=True),
        b"\xc2" + Frame(Opcode.BINARY, b"12345678").serialize(mask=True)[1:],  # of an extension
        Frame(Opcode.BINARY, b"12345678").serialize(mask=False),
        Frame(Opcode.BINARY, bytes(MOST + 1)).serialize(mask=True),
        b"\x82\xfe\x00\x08" + bytes(12),  # eight bytes, their number in the longer form
    ],
    ids=range(7),  # masks are random
)
def test_any_other_frame_is_the_parsers(frame: bytes) -> None:
    gate = FrameGate(MOST)
    gate.feed(frame)
    found = gate.next_frame()
    assert isinstance(found, Passed)
    assert found.data == frame


def test_a_frame_that_is_too_long_is_told_before_it_has_come() -> None:
    gate = FrameGate(MOST)
    gate.feed(Frame(Opcode.BINARY, bytes(MOST + 1)).serialize(mask=True)[:14])
    assert gate.next_frame() is not None


def test_bytes_within_a_frame_are_not_taken_for_one() -> None:
    inner = bytes([0x82, 0x88]) + bytes(4) + b"12345678"
    outer = bytes([0x82, 0x80 | len(inner)]) + bytes(4) + inner
    gate = FrameGate(MOST)
    gate.feed(outer[:6])
    assert gate.next_frame() is None
    gate.feed(inner)
    assert gate.next_frame() == inner


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 100_000])
def test_a_text_frame_of_every_form_of_length(size: int) -> None:
    payload = b"x" * size
    assert text_frame(payload) == Frame(Opcode.TEXT, payload).serialize(mask=False)


@given(st.text(max_size=300))
def test_a_text_frame_is_what_websockets_would_send(text: str) -> None:
    assert text_frame(text.encode()) == Frame(Opcode.TEXT, text.encode()).serialize(mask=False)


def _without_a_compiler() -> Any:
    """The module as it is where its extension module could not be built."""
    spec = importlib.util.spec_from_file_location("framing_without_a_compiler", framing.__file__)
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    with patch.dict(sys.modules, {"server.stream._frames": None}):
        spec.loader.exec_module(found)
    return found


UNMASKING = {"as built": unmask, "without a compiler": _without_a_compiler().unmask}


@pytest.mark.parametrize("unmasks", UNMASKING.values(), ids=UNMASKING)
@given(
    before=st.binary(max_size=9), key=st.binary(min_size=4, max_size=4), payload=st.binary(max_size=99),
    rest=st.binary(max_size=9),
)  # fmt: skip
def test_a_payload_is_unmasked_byte_by_byte(
    unmasks: Any, before: bytes, key: bytes, payload: bytes, rest: bytes
) -> None:
    start = len(before) + 4
    expected = bytes(byte ^ key[place % 4] for place, byte in enumerate(payload))
    assert unmasks(before + key + payload + rest, start, start + len(payload)) == expected


def test_the_two_are_not_the_same() -> None:
    assert isinstance(UNMASKING["without a compiler"], FunctionType)


def test_what_cannot_be_unmasked_is_an_error() -> None:
    for data, start, stop in ((bytes(20), 3, 9), (bytes(20), 9, 8), (bytes(20), 9, 21), (np.zeros(20), 9, 20)):
        with pytest.raises((TypeError, ValueError)):
            unmask(data, start, stop)
