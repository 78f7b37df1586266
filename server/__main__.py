"""Runs the service: `python -m server --help`."""

import logging
import os
import sys

import uvicorn
from fastapi import FastAPI
from pydantic import ValidationError
from pydantic_settings import CliApp

from model.checkpoint import CheckpointError
from model.runtime import RuntimeUnavailableError
from server.app import create_app
from server.service import load_service
from server.settings import Settings


def run(settings: Settings) -> None:
    """Serves until interrupted.

    Raises:
        CheckpointError: weights that cannot be used.
    """
    _log()
    service = load_service(settings)  # here, so that what's wrong is said once and not by every worker
    if settings.workers > 1:
        os.environ |= settings.environment()
    uvicorn.run(
        "server.__main__:worker" if settings.workers > 1 else lambda: create_app(service),
        factory=True,
        workers=settings.workers,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http="httptools",
        ws="websockets-sansio",
        ws_max_size=settings.message_bytes,
        ws_per_message_deflate=False,  # raw pixels hardly shrink, and it would cost every burst
        access_log=False,
        log_config=None,
    )


def worker() -> FastAPI:
    """The application of one of several processes, which has its settings from the environment."""
    _log()
    return create_app(load_service(Settings()))


def _log() -> None:
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")


def main() -> None:
    """Settings from the command line and the environment."""
    try:
        run(CliApp.run(Settings))
    except (ValidationError, CheckpointError, RuntimeUnavailableError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
