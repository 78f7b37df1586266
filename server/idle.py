"""Ends the wait for a client that has gone quiet."""

import asyncio
from time import monotonic

from server.errors import ServiceError


class IdleWatch:
    """Like `asyncio.timeout` around every wait of a task, but one timer in all: a wait costs two assignments.

        with IdleWatch(idle_s) as idle:
            while ...:
                idle.since = monotonic()
                await ...
                idle.since = None

    Raises (where it waits):
        ServiceError: `idle`, after `idle_s` seconds.
    """

    def __init__(self, idle_s: float) -> None:
        self.since: float | None = None
        self._idle_s = idle_s
        self._loop = asyncio.get_running_loop()
        self._expired = False

    def __enter__(self) -> "IdleWatch":
        self._task = asyncio.current_task()
        self._timer = self._loop.call_later(self._idle_s, self._look)
        return self

    def _look(self) -> None:
        left_s = self._idle_s if self.since is None else self.since + self._idle_s - monotonic()
        if left_s > 0:
            self._timer = self._loop.call_later(left_s, self._look)
        elif self._task is not None:
            self._expired = True
            self._task.cancel()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._timer.cancel()
        if self._expired and kind is asyncio.CancelledError and self._task is not None and not self._task.uncancel():
            raise ServiceError("idle", f"nothing came for {self._idle_s:g} s")
