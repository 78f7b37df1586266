from hypothesis import given
from hypothesis import strategies as st

from server.stream.keepalive import GRACE_S, Keepalive

PERIOD_S = 20.0


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def _pinged() -> tuple[Keepalive, Clock, bytes]:
    clock = Clock()
    keepalive = Keepalive(PERIOD_S, clock)
    clock.now = keepalive.deadline
    ping = keepalive.tick(heard=True)
    assert ping is not None
    return keepalive, clock, ping


@given(delays=st.lists(st.floats(0, PERIOD_S), max_size=20))
def test_who_answers_in_time_is_never_lost_and_pinged_every_period(delays: list[float]) -> None:
    clock = Clock()
    keepalive = Keepalive(PERIOD_S, clock)
    contents = []
    for number, delay in enumerate(delays):
        clock.now = keepalive.deadline
        assert clock.now == (number + 1) * PERIOD_S
        ping = keepalive.tick(heard=True)
        assert ping is not None
        contents.append(ping)
        clock.now += delay
        keepalive.pong(ping)
    assert not keepalive.lost
    assert len(set(contents)) == len(delays)


def test_who_does_not_answer_is_lost_after_a_period_and_a_little() -> None:
    keepalive, clock, _ = _pinged()
    clock.now = keepalive.deadline
    assert keepalive.tick(heard=True) is None
    assert not keepalive.lost
    clock.now = keepalive.deadline
    assert keepalive.tick(heard=True) is None
    assert keepalive.lost
    assert clock.now == 2 * PERIOD_S + GRACE_S


@given(st.integers(1, 50))
def test_nobody_is_given_up_whose_answer_may_lie_unread(times: int) -> None:
    keepalive, clock, ping = _pinged()
    for _ in range(times):
        clock.now = keepalive.deadline
        assert keepalive.tick(heard=False) is None
    assert not keepalive.lost
    keepalive.pong(ping)
    clock.now = keepalive.deadline = max(clock.now, keepalive.deadline)
    assert keepalive.tick(heard=True) is not None


def test_an_answer_to_another_ping_is_none() -> None:
    keepalive, clock, ping = _pinged()
    keepalive.pong(b"")
    keepalive.pong(ping + b"x")
    for _ in range(2):
        clock.now = keepalive.deadline
        keepalive.tick(heard=True)
    assert keepalive.lost


def test_nothing_is_due_before_the_deadline() -> None:
    keepalive, clock, _ = _pinged()
    clock.now = keepalive.deadline - 0.001
    assert keepalive.tick(heard=True) is None
    assert keepalive.deadline == 2 * PERIOD_S
