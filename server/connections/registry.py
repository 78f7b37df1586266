"""Registry of the connections of one process, with the one timer that ends connections whose time is up."""

import asyncio
import logging
import ssl
from collections import Counter
from typing import Final, Protocol

from server.connections.addresses import Proxies
from server.connections.places import Place, Places
from server.connections.states import Life, State
from server.connections.tls import tls_context
from server.process.clock import ServiceClock
from server.process.logs import lines_dropped
from server.process.metrics import Metrics
from server.settings import Settings

log = logging.getLogger(__name__)

SWEEP_S: Final = 0.25
"""Time between two looks at all connections; a deadline may be late by this."""

ROUTINE: Final = frozenset({State.IDLE, State.BEFORE_HEAD, State.REFUSED})
"""States whose end is not logged: browsers and proxies keep connections as long as they may."""


class Connection(Protocol):
    """A connection, as the registry needs it."""

    life: Life

    def look(self, now: float) -> None:
        """Ends the connection's state if its time is up."""

    def abort(self) -> None:
        """Drops the connection."""


class Registry:
    """The open connections of a process.

    Args:
        settings: bounds and times.
        metrics: counts of connections.
        clock: clock of the deadlines, seconds.

    Attributes:
        tls: TLS context of the connections; None: no TLS.

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
        """Number of open connections, streams included."""
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
        """Counts a connection out; returns false if it was not in."""
        address = self._open.pop(connection, None)
        if address is None:
            return False
        self._places.release(address)
        return True

    def cut(self, connection: Connection, reason: str) -> None:
        """Counts and logs a connection that the service ends; `reason`: the state whose time was up, or a code."""
        self._metrics.cut(reason)
        if reason not in ROUTINE:
            log.info("connection cut", extra={"facts": {"reason": reason, "address": self._open.get(connection, "")}})

    def sweep(self) -> None:
        """Ends connections whose time is up, and counts the states."""
        self.clock.beat()
        now = self.clock()
        for connection in tuple(self._open):
            try:
                connection.look(now)
            except Exception:  # a fault with one connection must not keep the others for ever
                log.exception("a connection failed")
                connection.abort()
        self._metrics.dropped(lines_dropped())
        found = Counter(connection.life.state for connection in self._open)
        self._metrics.connected({state: found[state] for state in State})

    async def watch(self) -> None:
        """Sweeps until cancelled."""
        while True:
            self.sweep()  # at once: from now on the clock tells a standstill
            await asyncio.sleep(SWEEP_S)
