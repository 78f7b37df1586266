"""A uvicorn server that lets streams finish before it cuts connections."""

import asyncio
import logging
import socket
from time import monotonic

import uvicorn
from uvicorn.supervisors import multiprocess

from server.stream.streams import Streams

POLL_S = 0.05
LAST_S = 10.0  # beyond `drain_s`, for uvicorn's own shutdown: a worker that takes longer hangs

log = logging.getLogger(__name__)


class DrainingServer(uvicorn.Server):
    """On a signal: no more streams, `going_away` to each, `drain_s` for their frames, then uvicorn's own shutdown.

    The application's lifespan gives the streams; uvicorn's lifespan hook itself comes after the sockets are cut.
    """

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drains, then shuts down."""
        streams: Streams | None = self.lifespan.state.get("streams")
        if streams is not None:
            seconds = streams.settings.drain_s
            streams.drain()
            deadline = monotonic() + seconds + 1
            while len(streams) and monotonic() < deadline and not self.force_exit:  # noqa: ASYNC110 - a signal may change it
                await asyncio.sleep(POLL_S)
        await super().shutdown(sockets)


class _Worker(multiprocess.Process):
    """One process of several, with our server."""

    _asked_at: float | None = None

    @property
    def server(self) -> uvicorn.Server:
        if self._server is None:
            self._server = DrainingServer(self.config)
        return self._server

    def is_alive(self, timeout: float = 5) -> bool:
        """Whether it runs and has left no ping unanswered for `timeout` seconds.

        uvicorn's own waits for the answer, and the parent acts on no signal meanwhile: not while a worker starts or
        hangs, nor for the whole `timeout` after one was killed before it answered, as the parent holds both ends of
        the pipe, which then does not break.
        """
        if not self.process.is_alive():
            return False
        try:
            while self.parent_conn.poll():
                self.parent_conn.recv()
                self._asked_at = None
            if self._asked_at is None:
                self.parent_conn.send(b"ping")
                self._asked_at = monotonic()
        except (OSError, EOFError):
            return False
        return monotonic() - self._asked_at < timeout


class _Workers(multiprocess.Multiprocess):
    """The parent of several processes."""

    def __init__(self, config: uvicorn.Config, drain_s: float) -> None:
        super().__init__(config, sockets=[config.bind_socket()])
        self._drain_s = drain_s

    def join_all(self) -> None:
        """Waits for workers that were told to end; kills those that do not."""
        deadline = monotonic() + self._drain_s + LAST_S
        for worker in self.processes:
            worker.process.join(max(0.0, deadline - monotonic()))
            if worker.exitcode is None:
                log.error("worker %s did not end in time and is killed", worker.pid)
                worker.kill()
                worker.process.join()


def run_workers(config: uvicorn.Config, drain_s: float) -> None:
    """Serves with `config.workers` processes on one port; one that dies is replaced."""
    multiprocess.Process = _Worker  # type: ignore[misc]  # uvicorn has no argument for it
    _Workers(config, drain_s).run()
