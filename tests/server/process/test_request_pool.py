import asyncio
import threading
from collections import Counter
from collections.abc import Awaitable
from contextlib import ExitStack
from time import monotonic
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.errors import ServiceError
from server.process.cores import usable_cores
from server.process.request_pool import SHARE, RequestPool

HERE = "192.0.2.1"


def test_room_for_so_many_requests_and_no_more() -> None:
    pool = RequestPool(2, 1)
    with pool.request(HERE), pool.request(HERE), pytest.raises(ServiceError) as refused, pool.request(HERE):
        pass
    assert (refused.value.code, refused.value.http_status) == ("too_many_requests", 429)
    assert pool.requests == 0
    with pool.request(HERE):
        assert pool.requests == 1


@given(st.lists(st.sampled_from("abc"), max_size=200), st.integers(1, 64))
def test_nobody_takes_the_last_room_but_who_has_little(clients: list[str], most: int) -> None:
    pool, mine = RequestPool(most, 1), Counter[str]()
    with ExitStack() as held:
        for client in clients:
            left = most - pool.requests
            try:
                held.enter_context(pool.request(client))
            except ServiceError:
                assert not left or mine[client] >= SHARE * left
            else:
                assert mine[client] < SHARE * left
                mine[client] += 1
        assert pool.requests == mine.total() <= most
    assert pool.requests == 0


def test_one_client_alone_gets_three_quarters_of_the_room() -> None:
    pool = RequestPool(64, 1)
    with ExitStack() as held:
        for _ in range(48):
            held.enter_context(pool.request(HERE))
        with pytest.raises(ServiceError, match="of yours"), pool.request(HERE):
            pass
        held.enter_context(pool.request("elsewhere"))


def test_time_that_the_service_slept_is_not_the_clients() -> None:
    """A wait that the loop ends after a standstill goes on until the service's clock says so."""
    moments = iter([0.0, 59.999, 59.9995, 60.0])

    async def check() -> None:
        pool = RequestPool(1, 60, lambda: next(moments))
        with pytest.raises(ServiceError) as refused:
            await pool.in_time(pool.deadline(), asyncio.get_running_loop().create_future())
        assert refused.value.code == "request_timeout"

    asyncio.run(check())
    assert next(moments, None) is None


def test_what_does_not_arrive_or_begin_in_time_is_told_so() -> None:
    async def check() -> None:
        pool = RequestPool(1, 60)
        now = monotonic()
        assert pool.deadline() == pytest.approx(now + 60, abs=5)
        never: Awaitable[Any] = asyncio.get_running_loop().create_future()
        with pytest.raises(ServiceError) as refused:
            await pool.in_time(now - 1, never)
        assert (refused.value.code, refused.value.http_status) == ("request_timeout", 408)
        with pytest.raises(ServiceError) as late:
            await pool.run(now - 1, divmod_sum, 7, b=2)
        assert (late.value.code, late.value.http_status) == ("out_of_time", 503)

    asyncio.run(check())


def test_work_is_done_in_threads() -> None:
    async def check() -> list[int]:
        pool = RequestPool(1, 60)
        assert pool.threads == usable_cores() >= 1
        assert RequestPool(1, 60, threads=3).threads == 3
        return [await pool.run(pool.deadline(), divmod_sum, 7, b=number) for number in (2, 3)]

    assert asyncio.run(check()) == [4, 3]


def test_work_that_nobody_waits_for_any_more_keeps_its_thread() -> None:
    """So a client that asks and leaves, again and again, gets no more than the threads there are."""

    async def check() -> None:
        pool, begun, go_on = RequestPool(1, 60), threading.Semaphore(0), threading.Event()
        most, working = [0], [0]

        def busy() -> None:
            working[0] += 1
            most[0] = max(most[0], working[0])
            begun.release()
            go_on.wait(30)
            working[0] -= 1

        for _ in range(4):
            left = [asyncio.create_task(pool.run(pool.deadline(), busy)) for _ in range(pool.threads)]
            await asyncio.sleep(0)
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)
        for _ in range(pool.threads):
            assert await asyncio.to_thread(begun.acquire, timeout=30)
        late = asyncio.create_task(pool.run(pool.deadline(), divmod_sum, 7, b=2))
        assert not begun.acquire(blocking=False)
        go_on.set()
        assert await late == 4
        assert most[0] == pool.threads
        pool.close()
        with pytest.raises(RuntimeError):
            await pool.run(pool.deadline(), divmod_sum, 7, b=2)

    asyncio.run(check())


def divmod_sum(a: int, b: int) -> int:
    return sum(divmod(a, b))
