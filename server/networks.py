"""The networks that a service offers: loaded once, found by variant."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from model.certificate import certified_policy
from model.checkpoint import shipped_weights
from model.config import VARIANTS
from model.exit_policy import CalibratedPolicy
from model.runtime import AnyCheckpoint, load_any_checkpoint, load_runtime
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


@dataclass(frozen=True, slots=True)
class Weights:
    """What a network is made of, once and for all: the processes of a service share it, whatever becomes of the files.

    Attributes:
        checkpoint: the weights.
        certified: the policy of the certificate beside them, if there is one.
    """

    checkpoint: AnyCheckpoint
    certified: CalibratedPolicy | None


def read_weights(settings: Settings) -> list[Weights]:
    """Reads the files that the settings name.

    Raises:
        CheckpointError: a file of weights that cannot be used.
        CertificateError: a certificate beside the weights that was altered or is for others.
    """
    shipped = (shipped_weights(variant, settings.arithmetic) for variant in VARIANTS)
    found = []
    for path in settings.weights or [path for path in shipped if path.is_file()]:
        checkpoint = load_any_checkpoint(path)
        found.append(Weights(checkpoint, certified_policy(path, checkpoint.digest)))
        log.info("serving %s from %s", checkpoint.config.name, path)
    return found


def make_networks(found: Iterable[Weights], runtime: str | None) -> dict[str, ServedNetwork]:
    """Networks that run, by variant.

    Raises:
        RuntimeUnavailableError: nothing to run them on.
    """
    return {
        each.checkpoint.config.name: ServedNetwork(
            load_runtime(each.checkpoint, runtime), each.checkpoint.digest, each.certified
        )
        for each in found
    }


def load_networks(settings: Settings) -> dict[str, ServedNetwork]:
    """Reads the weights that the settings name and makes networks of them; raises what these two raise."""
    return make_networks(read_weights(settings), settings.runtime)
