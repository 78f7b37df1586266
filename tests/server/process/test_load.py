import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.process.load import TICK_S, LoopLoad

TICKS = st.lists(st.tuples(st.floats(1e-3, 100.0), st.floats(0.0, 200.0)), max_size=40)


@settings(max_examples=50)
@given(TICKS)
def test_the_load_stays_in_its_range(ticks: list[tuple[float, float]]) -> None:
    load = LoopLoad(shed_s=1.0, busy_limit=0.6)
    for wall_s, cpu_s in ticks:
        load.tick(wall_s, cpu_s)
        assert load.delay_s == max(0.0, wall_s - TICK_S)
        assert 0.0 <= load.busy_share <= 1.0
        assert load.behind == (load.delay_s > 1.0)
        assert load.busy == (load.busy_share > 0.6)


def test_one_late_tick_sheds_and_the_next_in_time_ends_it() -> None:
    load = LoopLoad(shed_s=1.0, busy_limit=0.6)
    load.tick(TICK_S + 1.5, 0.0)
    assert load.behind
    load.tick(TICK_S, 0.0)
    assert not load.behind


def test_a_share_of_work_is_reached_after_some_seconds_and_not_at_once() -> None:
    load = LoopLoad(shed_s=1.0, busy_limit=0.6)
    load.tick(TICK_S, TICK_S)
    assert not load.busy
    for _ in range(100):
        load.tick(TICK_S, 0.8 * TICK_S)
    assert load.busy
    assert load.busy_share == pytest.approx(0.8, abs=1e-4)
