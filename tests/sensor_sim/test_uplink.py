"""What an uplink sends again, over a service that is a list of what it heard."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import numpy as np
import pytest
from websockets.asyncio.server import ServerConnection

from sensor_sim.burst import Rows
from sensor_sim.emitter import open_emitter
from sensor_sim.uplink import REFUSED_TOKENS, Backoff, ServiceChange, StreamError, Uplink
from sensor_sim.wire import (
    TYPE_OF,
    Abandon,
    Abandoned,
    Credit,
    Decision,
    Error,
    GoingAway,
    Hello,
    Message,
    Position,
    Resume,
    Sync,
    Welcome,
    decode,
    encode,
)
from server.errors import REFUSALS
from tests.scripted_service import scripted_service

AT_ONCE = Backoff(draw=lambda: 0.0)
LONGEST_S = 30.0

Told = tuple[object, ...]
"""Type of a message, and the frame and burst that it is about."""


def _welcome(position: Position | None = None) -> Welcome:
    return Welcome("30x32", 30, 32, 5, 6, {"name": "never"}, 0, "digest", {}, 1000, "token", position=position)


def _rows(frame_id: int, burst: int) -> Rows:
    return Rows(frame_id, burst, 1, 0, np.zeros((5, 32, 3), np.uint8))


def _told(message: Message) -> Told:
    if isinstance(message, Rows):
        return "rows", message.frame_id, message.first_burst
    return TYPE_OF[type(message)], getattr(message, "frame_id", None)


def _heard(
    answer: Callable[[Message, list[list[Told]]], Sequence[Message] | None],
    talk: Callable[[Uplink, AsyncIterator[Message]], Awaitable[None]],
    observer: Callable[[ServiceChange], None] = lambda _: None,
) -> list[list[Told]]:
    """All that a service heard of an uplink, connection by connection.

    Args:
        answer: the service's answers to a message, after all that was heard; None drops the connection. Syncs are
            answered without it.
        talk: the uplink's part, with the answers that come.
        observer: the uplink's.
    """
    heard: list[list[Told]] = []

    async def converse(connection: ServerConnection) -> None:
        heard.append([])
        async for data in connection:
            message = decode(data)
            heard[-1].append(_told(message))
            answers = [message] if isinstance(message, Sync) else answer(message, heard)
            if answers is None:
                connection.transport.abort()
            for each in answers or ():
                await connection.send(encode(each))

    async def main() -> None:
        async with scripted_service(converse) as url:
            uplink = Uplink(url, Hello("30x32"), AT_ONCE, observer=observer)
            await uplink.open()
            await talk(uplink, aiter(uplink))
            await uplink.close()

    asyncio.run(asyncio.wait_for(main(), LONGEST_S))
    return heard


async def _send(uplink: Uplink, *messages: Rows | Abandon | Sync) -> None:
    for message in messages:
        await uplink.send(message)


async def _talk_of_one_burst(uplink: Uplink, answers: AsyncIterator[Message]) -> None:
    """Sends a burst, and waits until the service has heard all that was sent."""
    await _send(uplink, _rows(0, 0), Sync(7))
    assert await anext(answers) == Sync(7)


@pytest.mark.parametrize("position", [None, Position(3, 6), Position(4, 1), Position(4, 6)])
def test_a_frame_given_up_is_given_up_again_before_a_later_one_begins(position: Position | None) -> None:
    """The connection is lost before the answer: nothing of the frame goes out again but the message itself."""

    def answer(message: Message, heard: list[list[Told]]) -> Sequence[Message] | None:
        match message:
            case Hello():
                return [_welcome()]
            case Resume():
                return [_welcome(position)]
            case Rows(frame_id=5) if len(heard) == 1:
                return None
            case Abandon() if len(heard) == 2:
                return [Abandoned(4, 1001, "later")]
            case _:
                return []

    async def talk(uplink: Uplink, answers: AsyncIterator[Message]) -> None:
        await _send(uplink, _rows(4, 0), _rows(4, 1), Abandon(4), _rows(5, 0), Sync(7))
        assert await anext(answers) == Sync(7)
        assert uplink.resumed == 1
        assert uplink.lost == {1006: 1}
        await _send(uplink, _rows(5, 1))

    heard = _heard(answer, talk)
    assert heard[0][:4] == [("hello", None), ("rows", 4, 0), ("rows", 4, 1), ("abandon", 4)]
    assert heard[1] == [("resume", None), ("abandon", 4), ("rows", 5, 0), ("sync", None), ("rows", 5, 1)]


def test_a_service_that_stops_before_it_welcomes_is_left_for_another() -> None:
    """A proxy may hand a stream to a replica that drains at the same moment: it says so before it takes the stream."""

    def answer(message: Message, heard: list[list[Told]]) -> Sequence[Message] | None:
        match message:
            case Hello() | Resume():
                return [GoingAway("drain", 1.5, "") if len(heard) % 2 else _welcome()]
            case Rows() if len(heard) == 2:
                return None
            case _:
                return []

    async def talk(uplink: Uplink, answers: AsyncIterator[Message]) -> None:
        await _talk_of_one_burst(uplink, answers)
        assert uplink.resumed == 1

    heard = _heard(answer, talk)
    assert heard[0] == [("hello", None)]
    assert heard[2:] == [[("resume", None)], [("resume", None), ("rows", 0, 0), ("sync", None)]]


def test_a_decision_that_crosses_the_giving_up_is_no_news() -> None:
    def answer(message: Message, _: list[list[Told]]) -> Sequence[Message]:
        if isinstance(message, Hello):
            return [_welcome()]
        if isinstance(message, Abandon):
            return [Decision(0, 1, 0.9, True, True, 2, 0, 4), Abandoned(0, 1001, "later"), Credit(1002)]
        return []

    async def talk(uplink: Uplink, answers: AsyncIterator[Message]) -> None:
        await _send(uplink, _rows(0, 0), Abandon(0), Sync(7))
        assert await anext(answers) == Sync(7)

    _heard(answer, talk)


def test_a_message_of_a_later_release_ends_the_stream_by_its_name() -> None:
    async def converse(connection: ServerConnection) -> None:
        await connection.recv()
        await connection.send(encode(_welcome()))
        await connection.recv()
        await connection.send('{"type":"weather","rain":true}')
        await connection.wait_closed()

    async def main() -> None:
        async with scripted_service(converse) as url, open_emitter(url, Hello("30x32")) as emitter:
            await emitter.emit(np.zeros((30, 32, 3), np.uint8))

    with pytest.raises(StreamError, match='no message of the type "weather"'):
        asyncio.run(asyncio.wait_for(main(), LONGEST_S))


@pytest.mark.parametrize("known", [True, False], ids=["token taken", "token refused"])
def test_the_rest_for_an_audit_goes_on_after_a_drop_where_the_service_still_knows_the_frame(known: bool) -> None:
    def answer(message: Message, heard: list[list[Told]]) -> Sequence[Message] | None:
        match message:
            case Hello():
                return [_welcome()]
            case Resume():
                return [_welcome(Position(4, 6, 2)) if known else Error("expired_token", "too late")]
            case Rows(frame_id=4, first_burst=1) if len(heard) == 1:
                return [Decision(4, 1, 0.9, True, True, 2, 0, 4, 1000, "decided", audit=True)]
            case Rows(frame_id=4, first_burst=3) if len(heard) == 1:
                return None
            case _:
                return []

    async def talk(uplink: Uplink, answers: AsyncIterator[Message]) -> None:
        await _send(uplink, _rows(4, 0), _rows(4, 1))
        decision = await anext(answers)
        assert isinstance(decision, Decision)
        assert decision.audit
        await _send(uplink, _rows(4, 2), _rows(4, 3), Sync(7))
        assert await anext(answers) == Sync(7)
        await _send(uplink, _rows(4, 4), _rows(4, 5), _rows(5, 0), Sync(8))
        assert await anext(answers) == Sync(8)

    heard = _heard(answer, talk)
    begun = [("rows", 5, 0), ("sync", None)]
    if known:
        rest = [("rows", 4, burst) for burst in (2, 3)]
        assert heard[1] == [("resume", None), *rest, ("sync", None), ("rows", 4, 4), ("rows", 4, 5), *begun]
    else:
        assert heard[2] == [("hello", None), ("sync", None), *begun], (
            "a service that knows nothing of a frame gets none"
        )


@pytest.mark.parametrize("refused", [0, 1, 3])
def test_the_service_is_told_lost_once_and_back_but_not_where_the_first_attempt_succeeds(refused: int) -> None:
    told: list[ServiceChange] = []

    def answer(message: Message, heard: list[list[Told]]) -> Sequence[Message] | None:
        match message:
            case Hello():
                return [_welcome()]
            case Resume():
                return [GoingAway("drain", 1.5, "") if len(heard) < 2 + refused else _welcome()]
            case Rows() if len(heard) == 1:
                return None
            case _:
                return []

    _heard(answer, _talk_of_one_burst, told.append)
    lost = ServiceChange(
        up=False, reason="the connection to the service was lost (no close frame)", patience_s=AT_ONCE.patience_s
    )
    assert told == ([lost, ServiceChange(up=True)] if refused else [])


def test_patience_is_the_longest_that_all_waits_take() -> None:
    longest = Backoff(draw=lambda: 1.0)
    assert longest.patience_s == sum(map(longest.delay_s, range(longest.attempts)))


def test_the_refusals_of_tokens_are_those_of_the_service() -> None:
    assert {code for code in REFUSALS if code.endswith("_token")} == set(REFUSED_TOKENS)
    assert all(REFUSALS[code].close_code for code in REFUSED_TOKENS)
