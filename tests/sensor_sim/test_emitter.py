import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import numpy as np
import pytest
from websockets.asyncio.server import ServerConnection

from sensor_sim.clock import RealClock, VirtualClock
from sensor_sim.emitter import open_emitter
from sensor_sim.ledger import FrameReport
from sensor_sim.readout import ReadoutTiming
from sensor_sim.uplink import StreamError
from sensor_sim.wire import (
    Decision,
    End,
    Error,
    Hello,
    Rows,
    Skip,
    Summary,
    Sync,
    Welcome,
    decode,
    encode,
)
from tests.scripted_service import scripted_service

WELCOME = Welcome("30x32", 30, 32, 5, 6, {"name": "never"}, 0, "digest", {"message_bytes": 1}, 1000, "token")
FRAME = np.zeros((30, 32, 3), np.uint8)


def _decision(frame_id: int, processed: int, skipped: int) -> Decision:
    unread = 6 - processed - skipped
    return Decision(frame_id, 6 - unread - 1, 0.9, True, unread > 0, processed, skipped, unread)


@asynccontextmanager
async def _service(answer: Callable[[Rows], list[Skip | Decision | Error]], heard: list[Rows]) -> AsyncIterator[str]:
    """A service that says what the test wants."""

    async def converse(connection: ServerConnection) -> None:
        async for data in connection:
            message = decode(data)
            if isinstance(message, Hello):
                await connection.send(encode(WELCOME))
            elif isinstance(message, Rows):
                heard.append(message)
                for reply in answer(message):
                    await connection.send(encode(reply))
                    if isinstance(reply, Error):
                        await connection.close(1008)
            elif isinstance(message, Sync):
                await connection.send(encode(message))
            elif isinstance(message, End):
                await connection.send(encode(Summary(1, 1, 0, 6, 0, 0)))
                await connection.close()

    async with scripted_service(converse) as url:
        yield url


def _emit(
    answer: Callable[[Rows], list[Skip | Decision | Error]], frames: int = 1
) -> tuple[list[FrameReport], list[Rows]]:
    heard: list[Rows] = []

    async def main() -> list[FrameReport]:
        async with (
            _service(answer, heard) as url,
            open_emitter(url, Hello("30x32"), timing=ReadoutTiming(100, 5000), clock=VirtualClock()) as emitter,
        ):
            reports = [await emitter.emit(FRAME) for _ in range(frames)]
            assert (await emitter.end()).frames == 1
            return reports

    return asyncio.run(main()), heard


def test_exit_stops_the_readout_and_the_next_frame_starts_at_its_boundary() -> None:
    reports, heard = _emit(lambda rows: [_decision(rows.frame_id, 2, 0)] if rows.first_burst == 1 else [], frames=2)
    assert [(rows.frame_id, rows.first_burst) for rows in heard] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert [rows.readout_us for rows in heard] == [500, 1000, 5500, 6000]
    for report in reports:
        assert (report.rows, report.rows_sent) == (30, 10)
        assert (report.bytes_sent, report.bytes_saved) == (2 * 480, 4 * 480)
        assert report.decision_us == 1000


def test_skipped_burst_is_not_sent() -> None:
    def answer(rows: Rows) -> list[Skip | Decision | Error]:
        if rows.first_burst in (0, 2):
            return [Skip(0, rows.first_burst + 1)]
        return [_decision(0, 4, 2)] if rows.first_burst == 5 else []

    (report,), heard = _emit(answer)
    assert [rows.first_burst for rows in heard] == [0, 2, 4, 5]
    assert report.rows_sent == 20


def test_last_burst_skipped() -> None:
    (report,), heard = _emit(lambda rows: [Skip(0, 5), _decision(0, 5, 1)] if rows.first_burst == 4 else [])
    assert [rows.first_burst for rows in heard] == [0, 1, 2, 3, 4]
    assert report.decision.skipped == 1


def test_refusal_is_told_with_its_code() -> None:
    with pytest.raises(StreamError, match="no reason") as caught:
        _emit(lambda rows: [Error("out_of_order", "no reason")] if rows.first_burst == 2 else [])
    assert caught.value.code == "out_of_order"


def test_no_service() -> None:
    async def main() -> None:
        async with open_emitter("ws://127.0.0.1:1", Hello("30x32")):
            pass

    with pytest.raises(StreamError, match="start one with `rascanet serve`, or give the address of another") as caught:
        asyncio.run(main())
    assert caught.value.code == "no_connection"


def test_service_that_drops_the_connection() -> None:
    async def main() -> None:
        async def drop(connection: ServerConnection) -> None:
            await connection.recv()
            await connection.send(encode(WELCOME))
            await connection.recv()
            connection.transport.abort()

        async with (
            scripted_service(drop) as url,
            open_emitter(url, Hello("30x32"), clock=VirtualClock()) as emitter,
        ):
            await emitter.emit(FRAME)

    with pytest.raises(StreamError) as caught:
        asyncio.run(main())
    assert caught.value.code == "connection_lost"


def test_observer_sees_bursts_and_messages() -> None:
    seen: list[str] = []

    async def main() -> None:
        async with (
            _service(lambda _: [_decision(0, 1, 0)], []) as url,
            open_emitter(
                url, Hello("30x32"), clock=VirtualClock(), observer=lambda event: seen.append(type(event).__name__)
            ) as emitter,
        ):
            await emitter.emit(FRAME)

    asyncio.run(main())
    assert seen == [Rows.__name__, Decision.__name__]


def test_real_clock_does_not_return_early() -> None:
    async def main() -> tuple[float, float]:
        clock = RealClock()
        target = clock.now_us() + 2000
        await clock.sleep_until(target)
        return clock.now_us(), target

    now, target = asyncio.run(main())
    assert now >= target - 1
