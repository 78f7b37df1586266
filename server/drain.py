"""A uvicorn server that lets streams finish before it cuts connections."""

import asyncio
import socket
from time import monotonic

import uvicorn
from uvicorn.supervisors import multiprocess

from server.service import Service

POLL_S = 0.05


class DrainingServer(uvicorn.Server):
    """On a signal: no more streams, `going_away` to each, `drain_s` for their frames, then uvicorn's own shutdown.

    The application's lifespan gives the service; uvicorn's lifespan hook itself comes after the sockets are cut.
    """

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drains, then shuts down."""
        service: Service | None = self.lifespan.state.get("service")
        if service is not None:
            seconds = service.settings.drain_s
            service.drain()
            deadline = monotonic() + seconds + 1
            while service.streams and monotonic() < deadline and not self.force_exit:  # noqa: ASYNC110 - a signal may change it
                await asyncio.sleep(POLL_S)
        await super().shutdown(sockets)


class _Worker(multiprocess.Process):
    """One process of several, with our server."""

    @property
    def server(self) -> uvicorn.Server:
        if self._server is None:
            self._server = DrainingServer(self.config)
        return self._server


def run_workers(config: uvicorn.Config) -> None:
    """Serves with `config.workers` processes on one port; one that dies is replaced."""
    multiprocess.Process = _Worker  # type: ignore[misc]  # uvicorn has no argument for it
    multiprocess.Multiprocess(config, sockets=[config.bind_socket()]).run()
