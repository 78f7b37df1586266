import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest

from server.errors import ServiceError
from server.work import Work, usable_cores


def test_room_for_so_many_requests_and_no_more() -> None:
    work = Work(2, 1)
    with work.request(), work.request(), pytest.raises(ServiceError) as refused, work.request():
        pass
    assert (refused.value.code, refused.value.http_status) == ("too_many_requests", 429)
    assert work.requests == 0
    with work.request():
        assert work.requests == 1


def test_what_does_not_arrive_or_begin_in_time_is_told_so() -> None:
    async def check() -> None:
        work = Work(1, 60)
        now = asyncio.get_running_loop().time()
        assert work.deadline() == pytest.approx(now + 60, abs=5)
        assert work.late(now + 60) is None
        late = work.late(now - 1)
        assert late is not None
        assert (late.code, late.http_status) == ("out_of_time", 503)
        never: Awaitable[Any] = asyncio.get_running_loop().create_future()
        with pytest.raises(ServiceError) as refused:
            await work.in_time(now - 1, never)
        assert (refused.value.code, refused.value.http_status) == ("request_timeout", 408)

    asyncio.run(check())


def test_work_is_done_in_threads() -> None:
    async def check() -> list[int]:
        work = Work(1, 60)
        assert work.threads == usable_cores() >= 1
        return [await work.run(divmod_sum, 7, b=number) for number in (2, 3)]

    assert asyncio.run(check()) == [4, 3]


def divmod_sum(a: int, b: int) -> int:
    return sum(divmod(a, b))
