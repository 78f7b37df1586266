"""What the endpoints share: settings, networks, the count of open streams."""

import logging
from dataclasses import dataclass
from pathlib import Path

from model.checkpoint import Checkpoint, load_checkpoint, shipped_weights
from model.config import VARIANTS
from model.runtime import load_runtime
from server.session import ServedModel
from server.settings import Settings

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Service:
    """One process's service."""

    settings: Settings
    models: dict[str, ServedModel]
    streams: int = 0


def load_service(settings: Settings) -> Service:
    """Loads the networks that the settings name.

    Raises:
        CheckpointError: a file of weights that cannot be used, or none at all.
    """
    paths = settings.weights or [path for path in map(shipped_weights, VARIANTS) if path.is_file()]
    models = {
        checkpoint.config.name: _serve(checkpoint, path) for path in paths for checkpoint in (load_checkpoint(path),)
    }
    return Service(settings, models)


def _serve(checkpoint: Checkpoint, path: Path) -> ServedModel:
    log.info("serving %s from %s", checkpoint.config.name, path)
    return ServedModel(load_runtime(checkpoint), checkpoint.digest)
