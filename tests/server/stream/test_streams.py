import asyncio
import logging

import pytest

from server.errors import ServiceError
from server.stream.conversation import Ending
from server.stream.streams import stream_name
from tests.conftest import served
from tests.server.stream.ways import VirtualLoop, new_streams

NETWORKS = served()


class Shell:
    """Notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, float]] = []

    def leave(self, reason: str, seconds: float) -> None:
        self.asked.append((reason, seconds))


def test_a_stream_is_counted_in_and_out_once(caplog: pytest.LogCaptureFixture) -> None:
    loop = VirtualLoop()
    streams = new_streams(NETWORKS, loop, max_streams_per_address=1)
    conversation = streams.begin("first", "192.0.2.1", Shell())
    assert len(streams) == 1
    with pytest.raises(ServiceError) as caught:
        streams.begin("second", "192.0.2.1", Shell())
    assert caught.value.code == "address_full"
    loop.now += 2.5
    conversation.end(Ending("idle", 1008))
    with caplog.at_level(logging.INFO):
        streams.finish(conversation)
        streams.finish(conversation)
    assert not len(streams)
    (record,) = caplog.records
    assert record.getMessage() == "stream ended"
    expected = {"stream": "first", "reason": "idle", "frame": -1, "frames": 0, "bursts": 0, "seconds": 2.5}
    assert record.__dict__["facts"] == expected
    assert b'rascanet_streams_ended_total{reason="idle"} 1.0' in streams.metrics.text()
    streams.begin("third", "192.0.2.1", Shell())


def test_all_are_asked_to_leave_and_nobody_is_admitted() -> None:
    streams = new_streams(NETWORKS, drain_s=3.0)
    shells = [Shell(), Shell()]
    for number, shell in enumerate(shells):
        streams.begin(str(number), "192.0.2.1", shell)
    streams.drain()
    assert [shell.asked for shell in shells] == [[("drain", 3.0)]] * 2
    with pytest.raises(ServiceError) as caught:
        streams.begin("late", "192.0.2.1", Shell())
    assert caught.value.code == "draining"


def test_open_streams_show_in_the_gauges() -> None:
    streams = new_streams(NETWORKS, credit_bursts=7)

    async def published() -> bytes:
        streams.publish()
        return streams.metrics.text()

    streams.begin("one", "", Shell())
    text = asyncio.run(published())
    assert b'rascanet_streams{phase="opening"} 1.0' in text
    assert b"rascanet_credits 7.0" in text


def test_streams_that_came_together_do_not_leave_together() -> None:
    streams = new_streams(NETWORKS, VirtualLoop(), stream_s=100.0, handshake_s=1000.0)
    for number, (drawn, life_s) in enumerate([(0.0, 100.0), (0.5, 95.0), (1.0, 90.0)]):
        streams.draw = lambda drawn=drawn: drawn  # type: ignore[misc]  # binds the loop's value
        assert streams.begin(str(number), "192.0.2.1", Shell()).wait_s == pytest.approx(life_s)


def test_no_two_streams_have_a_name() -> None:
    assert len({stream_name() for _ in range(1000)}) == 1000
