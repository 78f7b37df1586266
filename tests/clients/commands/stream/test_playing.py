import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.commands.stream.playing import Playing
from sensor_sim.burst import Frame
from sensor_sim.scene import Times

PERIOD_US = 40_000.0


class Film:
    """A film that keeps the times it was asked for."""

    def __init__(self, damaged_packets: int = 0) -> None:
        self.damaged_packets = damaged_packets
        self.asked_us: list[float] = []

    def rows(self, first_row: int, times_us: Times) -> Frame:
        self.asked_us += times_us.tolist()
        return np.zeros((len(times_us), 1, 3), np.uint8)


def _played(starts_us: list[float], *, readout_us: float = 0.0, in_order: bool = False) -> list[str]:
    """Remarks on a film whose frames begin at these times."""
    playing = Playing(Film(), "hall: people.mp4", PERIOD_US, readout_us, in_order)
    read = playing.reader(lambda *_: iter(()))
    for number, start_us in enumerate(starts_us):
        list(read(number, start_us))
    return list(playing.remarks())


@given(st.integers(0, 10**9), st.lists(st.integers(1, 5), max_size=8))
def test_frames_passed_over_are_those_between(begun_us: int, steps: list[int]) -> None:
    """Frames begin whole periods apart; a line counts the periods between in which none began, if there are any."""
    periods = [0, *itertools.accumulate(steps)]
    remarks = _played([begun_us + PERIOD_US * period for period in periods])
    due, shown = periods[-1] + 1, len(periods)
    if due == shown:
        assert remarks == []
    else:
        (remark,) = remarks
        assert remark.startswith(f"hall: people.mp4: {due - shown} of {due} frames were passed over: ")


@given(st.lists(st.floats(0, 0.99), max_size=8))
def test_a_sensor_that_restarts_early_passes_nothing_over(shares: list[float]) -> None:
    assert _played([0.0, *(PERIOD_US * share for share in itertools.accumulate(shares))]) == []


@pytest.mark.parametrize(
    ("readout_us", "in_order", "help_"),
    [
        (2 * PERIOD_US, False, "lower --line-time-us or --frame-rate"),
        (2 * PERIOD_US, True, "lower --line-time-us or --frame-rate"),
        (0.0, True, "the link and the service, as the options have them"),
        (0.0, False, "--virtual-time shows every picture"),
    ],
)
def test_the_reason_is_told_with_what_helps(readout_us: float, in_order: bool, help_: str) -> None:
    (remark,) = _played([0.0, 3 * PERIOD_US], readout_us=readout_us, in_order=in_order)
    assert help_ in remark


def test_frames_missed_while_the_service_was_away_are_told_apart() -> None:
    """Of six frames due, two are missed in a loss of the service, and one later, by a late decision."""
    playing = Playing(Film(), "people.mp4", PERIOD_US, 0.0)
    read = playing.reader(lambda *_: iter(()))
    list(read(0, 0.0))
    playing.interrupted = True
    list(read(1, 3 * PERIOD_US))
    list(read(2, 5 * PERIOD_US))
    away, late = playing.remarks()
    assert away == "people.mp4: 2 of 6 frames were passed over while the service was away"
    assert late.startswith("people.mp4: 1 of 6 frames were passed over: decisions came more than a frame late")


def test_damaged_parts_are_counted() -> None:
    for damaged, said in ((1, "1 damaged part of"), (2, "2 damaged parts of")):
        (remark,) = Playing(Film(damaged), "people.mp4", PERIOD_US, 0.0).remarks()
        assert remark == f"people.mp4: {said} the film left out"


def test_the_film_begins_with_the_first_frame_half_a_picture_ahead() -> None:
    film = Film()
    playing = Playing(film, "people.mp4", PERIOD_US, 0.0)
    list(playing.reader(lambda *_: iter(()))(0, 7e6))
    playing.rows(0, np.array([7e6, 8e6]))
    assert film.asked_us == [PERIOD_US / 2, 1e6 + PERIOD_US / 2]
