"""Room for requests, and the threads that do their work."""

import asyncio
import os
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from time import monotonic
from typing import Final, ParamSpec, TypeVar

from server.errors import ServiceError

SHARE: Final = 3
"""Requests that a client may have under way for each that there is room for."""

P = ParamSpec("P")
T = TypeVar("T")


def usable_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Work:
    """Counts the requests under way and runs their work in as many threads as there are cores.

    The threads are its own: a request that is given up leaves behind what they are at, and no thread beside them.

    A client may have `SHARE` times as many requests under way as there is room left: one client alone gets three
    quarters of the room, and there is always some for the next (dynamic thresholds, Choudhury and Hahne 1998).

    Args:
        max_requests: more at a time are refused.
        request_s: a request's body comes, and its work begins, within this time.
        clock: seconds that count against a client.
    """

    def __init__(self, max_requests: int, request_s: float, clock: Callable[[], float] = monotonic) -> None:
        self.requests = 0
        self.threads = usable_cores()
        self._of_client: Counter[str] = Counter()
        self._max_requests, self._request_s, self._clock = max_requests, request_s, clock
        self._pool = ThreadPoolExecutor(self.threads, thread_name_prefix="work")

    @contextmanager
    def request(self, client: str) -> Iterator[None]:
        """Room for one request.

        Args:
            client: whose it is (`server.process.addresses.client_of`).

        Raises:
            ServiceError: `too_many_requests`.
        """
        left = self._max_requests - self.requests
        if left <= 0:
            raise ServiceError("too_many_requests", f"{self._max_requests} requests are under way; try again later")
        if self._of_client[client] >= SHARE * left:
            raise ServiceError(
                "too_many_requests",
                f"{self._of_client[client]} requests of yours are under way; wait for their answers",
            )
        self.requests += 1
        self._of_client[client] += 1
        try:
            yield
        finally:
            self.requests -= 1
            self._of_client[client] -= 1
            if not self._of_client[client]:
                del self._of_client[client]

    def deadline(self) -> float:
        """When the work of a request that comes now has to begin, on the clock."""
        return self._clock() + self._request_s

    def left_s(self, deadline: float) -> float:
        """Seconds until then; none or less once it has passed."""
        return deadline - self._clock()

    async def in_time(self, deadline: float, arriving: Awaitable[T]) -> T:
        """Waits for a request's body.

        Raises:
            ServiceError: `request_timeout`.
        """
        task = asyncio.ensure_future(arriving)
        try:
            while not task.done() and (left_s := self.left_s(deadline)) > 0:
                await asyncio.wait({task}, timeout=left_s)  # the clock may have stood still meanwhile
            if task.done():
                return task.result()
            raise ServiceError("request_timeout", f"the request did not arrive within {self._request_s:g} s")
        finally:
            task.cancel()

    async def run(self, deadline: float, function: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
        """Calls the function in a thread, once one is free.

        Raises:
            ServiceError: `out_of_time`: none was by the deadline.
        """

        def begin() -> T:
            if self.left_s(deadline) <= 0:
                raise ServiceError(
                    "out_of_time", f"no core was free within the {self._request_s:g} s of a request; try again later"
                )
            return function(*arguments, **options)

        return await asyncio.get_running_loop().run_in_executor(self._pool, begin)

    def close(self) -> None:
        """Begins nothing more; what has begun ends by itself."""
        self._pool.shutdown(wait=False, cancel_futures=True)
