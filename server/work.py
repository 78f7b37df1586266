"""Room for requests, and the threads that do their work."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import ParamSpec, TypeVar

from anyio import CapacityLimiter, to_thread

from server.errors import ServiceError

P = ParamSpec("P")
T = TypeVar("T")


def usable_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Work:
    """Counts the requests under way and runs their work in as many threads as there are cores.

    Args:
        max_requests: more at a time are refused.
        request_s: a request's body comes, and its work begins, within this time.
    """

    def __init__(self, max_requests: int, request_s: float) -> None:
        self.requests = 0
        self.threads = usable_cores()
        self._max_requests, self._request_s = max_requests, request_s
        self._limiter = CapacityLimiter(self.threads)

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
        """When a request that begins now has to be done, on the event loop's clock."""
        return asyncio.get_running_loop().time() + self._request_s

    async def in_time(self, deadline: float, arriving: Awaitable[T]) -> T:
        """Waits for a request's body.

        Raises:
            ServiceError: `request_timeout`.
        """
        try:
            async with asyncio.timeout_at(deadline):
                return await arriving
        except TimeoutError:
            raise ServiceError("request_timeout", f"the request did not arrive within {self._request_s:g} s") from None

    def late(self, deadline: float) -> ServiceError | None:
        """What to say about work that has not begun by the deadline."""
        if asyncio.get_running_loop().time() < deadline:
            return None
        return ServiceError("out_of_time", f"its turn did not come within the {self._request_s:g} s of a request")

    async def run(self, function: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
        """Calls the function in a thread, once one is free."""
        return await to_thread.run_sync(partial(function, *arguments, **options), limiter=self._limiter)
