"""Runs the service: `python -m server --help`."""

import os
import secrets
import shutil
import signal
import sys
import tempfile

import uvicorn
from fastapi import FastAPI
from pydantic import SecretStr, ValidationError
from pydantic_settings import CliApp

from model.certificate import CertificateError
from model.checkpoint import CheckpointError
from model.step import RuntimeUnavailableError
from server.app import create_app
from server.networks import load_networks
from server.process.connections import connection_options
from server.process.drain import DrainingServer, run_workers
from server.process.logs import log_as_json
from server.process.metrics import FOLDER as METRICS_FOLDER
from server.settings import Settings


def run(settings: Settings) -> None:
    """Serves until interrupted.

    Raises:
        CheckpointError: weights that cannot be used.
        CertificateError: a certificate beside them that was altered or is for others.
    """
    log_as_json()
    networks = load_networks(settings)  # here, so that what's wrong is said once and not by every worker
    several = settings.workers > 1
    if several:
        settings = settings.model_copy(
            update={"resume_key": settings.resume_key or SecretStr(secrets.token_hex())}  # the same for every worker
        )
        os.environ |= settings.environment()
        folder = os.environ[METRICS_FOLDER] = tempfile.mkdtemp(prefix="rascanet-")
    config = uvicorn.Config(
        "server.__main__:worker" if several else lambda: create_app(settings, networks),
        factory=True,
        workers=settings.workers,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        timeout_worker_healthcheck=60,  # on a busy machine a worker takes more than the default 5 s to start
        timeout_graceful_shutdown=5,  # for what is left after the streams are drained
        access_log=False,
        log_config=None,
        **connection_options(settings),
    )
    signal.signal(signal.SIGTERM, _stopped)  # uvicorn raises it again once it has stopped
    try:
        if several:
            run_workers(config, settings.drain_s)
        else:
            DrainingServer(config).run()
    except KeyboardInterrupt:
        pass
    finally:
        if several:
            shutil.rmtree(folder, ignore_errors=True)


def _stopped(_signal: int, _frame: object) -> None:
    raise SystemExit(0)


def worker() -> FastAPI:
    """The application of one of several processes, which has its settings from the environment."""
    log_as_json()
    settings = Settings()
    return create_app(settings, load_networks(settings))


def main() -> None:
    """Settings from the command line and the environment."""
    try:
        run(CliApp.run(Settings))
    except (ValidationError, CertificateError, CheckpointError, RuntimeUnavailableError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
