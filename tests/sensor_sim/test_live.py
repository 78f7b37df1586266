import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sensor_sim.live import LiveChange, LiveError, LivePicture, LiveRate, LiveReader, LiveSource, LiveState
from sensor_sim.uplink import Backoff

AT_ONCE = Backoff(attempts=0, first_s=0.0)
WAIT_S = 20.0
"""Longest wait for what comes at once."""


def _picture(level: int, taken_s: float = 0.0) -> LivePicture:
    return LivePicture(taken_s, lambda: np.full((2, 3, 3), level, np.uint8))


class _Script:
    """Connections one after the other; of each, pictures, and an error or None for an end.

    A connection waits for `go` before each picture but the first of all.
    """

    def __init__(self, *connections: Sequence[int | Exception]) -> None:
        self.connections = list(connections)
        self.go = threading.Semaphore(0)
        self.opened = 0

    def __call__(self, stop: threading.Event) -> Iterator[LivePicture]:
        if not self.connections:
            stop.wait()
            return
        self.opened += 1
        for number, each in enumerate(self.connections.pop(0)):
            if self.opened > 1 or number:
                self.go.acquire()
            if isinstance(each, Exception):
                raise each
            yield _picture(each, 100.0 + each)


def _level(news: object) -> int:
    assert isinstance(news, LivePicture)
    return int(news.pixels[0, 0, 0])


def _levels(reader: LiveReader) -> Iterator[int]:
    """The levels of the pictures until the end."""
    with suppress(EOFError):
        while True:
            yield _level(reader.next(WAIT_S))


def _next(reader: LiveReader) -> LivePicture | LiveChange | None:
    return reader.next(WAIT_S)


def test_the_newest_picture_wins_and_is_taken_once() -> None:
    script = _Script([1, 2, 3, 4])
    with LiveSource("test", script, None) as source:
        reader, other = source.reader(), source.reader()
        assert _level(_next(reader)) == 1
        assert reader.next(0) is None
        for _ in range(3):
            script.go.release()
        seen = list(_levels(reader))
        assert seen == sorted(seen)
        assert seen[-1] == 4
        assert _level(_next(other)) == 4
        with pytest.raises(EOFError):
            other.next(WAIT_S)


def test_in_order_every_reader_takes_every_picture() -> None:
    script = _Script([1, 2, 3, 4])
    for _ in range(3):
        script.go.release()
    with LiveSource("test", script, None, every=True) as source:
        readers = [source.reader(), source.reader()]
        for level in (1, 2, 3, 4):
            assert [_level(_next(reader)) for reader in readers] == [level, level]
        for reader in readers:
            with pytest.raises(EOFError):
                reader.next(WAIT_S)


def test_pixels_are_made_once_for_all() -> None:
    made = []

    def make() -> np.ndarray:
        made.append(1)
        return np.zeros((2, 2, 3), np.uint8)

    picture = LivePicture(0.0, make)
    assert picture.pixels is picture.pixels
    assert made == [1]


def test_a_lost_source_is_connected_to_again_and_both_are_told() -> None:
    script = _Script([1, LiveError("the line broke")], [LiveError("nobody there")], [2], [3])
    with LiveSource("test", script, AT_ONCE, now_s=lambda: 50.0) as source:
        reader, late = source.reader(), source.reader()
        assert _level(_next(reader)) == 1
        for _ in range(3):
            script.go.release()
        assert _next(reader) == LiveChange("test", LiveState.LOST, 50.0, "the line broke")
        assert _next(reader) == LiveChange("test", LiveState.BACK, 102.0)
        script.go.release()
        while not isinstance(news := _next(reader), LiveChange):
            assert _level(news) == 2
        assert news.reason == "it ended"
        assert source.losses == 2
        told = [_next(late) for _ in range(3)]
        assert [news.state for news in told if isinstance(news, LiveChange)] == ["lost", "back", "lost"]


def test_the_wait_between_connections_grows_to_its_bound() -> None:
    waits: list[float] = []

    class Waits(Backoff):
        def delay_s(self, attempt: int) -> float:
            waits.append(super().delay_s(attempt))
            return 0.0

    script = _Script([1], *([LiveError("down")] for _ in range(9)), [2])
    for _ in range(10):
        script.go.release()
    with LiveSource("test", script, Waits(0, 1.0, 30.0, draw=lambda: 1.0)) as source:
        reader = source.reader()
        while not (isinstance(news := _next(reader), LivePicture) and _level(news) == 2):
            pass
    assert waits[:10] == [1, 2, 4, 8, 16, 30, 30, 30, 30, 30]


@pytest.mark.parametrize("retry", [None, AT_ONCE])
def test_a_source_without_a_first_picture_fails_at_once(retry: Backoff | None) -> None:
    with pytest.raises(LiveError, match=r"^camera: nobody there$"), LiveSource("camera", lambda _: _fail(), retry):
        pass
    with pytest.raises(LiveError, match="before a picture came"), LiveSource("camera", lambda _: iter(()), retry):
        pass


def _fail() -> Iterator[LivePicture]:
    raise LiveError("nobody there")
    yield


def test_a_source_that_breaks_off_for_good_says_so_after_its_last_picture() -> None:
    script = _Script([1, LiveError("it ended in the middle")])
    script.go.release()
    with LiveSource("camera", script, None) as source:
        reader = source.reader()
        assert _level(_next(reader)) == 1
        with pytest.raises(LiveError, match="camera: it ended in the middle"):
            _next(reader)


def test_an_error_of_a_library_reaches_the_reader() -> None:
    script = _Script([1, RuntimeError("a fault")])
    script.go.release()
    with LiveSource("camera", script, AT_ONCE) as source:
        reader = source.reader()
        _next(reader)
        with pytest.raises(RuntimeError, match="a fault"):
            _next(reader)


def test_a_long_life_of_losses_keeps_a_bounded_number_of_changes() -> None:
    connections: list[list[int | Exception]] = [[number, LiveError("gone")] for number in range(200)]
    script = _Script(*connections)
    for _ in range(400):
        script.go.release()
    with LiveSource("camera", script, AT_ONCE) as source:
        reader = source.reader()
        changes = 0
        while isinstance(_next(reader), LiveChange) or source.losses < 200:
            changes += 1
        assert source.losses == 200


@given(
    steps=st.lists(st.floats(0.001, 0.3), min_size=1, max_size=60),
    period_s=st.floats(0, 0.5),
    jump=st.none() | st.tuples(st.integers(0, 59), st.floats(-1e6, 1e6)),
)
@example(steps=[0.25] * 4 + [0.125] + [0.0625] * 6, period_s=0.4375, jump=(1, 0.5))
def test_pictures_are_taken_at_most_so_often_and_go_on_whatever_the_clock_does(
    steps: list[float], period_s: float, jump: tuple[int, float] | None
) -> None:
    rate, clock_s, true_s, taken = LiveRate(period_s), 1e9, 0.0, []
    for number, step_s in enumerate(steps):
        true_s += step_s
        clock_s += step_s + (jump[1] if jump and jump[0] == number else 0.0)
        if rate.takes(clock_s):
            taken.append(true_s)
        assert true_s - (taken[-1] if taken else 0.0) <= 2 * period_s + 1e-6
    assert taken
    most = 1 + (true_s - steps[0]) / period_s if period_s else len(steps)
    # A small jump forward passes for a late picture, after which the next ones are due earlier.
    small = jump is not None and 0 < jump[1] <= 2 * period_s
    assert len(taken) <= most + (2 if small else 1 if jump else 0) + 1e-3
