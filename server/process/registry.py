"""The connections of one process, and the one timer that ends those whose time is up."""

import asyncio
import logging
import ssl
from typing import Final, Protocol

from server.process.addresses import Proxies
from server.process.clock import ServiceClock
from server.process.logs import lines_dropped
from server.process.metrics import Metrics
from server.process.places import Place, Places
from server.process.states import Life, State
from server.process.tls import tls_context
from server.settings import Settings

log = logging.getLogger(__name__)

SWEEP_S: Final = 0.25
"""Between two looks at all connections: by so much a deadline may be late."""

ROUTINE: Final = frozenset({State.IDLE, State.BEFORE_HEAD, State.REFUSED})
"""Ends of a state that nobody needs to read about: browsers and proxies keep connections as long as they may."""


class Connection(Protocol):
    """What the registry asks of a connection."""

    life: Life

    def look(self, now: float) -> None:
        """Ends its state if the time for it is up."""

    def abort(self) -> None:
        """Drops it."""


class Registry:
    """Who is connected.

    Args:
        settings: bounds and times.
        metrics: where connections are counted.
        clock: that deadlines are compared with.

    Attributes:
        tls: the certificate that connections are secured with; None if they are not.

    Raises:
        TlsError: a certificate or a key that cannot be used.
    """

    def __init__(self, settings: Settings, metrics: Metrics, clock: ServiceClock) -> None:
        self.settings, self.clock = settings, clock
        self.tls: ssl.SSLContext | None = tls_context(settings)
        self._metrics = metrics
        self._places = Places(
            settings.max_connections, settings.max_connections_per_address, Proxies(settings.trusted_proxies)
        )
        self._open: dict[Connection, str] = {}

    def __len__(self) -> int:
        """Open connections, streams among them."""
        return len(self._open)

    def enter(self, connection: Connection, address: str) -> Place:
        """Counts a connection in, if there is a place for it."""
        place = self._places.take(address)
        if place in (Place.ORDINARY, Place.RESERVED):
            self._open[connection] = address
        else:
            self._metrics.cut(place)
        return place

    def remove(self, connection: Connection) -> bool:
        """Counts a connection out; whether it was in."""
        address = self._open.pop(connection, None)
        if address is None:
            return False
        self._places.release(address)
        return True

    def cut(self, connection: Connection, reason: str) -> None:
        """Counts and logs a connection that the service ends: its state whose time was up, or the code of a refusal."""
        self._metrics.cut(reason)
        if reason not in ROUTINE:
            log.info("connection cut", extra={"facts": {"reason": reason, "address": self._open.get(connection, "")}})

    def sweep(self) -> None:
        """Ends what is over, and counts the states."""
        self.clock.beat()
        now = self.clock()
        for connection in tuple(self._open):
            try:
                connection.look(now)
            except Exception:  # a fault with one connection must not keep the others for ever
                log.exception("a connection failed")
                connection.abort()
        self._metrics.dropped(lines_dropped())
        self._metrics.connected(connection.life.state for connection in self._open)

    async def watch(self) -> None:
        """Sweeps until cancelled."""
        while True:
            self.sweep()  # at once: from now on the clock tells a standstill
            await asyncio.sleep(SWEEP_S)
