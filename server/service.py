"""The service: one process, or several on one port."""

import logging
import os
import pickle
import secrets
import signal
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack, suppress
from socket import socket
from typing import Any

import uvicorn
from prometheus_client.multiprocess import mark_process_dead
from pydantic import SecretStr

from server.app import create_app
from server.audit_counts import AuditCounts, Totals, cells_of
from server.audits import watched
from server.connections.draining_server import DrainingServer
from server.connections.listener import listening_sockets
from server.connections.tls import tls_context
from server.connections.uvicorn_options import connection_options
from server.networks import Weights, make_networks, read_weights, tell_served
from server.process.audits_file import AuditsFile, alone
from server.process.descriptors import make_room
from server.process.logs import log_as_json
from server.process.metrics import FOLDER as METRICS_FOLDER
from server.process.workers import SPAWN, run_workers
from server.settings import Settings

logger = logging.getLogger(__name__)


def run(
    settings: Settings,
    log: Callable[[], None] = log_as_json,
    listening: Callable[[list[socket]], None] = lambda _: None,
) -> None:
    """Serves until interrupted.

    Args:
        settings: settings of the service.
        log: sets up the log of this process; several workers always log as JSON.
        listening: called with the sockets once everything is ready to serve.

    Raises:
        CheckpointError: weights that cannot be used.
        CertificateError: a certificate beside the weights that was altered or is for other weights.
        RuntimeUnavailableError: no runtime is installed.
        TlsError: a certificate or a key that cannot be used.
        ListenError: an address that cannot be listened on.
        AuditsFileError: a file of audits that cannot be used.
    """
    for name in [each for each in os.environ if each.upper() in Settings.secret_variables()]:
        del os.environ[name]  # children inherit it
    _end_on_signals()
    log()
    tls_context(settings)  # here, so that it is said once and not by every worker
    with ExitStack() as held:
        sockets = listening_sockets(settings.host, settings.port)  # first: a taken port is told at once
        for each in sockets:
            held.enter_context(each)
        weights = read_weights(settings)
        certificates = list(watched(make_networks(weights, settings.runtime)))
        cells = SPAWN.RawArray("q", cells_of(certificates, settings.workers))
        earlier: Mapping[str, Totals] = {}
        if settings.audits_file:
            held.enter_context(alone(settings.audits_file))
            kept = AuditsFile(settings.audits_file, AuditCounts(certificates, cells))
            kept.take_over()
            kept.save()
            held.callback(kept.save)  # however the service ends
            earlier = kept.kept
        elif certificates and settings.audit_share:
            logger.info("the counts of audits begin at 0; the setting audits_file keeps them over restarts")
        tell_served(weights)
        listening(sockets)
        held.enter_context(suppress(KeyboardInterrupt))
        if settings.workers == 1:
            _serve(settings, weights, sockets, cells, earlier)
        else:
            _serve_by_workers(settings, weights, sockets, cells, earlier)


def _serve_by_workers(
    settings: Settings, weights: list[Weights], sockets: list[socket], cells: Any, earlier: Mapping[str, Totals]
) -> None:
    key = settings.resume_key or SecretStr(secrets.token_hex())  # the same for every worker
    with tempfile.TemporaryDirectory(prefix="rascanet-") as folder:
        os.environ[METRICS_FOLDER] = folder
        # Shared memory, not an argument: a child that dies before it has read more than a pipe holds stops its parent.
        pickled = SPAWN.Array("c", pickle.dumps(weights), lock=False)
        run_workers(
            settings.workers,
            worker,
            (settings.model_copy(update={"resume_key": key}), pickled, sockets, cells, earlier),
            settings.drain_s,
            lambda pid: mark_process_dead(pid, folder),
        )


def worker(
    settings: Settings,
    pickled: Any,
    sockets: list[socket],
    cells: Any,
    earlier: Mapping[str, Totals],
    number: int,
    beats: Any,
) -> None:
    """Runs one process of several, with the weights that its parent read.

    Args:
        settings: settings of the service.
        pickled: the weights.
        sockets: sockets to accept connections on.
        cells: counts of audits, shared by all workers.
        earlier: counts of earlier runs.
        number: number of the worker, from 0; the first one writes the counts of audits to their file.
        beats: counter, which is incremented at every beat.
    """
    _end_on_signals()
    log_as_json()

    def beat() -> None:
        beats.value += 1

    with suppress(KeyboardInterrupt):
        _serve(settings, pickle.loads(pickled.raw), sockets, cells, earlier, number, beat)  # noqa: S301 - written by the parent


def _serve(
    settings: Settings,
    weights: Iterable[Weights],
    sockets: list[socket],
    cells: Any,
    earlier: Mapping[str, Totals],
    number: int = 0,
    beat: Callable[[], None] = lambda: None,
) -> None:
    make_room(settings.max_connections)
    networks = make_networks(weights, settings.runtime)
    counts = AuditCounts(list(watched(networks)), cells, number)
    # Read once, by the parent: a worker that takes another's place must not depend on what became of the file.
    file = settings.audits_file if number == 0 else None
    app = create_app(settings, networks, counts, AuditsFile(file, counts, earlier) if file else None)
    config = uvicorn.Config(
        app,
        loop="uvloop" if sys.platform != "win32" else "asyncio",
        lifespan="on",
        timeout_graceful_shutdown=5,  # for what is left after the streams are drained
        access_log=False,
        log_config=None,
        **connection_options(settings),
    )
    server = DrainingServer(config, beat)
    try:
        server.run(sockets=sockets)
    except SystemExit:
        # The application did not start, and uvicorn has logged why: a fault, whatever its status.
        if not server.started:
            raise SystemExit(1) from None
        raise


def _end_on_signals() -> None:
    """Lets SIGTERM end the process, and SIGHUP, which a terminal sends as it closes, do the same; not under `nohup`."""
    signal.signal(signal.SIGTERM, _stopped)  # uvicorn raises it again once it has stopped
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda _signal, _frame: signal.raise_signal(signal.SIGTERM))


def _stopped(_signal: int, _frame: object) -> None:
    raise SystemExit(0)
