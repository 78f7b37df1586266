"""Paced streams that go on whatever happens to replicas and proxy; decisions are compared with those made offline."""

import asyncio
import threading
import time
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from clients.python.client import AsyncClient
from model.checkpoint import load_checkpoint, shipped_weights
from model.exit_policy import parse_policy
from model.runtime import load_runtime
from model.scan import FrameScan, scan_frame
from sensor_sim.burst import Frame, Rows
from sensor_sim.emitter import Observation
from sensor_sim.readout import ReadoutTiming
from sensor_sim.uplink import Backoff, ServiceChange, StreamError
from sensor_sim.wire import Decision

VARIANT = "105x120"
POLICIES: tuple[dict[str, Any], ...] = ({"name": "never"}, {"name": "published", "exit_threshold": 0.3})
FRAMES = 8
PATIENT = Backoff(attempts=200, first_s=0.1, most_s=0.5)
"""Sooner again than the client's own, so that the longest gap is that of replicas and proxy."""


@dataclass
class Account:
    """Of all streams together.

    Attributes:
        decisions: that came.
        wrong: of these, those that are not the ones made offline.
        missing: frames that the service's own account of a stream does not have.
        moves: connections made again.
        lost: connections lost by close code.
        refusals: attempts to begin a stream that were refused, or found nobody.
        longest_gap_s: longest time from a burst to the next answer that a stream got.
    """

    decisions: int = 0
    wrong: int = 0
    missing: int = 0
    moves: int = 0
    lost: Counter[int | None] = field(default_factory=Counter)
    refusals: int = 0
    longest_gap_s: float = 0.0


class PacedStreams:
    """Streams in a thread of their own, from `start` until `finish`.

    Args:
        url: address of the proxy.
        count: number of streams.
        frame_s: time from one frame of a stream to its next, seconds; its bursts are spread over it.

    Attributes:
        account: what the streams came to so far.
        opened: streams that have begun.
    """

    def __init__(self, url: str, count: int, frame_s: float) -> None:
        self._url, self._count = url, count
        runtime = load_runtime(load_checkpoint(shipped_weights(VARIANT)))
        height = runtime.config.height
        frames = np.random.default_rng(5).integers(0, 256, (FRAMES, *runtime.config.frame_shape), np.uint8)
        self._frames: list[Frame] = list(frames)
        self._expected = [
            [scan_frame(runtime, frame, parse_policy(policy)) for frame in self._frames] for policy in POLICIES
        ]
        self._timing = ReadoutTiming(line_time_us=frame_s * 1e6 / height, frame_period_us=frame_s * 1e6)
        self._frame_s = frame_s
        self._over = threading.Event()
        self.opened = 0
        self.account = Account()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()
        deadline = time.monotonic() + 60
        while self.opened < self._count:
            assert self._failure is None, self._failure
            assert time.monotonic() < deadline, f"{self.opened} of {self._count} streams have begun"
            time.sleep(0.02)

    def stop(self) -> None:
        """Lets every stream end its frame and then end."""
        self._over.set()

    def finish(self) -> Account:
        """Stops the streams; what they came to."""
        self.stop()
        self._thread.join(120)
        assert not self._thread.is_alive(), "streams don't end"
        if self._failure:
            raise self._failure
        return self.account

    def _run(self) -> None:
        async def everybody() -> None:
            async with asyncio.TaskGroup() as group:
                for number in range(self._count):
                    group.create_task(self._stream(number))

        try:
            asyncio.run(everybody())
        except BaseException as error:
            self._failure = error

    async def _stream(self, number: int) -> None:
        """One stream; frames of different streams begin at different times."""
        await asyncio.sleep(self._frame_s * number / self._count)
        policy = number % len(POLICIES)
        async with AsyncExitStack() as stack:
            client = await self._begin(stack, POLICIES[policy])
            self.opened += 1
            frames = 0
            while not self._over.is_set():
                frame = (number + frames) % FRAMES
                decision = (await client.emit(self._frames[frame])).decision
                self.account.decisions += 1
                self.account.wrong += not _same(decision, self._expected[policy][frame])
                frames += 1
            self.account.missing += frames - (await client.end()).frames
            self.account.moves += client.resumed
            self.account.lost += client.lost

    async def _begin(self, stack: AsyncExitStack, policy: dict[str, Any]) -> AsyncClient:
        """A stream that was admitted, at the first attempt or a later one."""
        while True:
            client = AsyncClient(
                self._url, VARIANT, policy=policy, progress_every=1, timing=self._timing,
                observer=_Waiting(self.account), backoff=PATIENT,
            )  # fmt: skip
            try:
                return await stack.enter_async_context(client)
            except StreamError as error:
                if not error.retry:
                    raise
                self.account.refusals += 1
                await asyncio.sleep(PATIENT.most_s)


def _same(decision: Decision, scan: FrameScan) -> bool:
    names = ("processed", "skipped", "unread", "exited", "person")
    same = all(getattr(decision, name) == getattr(scan, name) for name in names)
    return same and abs(decision.p_person - scan.p_person) < 1e-6


class _Waiting:
    """Observer of one stream: notes the longest time that a burst waited for an answer."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._since: float | None = None

    def __call__(self, event: Observation) -> None:
        if isinstance(event, Rows):
            if self._since is None:
                self._since = time.monotonic()
        elif not isinstance(event, ServiceChange) and self._since is not None:
            self._account.longest_gap_s = max(self._account.longest_gap_s, time.monotonic() - self._since)
            self._since = None
