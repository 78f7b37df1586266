from hypothesis import given
from hypothesis import strategies as st

from server.process.clock import STALL_S, ServiceClock


class Machine:
    """A machine's time that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_clock_that_never_beats_is_the_machines() -> None:
    machine = Machine()
    clock = ServiceClock(machine)
    began = clock()
    machine.now += 1000 * STALL_S
    assert clock() - began == 1000 * STALL_S


@given(st.lists(st.tuples(st.floats(0, 30), st.booleans()), max_size=30))
def test_no_standstill_is_charged_and_nothing_else_is_left_out(waits: list[tuple[float, bool]]) -> None:
    """Whoever looks first, the heart or a reader; and time never runs backwards."""
    machine = Machine()
    clock = ServiceClock(machine)
    clock.beat()
    began, awake_s = clock(), 0.0
    for seconds, beats in waits:
        machine.now += seconds
        awake_s += seconds if seconds <= STALL_S else 0.0
        if beats:
            clock.beat()
        assert abs(clock() - began - awake_s) < 1e-6
