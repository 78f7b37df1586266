"""The networks that a service offers: loaded once, found by variant."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from model.certificate import certified_policy
from model.checkpoint import load_checkpoint, shipped_weights
from model.config import VARIANTS
from model.exit_policy import CalibratedPolicy
from model.runtime import load_runtime
from model.step import StepRuntime
from server.errors import ServiceError
from server.settings import Settings

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ServedNetwork:
    """A network that clients may ask for.

    Attributes:
        runtime: runs it.
        digest: SHA-256 of its weights, hexadecimal.
        certified: the policy certified for these weights, if one is.
    """

    runtime: StepRuntime
    digest: str
    certified: CalibratedPolicy | None = None


Networks = Mapping[str, ServedNetwork]
"""By variant, the default one first."""


def choose(networks: Networks, variant: str | None) -> ServedNetwork:
    """The network of that variant; the first one if None.

    Raises:
        ServiceError: `unknown_variant`.
    """
    if variant is None and networks:
        return next(iter(networks.values()))
    if variant is None or variant not in networks:
        served = ", ".join(networks) or "none"
        raise ServiceError("unknown_variant", f"the variant {str(variant)[:40]!r} is not served; there is {served}")
    return networks[variant]


def load_networks(settings: Settings) -> dict[str, ServedNetwork]:
    """Loads the networks that the settings name.

    Raises:
        CheckpointError: a file of weights that cannot be used.
        CertificateError: a certificate beside the weights that was altered or is for others.
        RuntimeUnavailableError: nothing to run them on.
    """
    networks = {}
    for path in settings.weights or [path for path in map(shipped_weights, VARIANTS) if path.is_file()]:
        checkpoint = load_checkpoint(path)
        runtime = load_runtime(checkpoint, settings.runtime)
        certified = certified_policy(path, checkpoint.digest)
        networks[checkpoint.config.name] = ServedNetwork(runtime, checkpoint.digest, certified)
        log.info("serving %s from %s", checkpoint.config.name, path)
    return networks
