import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from sensor_sim.clock import RealClock, VirtualClock


@settings(max_examples=50)
@given(st.lists(st.floats(-1e6, 1e9), max_size=10))
def test_virtual_time_is_the_latest_time_slept_until_and_never_goes_back(times_us: list[float]) -> None:
    async def sleep() -> None:
        clock = VirtualClock()
        for number in range(len(times_us)):
            await clock.sleep_until(times_us[number])
            assert clock.now_us() == max(0.0, *times_us[: number + 1])

    asyncio.run(sleep())


def test_a_sleep_in_virtual_time_lets_other_tasks_run() -> None:
    async def sleep() -> list[str]:
        order: list[str] = []
        other = asyncio.create_task(asyncio.sleep(0))
        other.add_done_callback(lambda _: order.append("other"))
        clock = VirtualClock()
        for _ in range(3):
            await clock.sleep_until(1.0)
        return order

    assert asyncio.run(sleep()) == ["other"]


def test_a_sleep_until_a_time_that_has_passed_ends_at_once() -> None:
    async def sleep() -> None:
        clock = RealClock()
        async with asyncio.timeout(10):
            await clock.sleep_until(clock.now_us() - 1e12)
            await VirtualClock().sleep_until(1e15)

    asyncio.run(sleep())


def test_clocks_say_whether_their_time_is_virtual() -> None:
    assert VirtualClock.virtual
    assert not RealClock.virtual
