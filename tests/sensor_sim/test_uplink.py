"""What an uplink sends again, over a service that is a list of what it heard."""

import asyncio

import numpy as np
import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

from sensor_sim.burst import Rows
from sensor_sim.emitter import open_emitter
from sensor_sim.uplink import Backoff, StreamError, Uplink
from sensor_sim.wire import (
    SUBPROTOCOL,
    TYPE_OF,
    Abandon,
    Abandoned,
    Credit,
    Decision,
    Error,
    Hello,
    Position,
    Resume,
    Sync,
    Welcome,
    decode,
    encode,
)

AT_ONCE = Backoff(draw=lambda: 0.0)


def _welcome(position: Position | None = None) -> Welcome:
    return Welcome("30x32", 30, 32, 5, 6, {"name": "never"}, 0, "digest", {}, 1000, "token", position=position)


def _rows(frame_id: int, burst: int) -> Rows:
    return Rows(frame_id, burst, 1, 0, np.zeros((5, 32, 3), np.uint8))


def _told(data: bytes | str) -> tuple[object, ...]:
    message = decode(data)
    if isinstance(message, Rows):
        return "rows", message.frame_id, message.first_burst
    return TYPE_OF[type(message)], getattr(message, "frame_id", None)


@pytest.mark.parametrize("position", [None, Position(3, 6), Position(4, 1), Position(4, 6)])
def test_a_frame_given_up_is_given_up_again_before_a_later_one_begins(position: Position | None) -> None:
    """The connection is lost before the answer: nothing of the frame goes out again but the message itself."""
    heard: list[list[tuple[object, ...]]] = []

    async def converse(connection: ServerConnection) -> None:
        heard.append([])
        async for data in connection:
            heard[-1].append(_told(data))
            message = decode(data)
            if isinstance(message, Hello | Resume):
                await connection.send(encode(_welcome(position if isinstance(message, Resume) else None)))
            elif isinstance(message, Rows) and message.frame_id == 5 and len(heard) == 1:
                connection.transport.abort()
            elif isinstance(message, Abandon) and len(heard) == 2:
                await connection.send(encode(Abandoned(4, 1001, "later")))
            elif isinstance(message, Sync):
                await connection.send(encode(message))

    async def main() -> None:
        async with serve(converse, "127.0.0.1", 0, subprotocols=[Subprotocol(SUBPROTOCOL)]) as server:
            uplink = Uplink(f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}", Hello("30x32"), AT_ONCE)
            await uplink.open()
            answers = aiter(uplink)
            for message in (_rows(4, 0), _rows(4, 1), Abandon(4), _rows(5, 0), Sync(7)):
                await uplink.send(message)
            assert await anext(answers) == Sync(7)
            assert uplink.resumed == 1
            assert uplink.lost == {1006: 1}
            await uplink.send(_rows(5, 1))
            await uplink.close()

    asyncio.run(asyncio.wait_for(main(), 30))
    assert heard[0][:4] == [("hello", None), ("rows", 4, 0), ("rows", 4, 1), ("abandon", 4)]
    assert heard[1] == [("resume", None), ("abandon", 4), ("rows", 5, 0), ("sync", None), ("rows", 5, 1)]


def test_a_decision_that_crosses_the_giving_up_is_no_news() -> None:
    async def converse(connection: ServerConnection) -> None:
        async for data in connection:
            message = decode(data)
            if isinstance(message, Hello):
                await connection.send(encode(_welcome()))
            elif isinstance(message, Abandon):
                await connection.send(encode(Decision(0, 1, 0.9, True, True, 2, 0, 4)))
                await connection.send(encode(Abandoned(0, 1001, "later")))
                await connection.send(encode(Credit(1002)))
            elif isinstance(message, Sync):
                await connection.send(encode(message))

    async def main() -> None:
        async with serve(converse, "127.0.0.1", 0, subprotocols=[Subprotocol(SUBPROTOCOL)]) as server:
            uplink = Uplink(f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}", Hello("30x32"))
            await uplink.open()
            for message in (_rows(0, 0), Abandon(0), Sync(7)):
                await uplink.send(message)
            assert await anext(aiter(uplink)) == Sync(7)
            await uplink.close()

    asyncio.run(asyncio.wait_for(main(), 30))


def test_a_message_of_a_later_release_ends_the_stream_by_its_name() -> None:
    async def converse(connection: ServerConnection) -> None:
        await connection.recv()
        await connection.send(encode(_welcome()))
        await connection.recv()
        await connection.send('{"type":"weather","rain":true}')
        await connection.wait_closed()

    async def main() -> None:
        async with serve(converse, "127.0.0.1", 0, subprotocols=[Subprotocol(SUBPROTOCOL)]) as server:
            url = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
            async with open_emitter(url, Hello("30x32")) as emitter:
                await emitter.emit(np.zeros((30, 32, 3), np.uint8))

    with pytest.raises(StreamError, match='no message of the type "weather"'):
        asyncio.run(asyncio.wait_for(main(), 30))


@pytest.mark.parametrize("known", [True, False], ids=["token taken", "token refused"])
def test_the_rest_for_an_audit_goes_on_after_a_drop_where_the_service_still_knows_the_frame(known: bool) -> None:
    heard: list[list[tuple[object, ...]]] = []

    async def converse(connection: ServerConnection) -> None:
        heard.append([])
        async for data in connection:
            heard[-1].append(_told(data))
            message = decode(data)
            if isinstance(message, Resume) and not known:
                await connection.send(encode(Error("expired_token", "too late")))
            elif isinstance(message, Hello | Resume):
                await connection.send(encode(_welcome(Position(4, 6, 2) if isinstance(message, Resume) else None)))
            elif isinstance(message, Rows) and heard[-1] == [("hello", None), ("rows", 4, 0), ("rows", 4, 1)]:
                await connection.send(encode(Decision(4, 1, 0.9, True, True, 2, 0, 4, 1000, "decided", audit=True)))
            elif isinstance(message, Rows) and (message.frame_id, message.first_burst) == (4, 3) and len(heard) == 1:
                connection.transport.abort()
            elif isinstance(message, Sync):
                await connection.send(encode(message))

    async def main() -> None:
        async with serve(converse, "127.0.0.1", 0, subprotocols=[Subprotocol(SUBPROTOCOL)]) as server:
            uplink = Uplink(f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}", Hello("30x32"), AT_ONCE)
            await uplink.open()
            answers = aiter(uplink)
            await uplink.send(_rows(4, 0))
            await uplink.send(_rows(4, 1))
            decision = await anext(answers)
            assert isinstance(decision, Decision)
            assert decision.audit
            for message in (_rows(4, 2), _rows(4, 3), Sync(7)):
                await uplink.send(message)
            assert await anext(answers) == Sync(7)
            for message in (_rows(4, 4), _rows(4, 5), _rows(5, 0), Sync(8)):
                await uplink.send(message)
            assert await anext(answers) == Sync(8)
            await uplink.close()

    asyncio.run(asyncio.wait_for(main(), 30))
    begun = [("rows", 5, 0), ("sync", None)]
    if known:
        rest = [("rows", 4, burst) for burst in (2, 3)]
        assert heard[1] == [("resume", None), *rest, ("sync", None), ("rows", 4, 4), ("rows", 4, 5), *begun]
    else:
        assert heard[2] == [("hello", None), ("sync", None), *begun], (
            "a service that knows nothing of a frame gets none"
        )
