from hypothesis import given
from hypothesis import strategies as st

from server.process.workers import HANGS_S, LONGEST_S, POLL_S, STEADY_S, Heart, Restarts


@given(st.lists(st.floats(0, 2 * STEADY_S), min_size=1, max_size=50))
def test_restarts_of_a_worker_that_keeps_dying_get_rarer_but_never_end(lives_s: list[float]) -> None:
    restarts, before = Restarts(), 0.0
    for lived_s in lives_s:
        pause_s = restarts.pause_s(lived_s)
        if lived_s >= STEADY_S:
            assert pause_s == 0
        else:
            assert before <= pause_s <= LONGEST_S
        before = pause_s


def test_a_storm_of_deaths_is_a_handful_of_starts_a_minute() -> None:
    restarts, now, starts = Restarts(), 0.0, 0
    while now < 60:
        now += 0.1 + restarts.pause_s(0.1)
        starts += 1
    assert starts <= 8


def test_a_heart_that_beats_is_never_silent() -> None:
    beats = iter(range(1000))
    heart = Heart(lambda: next(beats))
    assert all(heart.silent_s(POLL_S) == 0 for _ in range(1000))


def test_a_heart_that_stands_still_is_silent_for_as_long_as_its_parent_looks() -> None:
    heart = Heart(lambda: 7)
    heart.silent_s(POLL_S)
    looks = 0
    while heart.silent_s(POLL_S) <= HANGS_S:
        looks += 1
    assert looks * POLL_S == HANGS_S


def test_a_machine_that_was_suspended_finds_no_worker_guilty() -> None:
    heart = Heart(lambda: 7)
    heart.silent_s(POLL_S)
    assert heart.silent_s(100 * HANGS_S) <= 2 * POLL_S
