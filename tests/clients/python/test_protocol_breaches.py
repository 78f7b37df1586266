"""What a client makes of its own observer's errors, and of services that don't keep to the protocol."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import numpy as np
import pytest
from websockets.asyncio.server import ServerConnection

from clients.python.client import Client
from clients.python.errors import StreamError
from sensor_sim.clock import VirtualClock
from sensor_sim.uplink import ANSWER_TIMEOUT_S
from sensor_sim.wire import Decision, Progress
from tests.networks import SMALL
from tests.scripted_service import scripted_service

FRAME = np.zeros((SMALL.height, SMALL.width, 3), np.uint8)
WELCOME: dict[str, Any] = {
    "type": "welcome", "variant": SMALL.name, "height": 30, "width": 32, "burst_rows": 5, "bursts_per_frame": 6,
    "policy": {"name": "never"}, "progress_every": 0, "weights": "ab", "limits": {}, "credits": 1000, "token": "t",
}  # fmt: skip
DECISION: dict[str, Any] = {
    "type": "decision", "frame_id": 0, "burst_index": 5, "p_person": 0.5, "person": True, "exited": False,
    "processed": 6, "skipped": 0, "unread": 0,
}  # fmt: skip


@contextmanager
def _service(*said: str) -> Iterator[str]:
    """A service that answers `hello` with the first text, and the first rows with the others."""
    ready, addresses, ended = threading.Event(), list[str](), list[Callable[[], object]]()

    async def talk(connection: ServerConnection) -> None:
        await connection.recv()
        await connection.send(said[0])
        await connection.recv()
        for text in said[1:]:
            await connection.send(text)
        async for _ in connection:
            pass

    async def main() -> None:
        over = asyncio.Event()
        async with scripted_service(talk) as url:
            addresses.append(url)
            loop = asyncio.get_running_loop()
            ended.append(lambda: loop.call_soon_threadsafe(over.set))
            ready.set()
            await over.wait()

    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    assert ready.wait(10)
    try:
        yield addresses[0]
    finally:
        ended[0]()
        thread.join(10)


def _text(message: dict[str, Any], **changes: Any) -> str:
    return msgspec.json.encode(message | changes).decode()


def _emit(url: str, **options: Any) -> Any:
    with Client(url, SMALL.name, clock=options.pop("clock", None), backoff=None, **options) as client:
        return client.emit(FRAME)


@pytest.mark.parametrize("clock", [None, VirtualClock])
@pytest.mark.parametrize("at", [Progress, Decision])
def test_what_an_observer_raises_is_raised_at_once_as_it_is(
    service_url: str, clock: type[VirtualClock] | None, at: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sensor_sim.emitter.ANSWER_TIMEOUT_S", 10 * ANSWER_TIMEOUT_S)  # waiting for it would hang

    class OfMyOwnError(Exception):
        """Nobody but the observer knows it."""

    def observe(event: object) -> None:
        if isinstance(event, at):
            raise OfMyOwnError

    with pytest.raises(OfMyOwnError):
        _emit(service_url, clock=clock and clock(), observer=observe, progress_every=1)


def test_an_observer_hears_of_no_token(service_url: str) -> None:
    heard: list[object] = []
    _emit(service_url, observer=heard.append)
    decisions = [event for event in heard if isinstance(event, Decision)]
    assert [(each.token, each.credits) for each in decisions] == [("", 0)]


def test_fields_of_a_later_service_are_survived() -> None:
    with _service(_text(WELCOME, later=[1]), _text(DECISION, later={"x": None})) as url:
        assert _emit(url).decision.p_person == 0.5


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ((_text(WELCOME, height=0),), "0 rows"),
        ((_text(WELCOME, height=5 * 10**8, bursts_per_frame=10**8),), "500000000x32"),
        ((_text(WELCOME, height="30"),), "height"),
        ((_text(WELCOME, bursts_per_frame=7),), "7 bursts"),
        ((_text(WELCOME, variant="5x16"),), "5x16"),
        ((_text(WELCOME, pixel_format="mono8"),), "mono8"),
        ((_text(DECISION),), "instead of welcome"),
        (("[" * 5000,), "JSON"),
        (("nonsense",), "JSON"),
        ((_text(WELCOME), _text({"type": "telepathy"})), "telepathy"),
        ((_text(WELCOME), _text(WELCOME)), "welcome"),
        ((_text(WELCOME), _text(DECISION, burst_index=6)), "the burst 6"),
        ((_text(WELCOME), _text(DECISION, processed=5)), "5 bursts processed"),
        ((_text(WELCOME), _text(DECISION, p_person=2)), "p_person"),
        ((_text(WELCOME), _text({"type": "skip", "frame_id": 0, "burst_index": 77})), "the burst 77"),
        ((_text(WELCOME), _text({"type": "decision"})), "frame_id"),
        ((_text(WELCOME), "{" + '"a":{' * 3000), "JSON"),
    ],
)
def test_a_service_that_lies_is_a_typed_error(
    said: tuple[str, ...], complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sensor_sim.emitter.ANSWER_TIMEOUT_S", 10 * ANSWER_TIMEOUT_S)
    with _service(*said) as url, pytest.raises(StreamError, match=complaint) as lie:
        _emit(url)
    assert lie.value.code == "bad_answer"


def test_what_is_said_twice_harms_nobody() -> None:
    with _service(_text(WELCOME), _text(DECISION), _text(DECISION), _text({"type": "shed", "frame_id": 0})) as url:
        assert _emit(url).decision.person
