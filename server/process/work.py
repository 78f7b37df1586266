"""Room for requests, and the threads that do their work."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from time import monotonic
from typing import ParamSpec, TypeVar

from server.errors import ServiceError

P = ParamSpec("P")
T = TypeVar("T")


def usable_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Work:
    """Counts the requests under way and runs their work in as many threads as there are cores.

    The threads are its own: a request that is given up leaves behind what they are at, and no thread beside them.

    Args:
        max_requests: more at a time are refused.
        request_s: a request's body comes, and its work begins, within this time.
    """

    def __init__(self, max_requests: int, request_s: float) -> None:
        self.requests = 0
        self.threads = usable_cores()
        self._max_requests, self._request_s = max_requests, request_s
        self._pool = ThreadPoolExecutor(self.threads, thread_name_prefix="work")

    @contextmanager
    def request(self) -> Iterator[None]:
        """Room for one request.

        Raises:
            ServiceError: `too_many_requests`.
        """
        if self.requests >= self._max_requests:
            raise ServiceError("too_many_requests", f"{self._max_requests} requests are under way; try again later")
        self.requests += 1
        try:
            yield
        finally:
            self.requests -= 1

    def deadline(self) -> float:
        """When the work of a request that comes now has to begin, on the monotonic clock."""
        return monotonic() + self._request_s

    async def in_time(self, deadline: float, arriving: Awaitable[T]) -> T:
        """Waits for a request's body.

        Raises:
            ServiceError: `request_timeout`.
        """
        try:
            async with asyncio.timeout(deadline - monotonic()):
                return await arriving
        except TimeoutError:
            raise ServiceError("request_timeout", f"the request did not arrive within {self._request_s:g} s") from None

    async def run(self, deadline: float, function: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
        """Calls the function in a thread, once one is free.

        Raises:
            ServiceError: `out_of_time`: none was by the deadline.
        """

        def begin() -> T:
            if monotonic() >= deadline:
                raise ServiceError(
                    "out_of_time", f"no core was free within the {self._request_s:g} s of a request; try again later"
                )
            return function(*arguments, **options)

        return await asyncio.get_running_loop().run_in_executor(self._pool, begin)

    def close(self) -> None:
        """Begins nothing more; what has begun ends by itself."""
        self._pool.shutdown(wait=False, cancel_futures=True)
