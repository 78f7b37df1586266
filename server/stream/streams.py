"""The open streams of one process: who is admitted, what is counted, how all of them leave."""

import asyncio
import secrets
import time
from dataclasses import dataclass, field

from server.networks import Networks
from server.process.load import LoopLoad
from server.process.metrics import Metrics
from server.settings import Settings
from server.stream.admission import Admission
from server.stream.session import StreamSession
from server.stream.tokens import Tokens
from server.stream.watch import StreamWatch


@dataclass(slots=True)
class Streams:
    """All that the streams of a process share.

    Attributes:
        settings: bounds and times.
        networks: what a stream may ask for.
        metrics: where streams are counted.
        load: how busy the process is.
        admission: who may open a stream.
        tokens: makes and reads resume tokens.
        watches, sessions: of the open streams.
    """

    settings: Settings
    networks: Networks
    metrics: Metrics
    load: LoopLoad = field(init=False)
    admission: Admission = field(init=False)
    tokens: Tokens = field(init=False)
    watches: set[StreamWatch] = field(init=False, default_factory=set)
    sessions: set[StreamSession] = field(init=False, default_factory=set)

    def __post_init__(self) -> None:
        settings = self.settings
        key = settings.resume_key.get_secret_value() if settings.resume_key else secrets.token_hex()
        self.load = LoopLoad(settings.shed_s, settings.busy_limit)
        self.admission = Admission(settings.limits, self.load)
        self.tokens = Tokens(key.encode(), settings.resume_s, time.time)

    def __len__(self) -> int:
        """Open websocket streams."""
        return self.admission.streams

    def publish(self) -> None:
        """Brings counts and gauges up to date."""
        self.metrics.follow(self.sessions)
        self.metrics.busy.set(self.load.busy_share)
        self.metrics.tasks.set(len(asyncio.all_tasks()))

    def drain(self) -> None:
        """Admits no more streams and asks the open ones to leave within `drain_s`."""
        self.admission.draining = True
        for watch in list(self.watches):
            watch.leave("drain", self.settings.drain_s)

    async def measure(self) -> None:
        """Keeps load and gauges up to date until cancelled."""

        def ticked() -> None:
            self.metrics.loop_delay.observe(self.load.delay_s)
            self.publish()

        await self.load.run(ticked)
