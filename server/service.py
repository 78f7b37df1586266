"""What the endpoints share: settings, networks, the count of open streams."""

import logging
from dataclasses import dataclass

from model.checkpoint import load_checkpoint, shipped_weights
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
        CheckpointError: a file of weights that cannot be used.
        RuntimeUnavailableError: nothing to run them on.
    """
    models = {}
    for path in settings.weights or [path for path in map(shipped_weights, VARIANTS) if path.is_file()]:
        checkpoint = load_checkpoint(path)
        models[checkpoint.config.name] = ServedModel(load_runtime(checkpoint, settings.runtime), checkpoint.digest)
        log.info("serving %s from %s", checkpoint.config.name, path)
    return Service(settings, models)
