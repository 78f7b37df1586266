"""Room for requests, and the threads that run their work."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from time import monotonic
from typing import Final, ParamSpec, TypeVar

from server.errors import ServiceError
from server.process.cores import usable_cores

SHARE: Final = 3
"""Requests that a client may have under way for each free place."""

P = ParamSpec("P")
T = TypeVar("T")


class RequestPool:
    """Counts the requests under way and runs their work in threads, as many as there are cores if no number is given.

    The pool is its own: an abandoned request may finish its current job, but never adds a thread.

    A client may have `SHARE` times as many requests under way as there are free places: one client alone gets three
    quarters of the places, and there are always some for the next (dynamic thresholds, Choudhury and Hahne 1998).

    Args:
        max_requests: most requests at a time; more are refused.
        request_s: longest time until a request's body has come and its work has begun.
        clock: clock of the deadlines, seconds.
        threads: number of threads; None: one for each core.
    """

    def __init__(
        self,
        max_requests: int,
        request_s: float,
        clock: Callable[[], float] = monotonic,
        threads: int | None = None,
    ) -> None:
        self.requests = 0
        self.threads = threads or usable_cores()
        self._of_client: Counter[str] = Counter()
        self._max_requests, self._request_s, self._clock = max_requests, request_s, clock
        self._pool = ThreadPoolExecutor(self.threads, thread_name_prefix="request")

    @contextmanager
    def request(self, client: str) -> Iterator[None]:
        """Room for one request.

        Args:
            client: name of the client (`server.connections.addresses.client_of`).

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
        """Time, on the clock, by which the work of a request that comes now must begin."""
        return self._clock() + self._request_s

    def left_s(self, deadline: float) -> float:
        """Seconds until a deadline; 0 or less once the deadline has passed."""
        return deadline - self._clock()

    async def in_time(self, deadline: float, arriving: Awaitable[T]) -> T:
        """Waits for a request's body.

        Raises:
            ServiceError: `request_timeout`.
        """
        task = asyncio.ensure_future(arriving)
        try:
            while not task.done() and (left_s := self.left_s(deadline)) > 0:
                # In a loop, since the clock may stand still meanwhile.
                await asyncio.wait({task}, timeout=left_s)
            if task.done():
                return task.result()
            raise ServiceError("request_timeout", f"the request did not arrive within {self._request_s:g} s")
        finally:
            task.cancel()

    async def run(self, deadline: float, function: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
        """Calls a function in a thread, once a thread is free; raises the function's own exception as it is.

        Raises:
            ServiceError: `out_of_time`: no thread was free by the deadline.
        """

        def begin() -> T:
            if self.left_s(deadline) <= 0:
                raise ServiceError(
                    "out_of_time", f"no core was free within the {self._request_s:g} s of a request; try again later"
                )
            return function(*arguments, **options)

        return await asyncio.get_running_loop().run_in_executor(self._pool, begin)

    def close(self) -> None:
        """Begins no more work; work that has begun ends by itself."""
        self._pool.shutdown(wait=False, cancel_futures=True)
