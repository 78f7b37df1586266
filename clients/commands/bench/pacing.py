"""Pacing of the streams of a load: as fast as they are answered, or as a sensor reads."""

import asyncio
import heapq
import time

from clients.commands.bench.load_streams import Run, Stream

TICK_S = 0.001
"""The event loop's timers are no finer; a shorter wait would spin."""


class ClosedLoop:
    """Every stream has one message under way at any time."""

    def __init__(self, run: Run) -> None:
        self._run = run
        run.message_answered = lambda stream: stream.send(time.perf_counter())

    def start(self) -> None:
        for stream in self._run.streams:
            stream.send(time.perf_counter())

    def stop(self) -> None:
        self._run.message_answered = lambda _: None


class Pace:
    """Every stream sends a burst's message when its last row would leave the sensor; the streams' frames are staggered.

    A stream that is a whole frame behind holds its next message back until it is answered; the message counts from
    when it was due.
    """

    def __init__(self, run: Run, frame_rate: float) -> None:
        self._run = run
        self._period_s = 1 / frame_rate
        messages = run.messages
        self._offsets_s = [
            (first + count) / messages.bursts_per_frame * self._period_s
            for first, count in zip(messages.firsts, messages.counts, strict=True)
        ]
        self._sent = [0] * len(run.streams)
        self._numbers = {stream: number for number, stream in enumerate(run.streams)}
        self._due: list[tuple[float, int]] = []
        self._timer: asyncio.TimerHandle | None = None
        run.message_answered = self._release

    def start(self) -> None:
        self._origin = time.perf_counter()
        self._due = [(self._due_at(number), number) for number in range(len(self._run.streams))]
        heapq.heapify(self._due)
        self._tick()

    def stop(self) -> None:
        self._run.message_answered = lambda _: None
        if self._timer:
            self._timer.cancel()

    def _due_at(self, number: int) -> float:
        frame, index = divmod(self._sent[number], len(self._offsets_s))
        stagger = number / len(self._sent) * self._period_s
        return self._origin + stagger + frame * self._period_s + self._offsets_s[index]

    def _tick(self) -> None:
        streams, limit = self._run.streams, self._run.messages.bursts_per_frame
        now = time.perf_counter()
        while self._due and self._due[0][0] <= now:
            due, number = heapq.heappop(self._due)
            stream = streams[number]
            self._run.due_bursts += stream.next_bursts
            if stream.unanswered >= limit:
                stream.held_due = due
                self._run.held_back += 1
            else:
                self._send(number, now)
        wait = self._due[0][0] - time.perf_counter() if self._due else 0.0
        self._timer = asyncio.get_running_loop().call_later(max(TICK_S, wait), self._tick)

    def _send(self, number: int, counted_from: float) -> None:
        self._run.streams[number].send(counted_from)
        self._sent[number] += 1
        heapq.heappush(self._due, (self._due_at(number), number))

    def _release(self, stream: Stream) -> None:
        if stream.held_due is not None:
            due, stream.held_due = stream.held_due, None
            self._send(self._numbers[stream], due)
