"""The I/O shell of the sensor: paces bursts by the line time, sends them, obeys exit and skip.

In real time an answer of the service is dated by its arrival. In virtual time the emitter waits for the answers to each
burst (`sync`) and dates them by the link conditions, so that a run is the same on every machine.
"""

import asyncio
import math
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec

from sensor_sim.burst import Frame, PixelFormat, Rows, SensorGeometry
from sensor_sim.clock import Clock, RealClock
from sensor_sim.ledger import FrameLedger, FrameReport
from sensor_sim.link import Link, LinkConditions, Passage
from sensor_sim.readout import Reader, ReadoutTiming, read_bursts
from sensor_sim.sensor import PRESETS, Sensor
from sensor_sim.uplink import ANSWER_TIMEOUT_S, Backoff, ServiceChange, StreamError, Uplink, bad_answer
from sensor_sim.wire import Abandon, Decision, End, Hello, Message, Progress, Shed, Skip, Summary, Sync

T = TypeVar("T")
Observation = Rows | Progress | Skip | Decision | ServiceChange
Observer = Callable[[Observation], None]
"""Is called with every burst read and every answer on the frame in progress, on the emitter's event loop, in order.

It is also called when the service was lost, and when it is back.
An observer must not block: while it runs, no burst leaves and no answer is taken.
"""


class FrameLostError(Exception):
    """A frame without a decision: lost by the link's conditions, or shed by the service. The stream goes on.

    Attributes:
        ledger: cost of the frame.
        reason: fate of the frame, in words.
    """

    def __init__(self, ledger: FrameLedger, reason: str) -> None:
        super().__init__(f"frame {ledger.frame_id}: {reason}")
        self.ledger, self.reason = ledger, reason


def _future() -> "asyncio.Future[Decision | Shed]":
    return asyncio.get_running_loop().create_future()


@dataclass(slots=True)
class _Pending:
    """The frame in progress, and the answers on it. Times in us since the stream began.

    Attributes:
        frame_id: number of the frame.
        skips: of each burst that the service skips, the time at which the skip arrives at the sensor.
        decision: the service's decision, or its refusal to look at the frame.
        decided_us: time at which the decision arrives at the sensor.
        audit: true if the service wants the rest of the frame after its decision.
    """

    frame_id: int
    skips: dict[int, float] = field(default_factory=dict)
    decision: "asyncio.Future[Decision | Shed]" = field(default_factory=_future)
    decided_us: float = math.inf
    audit: bool = False


@dataclass(slots=True)
class _Account:
    """Counts of a frame's bursts while the frame is read out.

    Attributes:
        frame_id: number of the frame.
        geometry: rows, columns and format of the frame.
        start_us: start of the readout, us since the stream began.
        end_us: end of the last burst or row read or skipped.
        read, sent, skipped: numbers of bursts.
        partly: rows read of the burst that an exit interrupted.
    """

    frame_id: int
    geometry: SensorGeometry
    start_us: float
    end_us: float
    read: int = 0
    sent: int = 0
    skipped: int = 0
    partly: int = 0

    def skip(self, burst: Rows) -> None:
        """Counts a burst that is left out."""
        self.skipped += 1
        self.end_us = float(burst.readout_us)

    def send(self, burst: Rows) -> None:
        """Counts a burst that is read and given to the link."""
        self.read += 1
        self.sent += 1
        self.end_us = float(burst.readout_us)

    def stop(self, at_us: float, rows: int) -> None:
        """Ends the readout at a time in the middle of a burst, of which `rows` rows were read."""
        self.partly = rows
        self.end_us = at_us

    def ledger(self, next_us: float, decision: Decision | None) -> FrameLedger:
        """Makes the frame's ledger; without a decision no burst counts as sent in vain."""
        geometry, rows = self.geometry, self.geometry.burst_rows
        beyond = self.sent - decision.processed if decision else 0
        audited = beyond if decision and decision.audit else 0
        return FrameLedger(
            frame_id=self.frame_id,
            rows=geometry.height,
            rows_read=self.read * rows + self.partly,
            rows_sent=self.sent * rows,
            rows_skipped=self.skipped * rows,
            rows_unread=geometry.height - (self.read + self.skipped) * rows - self.partly,
            bursts_sent=self.sent,
            bytes_sent=self.sent * geometry.burst_bytes,
            bytes_saved=(geometry.bursts_per_frame - self.sent) * geometry.burst_bytes,
            late_bursts=beyond - audited,
            audited_bursts=audited,
            start_us=self.start_us,
            end_us=self.end_us,
            next_us=next_us,
        )


class Emitter:
    """A sensor with an open stream to a service; made by `open_emitter`. For one task at a time.

    Attributes:
        welcome: the settings in force.
    """

    def __init__(
        self,
        uplink: Uplink,
        timing: ReadoutTiming,
        clock: Clock,
        link: LinkConditions,
        observer: Observer,
    ) -> None:
        self._uplink, self._timing, self._clock, self._observer = uplink, timing, clock, observer
        self.welcome = uplink.welcome
        self._link = Link(link)
        self._pending: _Pending | None = None
        self._summary: asyncio.Future[Summary] = asyncio.get_running_loop().create_future()
        self._synced: asyncio.Future[Sync] | None = None
        self._syncs = 0
        # Virtual time to which the service's current answers are dated.
        self._answers_us = 0.0
        self._frame_id = 0
        self._origin_us = clock.now_us()
        self._next_start_us = 0.0

    @property
    def geometry(self) -> SensorGeometry:
        return self.welcome.geometry

    @property
    def resumed(self) -> int:
        """Number of times that the connection was made again."""
        return self._uplink.resumed

    @property
    def lost(self) -> Counter[int | None]:
        """Number of lost connections for each close code; 1006: without a close frame."""
        return self._uplink.lost

    @property
    def next_start_us(self) -> float:
        """Earliest start of the next frame's readout, us since the stream began."""
        if self._timing.frame_period_us is not None:
            return self._next_start_us
        return max(self._next_start_us, self._now_us())

    async def emit(self, source: Frame | Reader, start_us: float | None = None) -> FrameReport:
        """Reads a frame out until its end or an exit, and waits for the decision.

        A frame whose decision is audited is read to its end all the same.

        If reading fails, or the call is cancelled, the frame is given up; the stream goes on with the next frame.

        Args:
            source: a picture (H, W, 3) uint8 sRGB of the geometry's size, or a `Reader` such as a `Camera`.
            start_us: start of the readout, us since the stream began; None: `next_start_us`.

        Raises:
            StreamError: the service refused a message, or the connection was lost.
            FrameLostError: the link lost the frame, or the service shed it.
            ValueError: a frame of another shape or dtype.
        """
        pending = self._pending = _Pending(self._frame_id)
        try:
            return await self._read_out(source if callable(source) else self._reader_of(source), pending, start_us)
        except (StreamError, FrameLostError):
            raise
        except BaseException:
            await self._give_up(pending)
            raise

    async def _give_up(self, pending: "_Pending") -> None:
        self._frame_id = pending.frame_id + 1
        self._next_start_us = max(self._next_start_us, self._now_us())
        with suppress(Exception):  # an error that ended the stream is raised at the stream's next use
            await self._send(Abandon(pending.frame_id))

    async def _read_out(self, reader: Reader, pending: "_Pending", start_us: float | None) -> FrameReport:
        start_us = self.next_start_us if start_us is None else start_us
        lost = self._link.loses(pending.frame_id)
        outbox: deque[tuple[Passage, Rows]] = deque()
        account = _Account(pending.frame_id, self.geometry, start_us, start_us)
        for burst in reader(pending.frame_id, start_us):
            await self._deliver(outbox, burst.readout_us)
            await self._sleep_until(burst.readout_us)
            now_us = max(self._now_us(), burst.readout_us)
            if pending.skips.get(burst.first_burst, math.inf) <= now_us:
                account.skip(burst)
                continue
            if pending.decided_us <= now_us and not pending.audit:
                account.sent -= self._take_back(outbox, now_us)
                stopped_us = min(max(account.end_us, pending.decided_us), burst.readout_us)
                account.stop(stopped_us, self._rows_begun(burst, stopped_us - account.end_us))
                break
            account.send(burst)
            self._tell(burst)
            if not lost:
                passage = self._link.send(now_us, burst.rows.size, burst.frame_id, burst.first_burst)
                outbox.append((passage, burst))
                await self._deliver(outbox, now_us)
        await self._deliver(outbox, math.inf)
        decision = None if lost else await self._decision(pending)
        self._frame_id += 1
        known_us = account.end_us if math.isinf(pending.decided_us) else pending.decided_us
        exited = decision is not None and decision.exited and not decision.audit
        self._next_start_us = self._timing.next_frame_us(start_us, account.end_us, known_us, exited=exited)
        ledger = account.ledger(self._next_start_us, decision)
        if decision is None:
            raise FrameLostError(ledger, "lost on the link" if lost else "not looked at: the service is behind")
        return FrameReport.of(ledger, decision, pending.decided_us - start_us)

    async def _decision(self, pending: "_Pending") -> Decision | None:
        """Waits until the service's decision has arrived; None if the service shed the frame."""
        answer = await self._answer(pending.decision, "a decision")
        await self._sleep_until(pending.decided_us)
        return answer if isinstance(answer, Decision) else None

    def _tell(self, burst: Rows) -> None:
        try:
            self._observer(burst)
        except Exception as error:  # an observer may raise any error, which ends the stream
            self._uplink.fail(error)
            raise

    async def end(self) -> Summary:
        """Ends the stream and returns the service's summary.

        Raises:
            StreamError: the service refused a message, or the connection was lost.
        """
        await self._send(End())
        return await self._answer(self._summary, "the summary")

    async def keep_open(self) -> None:
        """Shows the service that the sensor lives while there is no frame to send; between frames alone.

        Raises:
            StreamError: the service refused a message, or the connection was lost.
        """
        await self._sync()

    def _reader_of(self, picture: Frame) -> Reader:
        geometry = self.geometry
        if geometry.pixel_format is not PixelFormat.RGB8 and picture.shape == geometry.frame_shape:
            picture = Sensor(PRESETS["ideal"], geometry).frame(picture)
        return lambda frame_id, start_us: read_bursts(
            picture, geometry, self._timing, frame_id=frame_id, start_us=start_us
        )

    def _rows_begun(self, burst: Rows, span_us: float) -> int:
        """Rows of a burst that were read when the burst was given up.

        These are the rows that the halo of the burst before took ahead, and the rows read within `span_us` after it.
        """
        ahead = burst.pixel_format.halo_rows if burst.first_burst else 0
        return min(ahead + self._timing.whole_rows(span_us), self.geometry.burst_rows)

    def _now_us(self) -> float:
        return self._clock.now_us() - self._origin_us

    async def _sleep_until(self, time_us: float) -> None:
        await self._clock.sleep_until(self._origin_us + time_us)

    async def _deliver(self, outbox: deque[tuple[Passage, Rows]], until_us: float) -> None:
        """Sends the bursts of the outbox that arrive at the service by `until_us`, each at the time of its arrival."""
        while outbox and outbox[0][0].arrives_us <= until_us:
            passage, rows = outbox.popleft()
            await self._sleep_until(passage.arrives_us)
            self._answers_us = passage.arrives_us + self._link.conditions.service_us
            await self._send(rows)
            if self._clock.virtual:
                await self._sync()

    def _take_back(self, outbox: deque[tuple[Passage, Rows]], now_us: float) -> int:
        """Drops the bursts that have not begun to leave by `now_us`; returns the number of dropped bursts."""
        waiting = [passage for passage, _ in outbox if passage.begins_us > now_us]
        if waiting:
            self._link.cancel(waiting[0])
        for _ in waiting:
            outbox.pop()
        return len(waiting)

    async def _sync(self) -> None:
        """Waits until the service has answered every message sent so far."""
        self._syncs = (self._syncs + 1) % 2**32
        self._synced = asyncio.get_running_loop().create_future()
        await self._send(Sync(self._syncs))
        await self._answer(self._synced, "the answer to sync")
        self._synced = None

    async def _send(self, message: Rows | Abandon | Sync | End) -> None:
        await self._uplink.send(message)

    async def _answer(self, answer: "asyncio.Future[T]", what: str) -> T:
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                return await answer
        except TimeoutError:
            raise StreamError("no_answer", f"{what} did not come within {ANSWER_TIMEOUT_S:g} s") from None

    async def listen(self) -> None:
        """Takes the service's messages until the connection closes.

        The error that ends the stream, an observer's error too, is raised in the calls that wait or send.
        """
        failure: Exception = StreamError("connection_lost", "the service closed the stream")
        try:
            async for message in self._uplink:
                self._take(message)
        except Exception as error:  # the observer may raise anything
            failure = error
        self._uplink.fail(failure)
        for waiting in (self._synced, self._pending.decision if self._pending else None, self._summary):
            if waiting is not None and not waiting.done():
                waiting.set_exception(failure)
                # Marks the exception as retrieved: asyncio would log it if no call waits for this future.
                waiting.exception()

    def _take(self, message: Message) -> None:
        pending = self._pending
        if isinstance(message, Summary):
            if not self._summary.done():
                self._summary.set_result(message)
        elif isinstance(message, Sync):
            if self._synced and not self._synced.done():
                self._synced.set_result(message)
        elif isinstance(message, Shed):
            if pending and message.frame_id == pending.frame_id and not pending.decision.done():
                pending.decided_us = self._answers_us if self._clock.virtual else self._now_us()
                pending.decision.set_result(message)
        elif isinstance(message, Progress | Skip | Decision) and pending and message.frame_id == pending.frame_id:
            self._check(message)
            said_us = self._answers_us if self._clock.virtual else self._now_us()
            if not isinstance(message, Progress):
                arrived_us = self._link.answer(said_us, message.frame_id, message.burst_index)
                if isinstance(message, Skip):
                    pending.skips[message.burst_index] = arrived_us
                else:
                    # Credits and token concern the connection alone, which has taken them.
                    message = msgspec.structs.replace(message, credits=0, token="")
                    pending.decided_us = arrived_us
                    pending.audit = message.audit
            # The observer comes before the result, so that its error reaches the call that waits for the decision.
            self._observer(message)
            if isinstance(message, Decision):
                pending.decision.set_result(message)

    def _check(self, message: Progress | Skip | Decision) -> None:
        """Checks an answer against the frame's geometry.

        Raises:
            StreamError: `bad_answer`: a burst beyond the frame, or counts that don't add up to the frame.
        """
        bursts = self.geometry.bursts_per_frame
        if message.burst_index >= bursts:
            raise bad_answer(f"the burst {message.burst_index} of a frame that has {bursts}")
        if isinstance(message, Decision) and message.processed + message.skipped + message.unread != bursts:
            raise bad_answer(
                f"{message.processed} bursts processed, {message.skipped} skipped and {message.unread} unread of a "
                f"frame that has {bursts}"
            )


@asynccontextmanager
async def open_emitter(
    url: str,
    hello: Hello,
    *,
    timing: ReadoutTiming | None = None,
    clock: Clock | None = None,
    link: LinkConditions | None = None,
    observer: Observer = lambda _: None,
    backoff: Backoff | None = None,
    bearer_token: str | None = None,
) -> AsyncIterator[Emitter]:
    """Opens a stream to a service.

    Args:
        url: ws:// or wss:// address of `/v1/stream`.
        hello: network, policy and format to ask for.
        timing: line and frame time; None: the defaults of `ReadoutTiming`.
        clock: clock that paces the bursts; None: real time. `VirtualClock` reads as fast as possible.
        link: conditions of the link; None: a perfect link.
        observer: see `Observer`; an error of the observer ends the stream, and the call that waits raises it.
        backoff: waits before new attempts to connect; None: a lost connection ends the stream.
        bearer_token: token for a service that asks for one.

    Raises:
        StreamError: no connection, or the service refused the stream.
    """
    uplink = Uplink(url, hello, backoff, bearer_token, observer)
    try:
        await uplink.open()
        emitter = Emitter(uplink, timing or ReadoutTiming(), clock or RealClock(), link or LinkConditions(), observer)
        listening = asyncio.create_task(emitter.listen())
        try:
            yield emitter
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
    finally:
        await uplink.close()
