"""The I/O shell of the sensor: paces bursts by the line time, sends them, obeys exit and skip."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.typing import Subprotocol

from sensor_sim.burst import Burst, SensorGeometry
from sensor_sim.readout import ReadoutTiming, read_bursts
from sensor_sim.wire import (
    SUBPROTOCOL,
    Decision,
    End,
    Error,
    Hello,
    Message,
    Progress,
    Rows,
    Skip,
    Summary,
    Welcome,
    decode,
    encode,
)

ANSWER_TIMEOUT_S = 30.0
"""How long the service may take to answer anything."""

Frame = npt.NDArray[np.uint8]
Event = Burst | Progress | Skip | Decision
T = TypeVar("T")
Observer = Callable[[Event], None]


class StreamError(Exception):
    """The service refused the stream, or was lost.

    Attributes:
        code: the service's error code (PROTOCOL.md), or `connection_lost`, `no_connection`, `no_answer`.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Clock(Protocol):
    """Time for the emitter, microseconds from any origin."""

    def now_us(self) -> float:
        """The time now."""
        ...

    async def sleep_until(self, time_us: float) -> None:
        """Returns once it is `time_us` or later, having let other tasks run."""
        ...


class RealClock:
    """Paces in real time."""

    def now_us(self) -> float:
        return asyncio.get_running_loop().time() * 1e6

    async def sleep_until(self, time_us: float) -> None:
        await asyncio.sleep(max(0.0, (time_us - self.now_us()) / 1e6))


@dataclass(slots=True)
class VirtualClock:
    """Time passes as fast as it is asked to."""

    time_us: float = 0.0

    def now_us(self) -> float:
        return self.time_us

    async def sleep_until(self, time_us: float) -> None:
        self.time_us = max(self.time_us, time_us)
        await asyncio.sleep(0)


@dataclass(frozen=True, slots=True)
class FrameReport:
    """What became of one frame.

    Attributes:
        decision: the service's.
        rows_sent: of the frame's `rows`.
        bytes_sent: pixels of the rows sent; `bytes_saved` the others.
        decision_us: from the start of readout to the decision, by the emitter's clock.
    """

    decision: Decision
    rows: int
    rows_sent: int
    bytes_sent: int
    bytes_saved: int
    decision_us: float


@dataclass(slots=True)
class _Pending:
    """The frame being read out."""

    frame_id: int
    skips: set[int] = field(default_factory=set)
    decision: "asyncio.Future[Decision]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    decided_us: float = 0.0


class Emitter:
    """A sensor with an open stream to a service; made by `open_emitter`.

    Attributes:
        welcome: the settings in force.
    """

    def __init__(
        self, connection: ClientConnection, welcome: Welcome, timing: ReadoutTiming, clock: Clock, observer: Observer
    ) -> None:
        self._connection, self._timing, self._clock, self._observer = connection, timing, clock, observer
        self.welcome = welcome
        self._pending: _Pending | None = None
        self._summary: asyncio.Future[Summary] = asyncio.get_running_loop().create_future()
        self._frame_id = 0
        self._origin_us = clock.now_us()
        self._next_start_us = 0.0

    @property
    def geometry(self) -> SensorGeometry:
        return self.welcome.geometry

    async def emit(self, frame: Frame) -> FrameReport:
        """Reads a frame out until its end or an exit; returns once it is decided.

        Args:
            frame: (H, W, 3) uint8 RGB of the geometry's size.

        Raises:
            StreamError: the service refused a message or was lost.
            ValueError: a frame of another shape or dtype.
        """
        pending = self._pending = _Pending(self._frame_id)
        now_us = self._clock.now_us() - self._origin_us
        start_us = max(self._next_start_us, now_us) if self._timing.frame_period_us is None else self._next_start_us
        stopped_us, sent = start_us, 0
        for burst in read_bursts(frame, self.geometry, self._timing, frame_id=self._frame_id, start_us=start_us):
            await self._clock.sleep_until(self._origin_us + burst.readout_us)
            if pending.decision.done():
                break
            stopped_us = burst.readout_us
            if burst.burst_index in pending.skips:
                continue
            await self._send(Rows.of(burst))
            sent += 1
            self._observer(burst)
        decision = await self._answer(pending.decision, "a decision")
        self._frame_id += 1
        self._next_start_us = self._timing.next_frame_us(start_us, stopped_us)
        geometry = self.geometry
        return FrameReport(
            decision,
            geometry.height,
            sent * geometry.burst_rows,
            sent * geometry.burst_bytes,
            (geometry.bursts_per_frame - sent) * geometry.burst_bytes,
            pending.decided_us - self._origin_us - start_us,
        )

    async def end(self) -> Summary:
        """Ends the stream; the service's account of it."""
        await self._send(End())
        return await self._answer(self._summary, "the summary")

    async def _send(self, message: Message) -> None:
        try:
            await self._connection.send(encode(message))
        except ConnectionClosed as error:
            await asyncio.sleep(0)  # let `listen` find the service's own reason first
            waiting = self._pending.decision if self._pending else self._summary
            if waiting.done():
                waiting.result()
            raise _lost(error) from error

    async def _answer(self, answer: "asyncio.Future[T]", what: str) -> T:
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                return await answer
        except TimeoutError:
            raise StreamError("no_answer", f"{what} did not come within {ANSWER_TIMEOUT_S:g} s") from None

    async def listen(self) -> None:
        """Takes the service's messages until the connection closes."""
        failure = StreamError("connection_lost", "the service closed the stream")
        try:
            async for data in self._connection:
                message = decode(data)
                if isinstance(message, Error):
                    failure = StreamError(message.code, message.message)
                    break
                self._take(message)
        except ConnectionClosed as error:
            failure = _lost(error)
        for waiting in (self._pending.decision if self._pending else None, self._summary):
            if waiting is not None and not waiting.done():
                waiting.set_exception(failure)
                waiting.exception()  # nobody may ever ask for it

    def _take(self, message: Message) -> None:
        pending = self._pending
        if isinstance(message, Summary):
            self._summary.set_result(message)
        elif isinstance(message, Progress | Skip | Decision) and pending and message.frame_id == pending.frame_id:
            if isinstance(message, Skip):
                pending.skips.add(message.burst_index)
            elif isinstance(message, Decision):
                pending.decided_us = self._clock.now_us()
                pending.decision.set_result(message)
            self._observer(message)


def _lost(error: ConnectionClosed) -> StreamError:
    reason = f"{error.rcvd.code} {error.rcvd.reason}".strip() if error.rcvd else "no close frame"
    return StreamError("connection_lost", f"the connection to the service was lost ({reason})")


@asynccontextmanager
async def open_emitter(
    url: str,
    hello: Hello,
    *,
    timing: ReadoutTiming | None = None,
    clock: Clock | None = None,
    observer: Observer = lambda _: None,
) -> AsyncIterator[Emitter]:
    """Opens a stream to a service.

    Args:
        url: ws:// or wss:// address of `/v1/stream`.
        hello: what to ask for.
        timing: line and frame time; the defaults of `ReadoutTiming` if None.
        clock: paces the bursts; real time if None, `VirtualClock` for as fast as possible.
        observer: called with every burst sent and every message on the frame at hand.

    Raises:
        StreamError: no connection, or refused.
    """
    connection = await _connect(url)
    async with connection:
        try:
            await connection.send(encode(hello))
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                answer = decode(await connection.recv())
        except TimeoutError:
            raise StreamError("no_answer", f"no welcome came within {ANSWER_TIMEOUT_S:g} s") from None
        except ConnectionClosed as error:
            raise _lost(error) from error
        if isinstance(answer, Error):
            raise StreamError(answer.code, answer.message)
        if not isinstance(answer, Welcome):
            raise StreamError("no_answer", f"the service said {type(answer).__name__.lower()} instead of welcome")
        emitter = Emitter(connection, answer, timing or ReadoutTiming(), clock or RealClock(), observer)
        listening = asyncio.create_task(emitter.listen())
        try:
            yield emitter
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)


async def _connect(url: str) -> ClientConnection:
    try:
        return await connect(url, subprotocols=[Subprotocol(SUBPROTOCOL)], compression=None, proxy=None)
    except InvalidStatus as error:
        detail = error.response.body.decode(errors="replace") if error.response.body else ""
        raise StreamError(
            "no_connection", f"{url}: refused with HTTP {error.response.status_code} {detail}".strip()
        ) from error
    except (OSError, InvalidHandshake, ValueError, TimeoutError) as error:
        raise StreamError("no_connection", f"{url}: no service answers there ({error})") from error
