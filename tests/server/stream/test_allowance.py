from hypothesis import given
from hypothesis import strategies as st

from server.stream.allowance import PARTS_AT_ONCE, PARTS_PER_S, Allowance


@given(st.lists(st.floats(0, 2), max_size=200))
def test_who_waits_as_told_never_sends_more_than_is_allowed(pauses: list[float]) -> None:
    now, sent, allowance = 0.0, 0, Allowance(0.0)
    for pause in pauses:
        now += pause
        for _ in range(500):
            now += allowance.spend(now)
            sent += 1
        assert sent <= PARTS_AT_ONCE + PARTS_PER_S * now + 1


@given(st.floats(0, 1e6))
def test_who_sends_no_more_than_is_allowed_never_waits(began: float) -> None:
    allowance = Allowance(began)
    assert not any(allowance.spend(began) for _ in range(PARTS_AT_ONCE))
    assert not any(allowance.spend(began + 1.1 * (number + 1) / PARTS_PER_S) for number in range(1000))
