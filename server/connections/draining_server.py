"""A uvicorn server that accepts by `Listener`, and lets streams finish before it cuts connections."""

import asyncio
import multiprocessing
import socket
from collections.abc import Callable
from time import monotonic
from typing import Final

import uvicorn

from server.connections.http_connection import HttpConnection
from server.connections.listener import Listener, listening_sockets
from server.connections.registry import Registry
from server.stream.streams import Streams

POLL_S: Final = 0.05


class DrainingServer(uvicorn.Server):
    """A server that drains on a signal: admits no stream, sends `going_away`, waits `drain_s`, then shuts down.

    The application's lifespan gives streams and connections; uvicorn's own lifespan hook comes too late, after the
    sockets are cut. A worker also ends when its parent does.

    Args:
        config: uvicorn's configuration.
        beat: called several times a second while the event loop turns.
    """

    def __init__(self, config: uvicorn.Config, beat: Callable[[], None] = lambda: None) -> None:
        super().__init__(config)
        self._beat = beat
        self._listeners: list[Listener] = []

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begins to listen: on the sockets given, else on the configuration's address.

        Raises:
            OSError: the address cannot be listened on.
        """
        if sockets is None:
            sockets = listening_sockets(self.config.host, self.config.port)
        # Without sockets uvicorn makes no servers; it ends the process if the application does not start.
        await super().startup(sockets=[])
        state = self.lifespan.state
        registry: Registry = state["connections"]
        settings = registry.settings

        def connection() -> HttpConnection:
            return HttpConnection(self.config, self.server_state, state)

        self._listeners = [
            Listener(each, connection, registry.tls, settings.handshake_s, settings.send_s) for each in sockets
        ]
        parent = multiprocessing.parent_process()
        if parent is not None:
            asyncio.get_running_loop().add_reader(parent.sentinel, self._orphaned, parent.sentinel)

    def _orphaned(self, sentinel: int) -> None:
        self.should_exit = True
        asyncio.get_running_loop().remove_reader(sentinel)

    async def on_tick(self, counter: int) -> bool:
        """Beats; uvicorn calls this ten times a second."""
        self._beat()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drains, then shuts down."""
        streams: Streams = self.lifespan.state["streams"]
        streams.drain()
        deadline = monotonic() + streams.settings.drain_s + 1
        while len(streams) and monotonic() < deadline and not self.force_exit:  # a signal may change it
            self._beat()
            await asyncio.sleep(POLL_S)
        for listener in self._listeners:
            listener.close()
        await super().shutdown()
