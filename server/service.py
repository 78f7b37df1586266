"""What the endpoints share: settings, networks, who is admitted, and what is counted."""

import asyncio
import logging
import secrets
import time
from dataclasses import dataclass, field

from starlette.requests import Request

from model.certificate import certified_policy
from model.checkpoint import load_checkpoint, shipped_weights
from model.config import VARIANTS
from model.runtime import load_runtime
from server.errors import ServiceError
from server.process.load import LoopLoad
from server.process.metrics import Metrics
from server.process.work import Work
from server.settings import Settings
from server.stream.admission import Admission
from server.stream.session import ServedModel, StreamSession
from server.stream.tokens import Tokens
from server.stream.watch import StreamWatch
from server.tensors.sequences import Sequences

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Service:
    """One process's service.

    Attributes:
        settings, models: what it was loaded with.
        load: how busy it is.
        admission: who may open a stream.
        tokens: makes and reads resume tokens.
        metrics: what is counted.
        watches, sessions: of the open streams.
    """

    settings: Settings
    models: dict[str, ServedModel]
    load: LoopLoad = field(init=False)
    admission: Admission = field(init=False)
    tokens: Tokens = field(init=False)
    metrics: Metrics = field(init=False)
    work: Work = field(init=False)
    sequences: Sequences = field(init=False)
    watches: set[StreamWatch] = field(init=False, default_factory=set)
    sessions: set[StreamSession] = field(init=False, default_factory=set)

    def __post_init__(self) -> None:
        settings = self.settings
        key = settings.resume_key.get_secret_value() if settings.resume_key else secrets.token_hex()
        self.load = LoopLoad(settings.shed_s, settings.busy_limit)
        self.admission = Admission(settings.limits, self.load)
        self.tokens = Tokens(key.encode(), settings.resume_s, time.time)
        self.metrics = Metrics()
        self.work = Work(settings.max_requests, settings.request_s)
        self.sequences = Sequences(settings.max_sequences, settings.sequence_idle_s)

    @property
    def streams(self) -> int:
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

    def choose(self, variant: str | None) -> ServedModel:
        """The network of that name; the first one if None.

        Raises:
            ServiceError: `unknown_variant`.
        """
        if variant is None and self.models:
            return next(iter(self.models.values()))
        if variant is None or variant not in self.models:
            served = ", ".join(self.models) or "none"
            raise ServiceError("unknown_variant", f"the variant {str(variant)[:40]!r} is not served; there is {served}")
        return self.models[variant]


def service_of(request: Request) -> Service:
    """The service behind a request."""
    service: Service = request.app.state.service
    return service


def load_service(settings: Settings) -> Service:
    """Loads the networks that the settings name.

    Raises:
        CheckpointError: a file of weights that cannot be used.
        CertificateError: a certificate beside the weights that was altered or is for others.
        RuntimeUnavailableError: nothing to run them on.
    """
    models = {}
    for path in settings.weights or [path for path in map(shipped_weights, VARIANTS) if path.is_file()]:
        checkpoint = load_checkpoint(path)
        runtime = load_runtime(checkpoint, settings.runtime)
        certified = certified_policy(path, checkpoint.digest)
        models[checkpoint.config.name] = ServedModel(runtime, checkpoint.digest, certified)
        log.info("serving %s from %s", checkpoint.config.name, path)
    return Service(settings, models)
