"""The open streams of one process: admission, counts, and the drain."""

import asyncio
import logging
import random
import secrets
import time
from collections import Counter
from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

from server.audit_counts import AuditCounts
from server.audits import Audits
from server.connections.addresses import Proxies, shared_by
from server.errors import ServiceError
from server.networks import Networks
from server.process.clock import ServiceClock
from server.process.load import LoopLoad
from server.process.metrics import Metrics
from server.settings import Settings
from server.stream.admission import Admission
from server.stream.conversation import Conversation
from server.stream.outbox import Outbox
from server.stream.session import Phase, StreamSession
from server.stream.tokens import Tokens

log = logging.getLogger(__name__)

EARLIER: Final = 0.1
"""Most of `stream_s` by which a stream is asked to leave early: those that came together, as after a deploy or the loss
of a replica, don't all leave together."""


class Shell(Protocol):
    """Carries one conversation out."""

    def leave(self, reason: str, seconds: float) -> None:
        """Lets the conversation leave, and sends what it says."""


def stream_name() -> str:
    """Makes a random name for a stream."""
    return secrets.token_hex(6)


class OpenStream(NamedTuple):
    """An open stream.

    Attributes:
        shell: carries the conversation out.
        client: name of the client, as `shared_by` gives it.
        began_at: start of the stream, by the clock.
    """

    shell: Shell
    client: str
    began_at: float


class Streams:
    """All that the streams of a process share.

    Args:
        settings: bounds and times.
        networks: networks that a stream may ask for.
        metrics: counts of streams.
        clock: clock of the deadlines, seconds.
        counts: counts of audits, shared with other processes; None: counts of this process alone.

    Attributes:
        audits: draws and counts audits of decisions.
        stopwatch: clock that measures work, seconds.
        draw: returns a random number, 0 to below 1.
        load: load of the process.
        admission: decides who may open a stream.
        proxies: proxies whose `X-Forwarded-For` is believed.
        open: the open streams.
        outbox: answers of a turn of the event loop.
        conversation: class of the conversations.
    """

    conversation: type[Conversation] = Conversation

    def __init__(
        self,
        settings: Settings,
        networks: Networks,
        metrics: Metrics,
        clock: ServiceClock,
        counts: AuditCounts | None = None,
    ) -> None:
        self.settings, self.metrics = settings, metrics
        self.limits = settings.limits
        self.clock = clock
        self.stopwatch: Callable[[], float] = time.perf_counter
        self.draw: Callable[[], float] = random.random
        self.load = LoopLoad(settings.shed_s, settings.busy_limit)
        self.admission = Admission(self.limits, self.load)
        self.proxies = Proxies(settings.trusted_proxies)
        keys = settings.resume_keys or [secrets.token_bytes()]
        self._tokens = Tokens(keys, settings.resume_s, time.time)
        self.audits = Audits(
            networks,
            settings.audit_share,
            settings.audit_alpha,
            settings.certificate_alarm,
            keys[0],
            counts,
            metrics.audited,
        )
        self._networks = networks
        self.open: dict[Conversation, OpenStream] = {}
        self.outbox = Outbox()

    def __len__(self) -> int:
        """Open websocket streams."""
        return self.admission.streams

    def begin(self, name: str, address: str, shell: Shell) -> Conversation:
        """Counts a stream in and makes its conversation; the caller must call `finish` in the end.

        Args:
            name: name of the stream in the log.
            address: address of the client.
            shell: carries the conversation out.

        Raises:
            ServiceError: as `Admission.admit`.
        """
        client = shared_by(address)
        self.admission.admit(client)
        conversation = self.conversation(
            name=name,
            session=StreamSession(self._networks, self.limits, self._tokens, self.audits),
            limits=self.limits,
            life_s=self.limits.stream_s * (1 - EARLIER * self.draw()),
            clock=self.clock,
            stopwatch=self.stopwatch,
            behind=lambda: self.load.behind,
            decided=self.metrics.decided,
        )
        self.open[conversation] = OpenStream(shell, client, self.clock())
        return conversation

    def finish(self, conversation: Conversation) -> None:
        """Counts a stream out, once, and frees its place."""
        opened = self.open.pop(conversation, None)
        if opened is None:
            return
        session = conversation.session
        reason = conversation.ending.reason if conversation.ending else "internal"
        session.disconnect()
        self.admission.release(opened.client)
        self.metrics.ended(reason, session)
        facts = {
            "stream": conversation.name,
            "reason": reason,
            "frame": session.frame_id,
            "frames": session.frames,
            "bursts": session.bursts,
            "seconds": round(self.clock() - opened.began_at, 3),
        }
        log.info("stream ended", extra={"facts": facts})

    def refused(self, error: ServiceError, address: str) -> None:
        """Counts an upgrade that was refused."""
        self.metrics.refused(error.code)
        log.info("upgrade refused", extra={"facts": {"code": error.code, "address": address, "detail": str(error)}})

    def publish(self) -> None:
        """Brings counts and gauges up to date."""
        sessions = [conversation.session for conversation in self.open]
        found = Counter(session.phase for session in sessions)
        left = sum(session.credits_left for session in sessions)
        self.metrics.follow(sessions, {phase: found[phase] for phase in Phase}, left)
        self.audits.refresh()
        self.metrics.watch(self.audits.watches())
        self.metrics.busy.set(self.load.busy_share)
        self.metrics.tasks.set(len(asyncio.all_tasks()))

    def drain(self) -> None:
        """Admits no more streams and asks the open ones to leave within `drain_s`."""
        self.admission.draining = True
        for opened in list(self.open.values()):
            opened.shell.leave("drain", self.settings.drain_s)

    async def measure(self) -> None:
        """Keeps load and gauges up to date until cancelled."""

        def ticked() -> None:
            self.metrics.loop_delay.observe(self.load.delay_s)
            self.publish()

        await self.load.run(ticked)
