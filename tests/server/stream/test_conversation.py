"""A stream, whichever way it is served: the same answers to the same messages, and an end to every wait."""

import logging
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor_sim.wire import (
    MOST_NAME,
    Abandon,
    Decision,
    End,
    Error,
    GoingAway,
    Hello,
    Message,
    Progress,
    Resume,
    Rows,
    Skip,
    Summary,
    Sync,
    Welcome,
    decode,
    encode,
)
from server.process.clock import STALL_S
from server.stream.conversation import PAUSE_S, TURN_S, Conversation, Ending
from server.stream.session import Phase
from tests.conftest import served
from tests.networks import SMALL
from tests.server.stream.ways import WAYS, Directly, Stopwatch, VirtualLoop, Way, new_streams, same

NETWORKS = served()
BURSTS = SMALL.bursts_per_frame
NEVER = {"name": "never"}


def rows(first: int, bursts: int = 1, frame_id: int = 0, width: int = SMALL.width) -> Rows:
    pixels = np.random.default_rng(first).integers(0, 256, (5 * bursts, width, 3), np.uint8)
    return Rows(frame_id, first, bursts, 0, pixels)


MESSAGES: dict[str, bytes | str] = {
    "hello": encode(Hello(SMALL.name, NEVER)),
    "hello to another": encode(Hello("1x1")),
    "hello, bad policy": encode(Hello(SMALL.name, {"name": "no such"})),
    "resume": encode(Resume("x")),
    "rows": encode(rows(0)),
    "rows, all": encode(rows(0, BURSTS)),
    "rows, later": encode(rows(1)),
    "rows, wide": encode(rows(0, width=SMALL.width + 1)),
    "rows, too many": encode(rows(0, 5)),
    "sync": encode(Sync(7)),
    "abandon": encode(Abandon(0)),
    "end": encode(End()),
    "the service's own": encode(Skip(0, 0)),
    "no JSON": "{",
    "no UTF-8": "\udcff",
    "no type": "{}",
    "long text": " " * 20_000,
    "no rows": b"\x01",
    "nothing": b"",
    "no text": "",
}
"""One of each kind, the legal ones first."""
LEGAL = ("hello", "rows", "rows, all", "rows, later", "abandon", "sync")


def converse(way: Way, messages: list[bytes | str]) -> tuple[list[Message], int | None, str]:
    """The answers, the close code, and why it ended."""
    answers: list[Message] = []
    for message in messages:
        if not way.over:
            answers += way.say(message)
    ending = way.conversation.ending
    way.done()
    return same(answers), way.closed, ending.reason if ending else ""


@given(
    st.lists(st.sampled_from(LEGAL), max_size=6),
    st.sampled_from(sorted(MESSAGES)) | st.just("end"),
)
def test_every_way_answers_alike(legal: list[str], last: str) -> None:
    """Whole messages, bytes, fragments, ASGI events."""
    messages = [MESSAGES[name] for name in (*legal, last)]
    found = {}
    for name, way in WAYS.items():
        streams = new_streams(NETWORKS, credit_bursts=8, message_bursts=4)
        found[name] = converse(way(streams), messages)
        assert not streams.open
        assert not len(streams)
    assert all(each == found["directly"] for each in found.values()), found


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("name", MESSAGES)
@pytest.mark.parametrize("phase", Phase)
def test_every_message_in_every_phase(way: Any, name: str, phase: Phase, caplog: pytest.LogCaptureFixture) -> None:
    """Is answered or refused with a code of the protocol, and is never the service's own failure."""
    stream = way(new_streams(NETWORKS, message_bursts=4))
    if phase is not Phase.OPENING:
        stream.say(MESSAGES["hello"])
    if phase is Phase.ENDED:
        stream.say(MESSAGES["end"])
    with caplog.at_level(logging.ERROR):
        answers, closed, reason = converse(stream, [MESSAGES[name]])
    assert not caplog.records
    legal = {
        Phase.OPENING: ("hello",),
        Phase.STREAMING: ("rows", "abandon", "sync", "end"),
        Phase.ENDED: tuple(MESSAGES),
    }[phase]
    if name in legal:
        assert closed == (1000 if phase is Phase.ENDED or name == "end" else None)
    else:
        assert isinstance(answers[-1], Error)
        assert answers[-1].code == reason != "internal"
        assert closed in (1003, 1007, 1008)
    if phase is Phase.OPENING and name.startswith("rows"):
        assert reason == "out_of_phase"


def test_an_error_that_quotes_a_long_message_can_be_read() -> None:
    text = f'{{"type": "hello", "variant": "105x120", "{"x" * 2000}": 1}}'
    (error,), closed, _ = converse(WAYS["directly"](new_streams(NETWORKS)), [text])
    assert isinstance(error, Error)
    assert (error.code, len(error.message), closed) == ("bad_field", MOST_NAME, 1008)


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_stream_that_is_to_leave_ends_its_frame(way: Any) -> None:
    streams = new_streams(NETWORKS)
    stream = way(streams)
    stream.say(encode(Hello(SMALL.name, NEVER, 0)))
    stream.say(encode(rows(0)))
    (told,) = stream.leave("drain", 5.0)
    assert isinstance(told, GoingAway)
    assert (told.reason, told.seconds) == ("drain", 5.0)
    assert stream.leave("drain", 5.0) == []
    answers = [answer for burst in range(1, BURSTS) for answer in stream.say(encode(rows(burst)))]
    assert [type(answer) for answer in answers] == [Decision]
    assert stream.conversation.ending == Ending("drain", 1001, "drain")
    assert stream.closed == 1001
    stream.done()
    assert not streams.open


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_stream_without_a_frame_leaves_at_once(way: Any) -> None:
    for messages in ([], [MESSAGES["hello"]], [MESSAGES["hello"], encode(rows(0, BURSTS))]):
        stream = way(new_streams(NETWORKS))
        for message in messages:
            stream.say(message)
        assert [type(answer) for answer in stream.leave("drain", 5.0)] == [GoingAway]
        assert stream.closed == 1001
        stream.done()


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_stream_leaves_after_so_many_frames(way: Any) -> None:
    stream = way(new_streams(NETWORKS, stream_frames=2))
    stream.say(encode(Hello(SMALL.name, NEVER, 0)))
    said = [answer for number in range(2) for answer in stream.say(encode(rows(0, BURSTS, number)))]
    assert [type(answer) for answer in said] == [Decision, Decision, GoingAway]
    assert stream.closed == 1001
    stream.done()


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_failure_of_the_network_is_told_and_logged(
    way: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: Any) -> Any:
        raise RuntimeError("it is broken")

    monkeypatch.setattr(type(NETWORKS[SMALL.name].runtime), "step", failing)
    stream = way(new_streams(NETWORKS))
    with caplog.at_level(logging.ERROR):
        answers, closed, reason = converse(stream, [MESSAGES["hello"], MESSAGES["rows"]])
    error = answers[-1]
    assert isinstance(error, Error)
    assert (error.code, closed, reason) == ("internal", 1011, "internal")
    assert "broken" not in error.message
    (record,) = caplog.records
    assert record.getMessage() == "a stream failed"
    assert record.__dict__["facts"] == {"stream": stream.conversation.name, "frame": 0}


class Clocked:
    """A conversation whose time the test moves."""

    def __init__(self, **settings: Any) -> None:
        self.loop = VirtualLoop()
        self.streams = new_streams(NETWORKS, self.loop, **settings)
        self.way = Directly(self.streams)
        self.conversation: Conversation = self.way.conversation

    def wait(self) -> list[Message]:
        """Until its deadline; what is said then."""
        assert self.conversation.tick() == [], "nothing is due before the deadline"
        self.loop.now = self.conversation.deadline
        return [decode(text.decode()) for text in self.conversation.tick()]

    @property
    def reason(self) -> str:
        return self.conversation.ending.reason if self.conversation.ending else ""


def test_a_stream_without_hello_ends() -> None:
    stream = Clocked(handshake_s=3.0)
    (error,) = stream.wait()
    assert isinstance(error, Error)
    assert stream.reason == error.code == "handshake_timeout"
    assert stream.loop.now == 1003.0


def test_a_silent_stream_ends() -> None:
    stream = Clocked(idle_s=2.0)
    stream.way.say(MESSAGES["hello"])
    stream.loop.now += 1.5
    stream.way.say(MESSAGES["sync"])
    (error,) = stream.wait()
    assert isinstance(error, Error)
    assert stream.reason == error.code == "idle"
    assert stream.loop.now == 1003.5


def test_a_client_that_takes_no_answers_is_cut_off() -> None:
    stream = Clocked(send_s=2.0, idle_s=1.0)
    stream.way.say(MESSAGES["hello"])
    stream.conversation.pause()
    assert stream.wait() == []
    assert stream.conversation.ending == Ending("slow_reader", None)
    assert stream.loop.now == 1002.0


def test_a_client_that_takes_its_answers_again_goes_on() -> None:
    stream = Clocked(send_s=2.0, idle_s=1.0)
    stream.way.say(MESSAGES["hello"])
    stream.conversation.pause()
    stream.loop.now += 1.9
    stream.conversation.resume()
    assert stream.way.say(MESSAGES["sync"]) == [Sync(7)]


def test_last_words_that_nobody_takes() -> None:
    """A client that reads nothing more when it is told why its stream ends doesn't keep it."""
    stream = Clocked(idle_s=1.0, send_s=2.0)
    stream.way.say(MESSAGES["hello"])
    stream.wait()
    stream.conversation.pause()
    assert not stream.conversation.over
    stream.wait()
    assert stream.conversation.over
    assert stream.conversation.ending == Ending("slow_reader", None)


def test_a_close_that_is_not_answered_ends_too() -> None:
    stream = Clocked(send_s=2.0)
    stream.way.say(MESSAGES["hello"])
    stream.way.say(MESSAGES["end"])
    assert stream.conversation.over
    stream.wait()
    assert stream.conversation.ending == Ending("end", None)
    assert stream.loop.now == 1002.0


def test_a_stream_leaves_within_its_frame_when_the_time_is_up() -> None:
    stream = Clocked()
    stream.way.say(MESSAGES["hello"])
    stream.way.say(MESSAGES["rows"])
    stream.way.leave("drain", 3.0)
    stream.wait()
    assert stream.conversation.ending == Ending("drain", 1001, "drain")
    assert stream.loop.now == 1003.0


def test_a_stream_has_its_time() -> None:
    stream = Clocked(stream_s=5.0, drain_s=2.0, idle_s=3.0)
    stream.way.say(MESSAGES["hello"])
    stream.way.say(MESSAGES["rows"])
    stream.loop.now += 2.5
    stream.way.say(MESSAGES["sync"])
    (told,) = stream.wait()
    assert isinstance(told, GoingAway)
    assert (told.reason, stream.loop.now) == ("stream_s", 1005.0)
    stream.loop.now += 0.1
    stream.way.say(MESSAGES["sync"])
    stream.wait()
    assert stream.conversation.ending == Ending("stream_s", 1001, "stream_s")
    assert stream.loop.now == 1007.0


@pytest.mark.parametrize("opened", [True, False])
def test_time_that_the_service_slept_through_counts_against_nobody(opened: bool) -> None:
    stream = Clocked(idle_s=4.0, handshake_s=4.0)
    stream.streams.clock.beat()
    if opened:
        stream.way.say(MESSAGES["hello"])
    stream.loop.now += 100 * STALL_S
    assert stream.conversation.tick() == []
    for _ in range(5):
        stream.loop.now += 0.7
        stream.streams.clock.beat()
        assert stream.conversation.tick() == []
    stream.loop.now += 0.7
    assert len(stream.conversation.tick()) == 1


def _watched(step_s: float) -> Directly:
    """A stream whose stopwatch goes on at every look alone."""
    streams = new_streams(NETWORKS)
    streams.stopwatch = Stopwatch(step_s)
    return Directly(streams)


def _all(conversation: Conversation, message: bytes | str) -> Iterator[list[bytes]]:
    yield conversation.receive(message)
    while conversation.busy:
        conversation.begin_turn(yielded=True)
        yield conversation.work()


def test_a_message_with_much_work_takes_many_turns() -> None:
    conversation = _watched(0.0011).conversation
    one_by_one = {"name": "published", "exit_threshold": 1.0, "skip_threshold": 0.0}
    conversation.receive(encode(Hello(SMALL.name, one_by_one)))
    turns = [len(texts) for texts in _all(conversation, encode(rows(0, BURSTS)))]
    assert sum(turns) == BURSTS + 1, "progress for every burst, and a decision"
    assert len(turns) > BURSTS / 3, "at two milliseconds a burst"


def test_a_turn_goes_on_while_messages_of_one_read_follow_each_other() -> None:
    conversation = _watched(PAUSE_S / 2).conversation
    looks = 0
    while not conversation.turn_over:
        conversation.begin_turn()
        looks += 1
    assert looks > TURN_S / PAUSE_S / 2
    conversation.begin_turn(yielded=True)
    assert not conversation.turn_over


def test_a_turn_begins_anew_after_a_pause() -> None:
    conversation = _watched(2 * PAUSE_S).conversation
    for _ in range(100):
        assert not conversation.turn_over
        conversation.begin_turn()


def test_answers_come_in_order() -> None:
    stream = Directly(new_streams(NETWORKS))
    assert isinstance(stream.say(MESSAGES["hello"])[0], Welcome)
    assert isinstance(stream.say(MESSAGES["rows"])[0], Progress)
    assert isinstance(stream.say(MESSAGES["end"])[0], Summary)
    assert stream.say(MESSAGES["sync"]) == []
