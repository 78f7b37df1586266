"""Times out one stream, and wakes it when it has to end."""

import asyncio
from time import monotonic

from server.errors import ServiceError
from server.settings import Limits


class StreamWatch:
    """Like `asyncio.timeout` around every wait of a task, but one timer in all: a wait costs two assignments.

        with StreamWatch(limits) as watch:
            while ...:
                watch.since, watch.reading = monotonic(), True
                event = await receive()
                watch.since, watch.reading = monotonic(), False
                ...

    Attributes:
        since: when the present wait or work began.
        reading: whether the task waits for the client to say something.
        opened: set once the first message came; until then `handshake_s` is in force instead of `idle_s`.
        leaving: why the stream is to end (`drain`, `stream_s`, `stream_frames`); None while it may go on.
        leave_by: when it has to, `monotonic`.
        told: whether the client was told.

    Raises (where the task waits):
        ServiceError: `idle`, `handshake_timeout`, `slow_reader`.
        LeaveNowError: the time to leave is up.
        WokenError: it was waiting for the client while `leave` was called.
    """

    __slots__ = (
        "_limits", "_loop", "_period_s", "_raise", "_task", "_timer", "_until", "leave_by", "leaving",
        "opened", "reading", "since", "told",
    )  # fmt: skip

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._raise: Exception | None = None
        self.since = monotonic()
        self._until = self.since + limits.stream_s
        self._period_s = min(limits.handshake_s, limits.idle_s, limits.send_s, limits.stream_s)
        self.reading = True
        self.opened = False
        self.leaving: str | None = None
        self.leave_by = float("inf")
        self.told = False

    def __enter__(self) -> "StreamWatch":
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - entered by a task
        self._task = task
        self._timer = self._loop.call_later(self._period_s, self._look)
        return self

    def leave(self, reason: str, seconds: float) -> None:
        """Ends the stream after its frame, or after so many seconds; a second call changes nothing."""
        if self.leaving is None:
            self.leaving, self.leave_by = reason, monotonic() + seconds
            self._timer.cancel()
            self._look()
            if self.reading and self._raise is None:
                self._interrupt(WokenError())

    def _look(self) -> None:
        limits, now = self._limits, monotonic()
        if now >= self._until and self.leaving is None:
            self.leave("stream_s", limits.drain_s)
            return
        if now >= self.leave_by:
            self._interrupt(LeaveNowError())
            return
        wait_s = (limits.idle_s if self.opened else limits.handshake_s) if self.reading else limits.send_s
        if self.since + wait_s <= now:
            self._interrupt(self._timeout(wait_s))
            return
        self._timer = self._loop.call_later(
            min(now + self._period_s, self.since + wait_s, self._until, self.leave_by) - now, self._look
        )

    def _timeout(self, wait_s: float) -> ServiceError:
        if not self.reading:
            return ServiceError("slow_reader", f"answers were not taken for {wait_s:g} s")
        if not self.opened:
            return ServiceError("handshake_timeout", f"neither hello nor resume came within {wait_s:g} s")
        return ServiceError("idle", f"nothing came for {wait_s:g} s")

    def _interrupt(self, error: Exception) -> None:
        if self._raise is None:
            self._raise = error
            self._task.cancel()

    def woken(self) -> bool:
        """Within `except CancelledError`: whether the task was only woken, and goes on."""
        if isinstance(self._raise, WokenError):
            self._raise = None
            return not self._task.uncancel()
        return False

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._timer.cancel()
        error, self._raise = self._raise, None
        if error is not None and not self._task.uncancel() and kind is asyncio.CancelledError:
            raise error


class LeaveNowError(Exception):
    """The stream's time is up."""


class WokenError(Exception):
    """The stream has something to tell its client."""
