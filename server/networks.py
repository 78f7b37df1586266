"""The networks that a service offers: loaded once, found by variant."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from model.certificate import Certificate, certificate_of
from model.checkpoint import CheckpointError, shipped_weights
from model.config import VARIANTS
from model.exit_policy import CalibratedPolicy, PublishedPolicy
from model.runtime import AnyCheckpoint, load_any_checkpoint, load_runtime
from model.step import StepRuntime
from server.errors import ServiceError
from server.settings import Settings

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ServedNetwork:
    """A network that clients may ask for.

    Attributes:
        runtime: runs the network.
        digest: SHA-256 of the weights, hexadecimal.
        certified: the policy of the weights' certificate; None without a certificate.
    """

    runtime: StepRuntime
    digest: str
    certified: CalibratedPolicy | None = None


Networks = Mapping[str, ServedNetwork]
"""Served networks by variant, the default one first."""


def choose(networks: Networks, variant: str | None) -> ServedNetwork:
    """The served network of a variant; None: the first one.

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
    """Weights and policy of a network, read once: the processes of a service share them, even if the files change.

    Attributes:
        path: the file of the weights.
        checkpoint: the weights.
        certificate: the certificate beside the weights; None without a certificate.
    """

    path: Path
    checkpoint: AnyCheckpoint
    certificate: Certificate | None


def read_weights(settings: Settings) -> list[Weights]:
    """Reads the files that the settings name.

    Raises:
        CheckpointError: a file of weights that cannot be used, or the second of one variant.
        CertificateError: a certificate beside the weights that was altered or is for others.
    """
    shipped = (shipped_weights(variant, settings.arithmetic) for variant in VARIANTS)
    found: list[Weights] = []
    for path in settings.weights or [path for path in shipped if path.is_file()]:
        checkpoint = load_any_checkpoint(path)
        for first in found:
            if first.checkpoint.config.name == checkpoint.config.name:
                raise CheckpointError(
                    f"{path}: the network {checkpoint.config.name} is served from {first.path}; "
                    "a service has one network of each size, so start another service for these weights"
                )
        found.append(Weights(path, checkpoint, certificate_of(path, checkpoint.digest)))
    return found


def tell_served(found: Iterable[Weights]) -> None:
    """Logs each network, its file, and the policy that streams have if they name none; for a service that listens."""
    for each in found:
        policy = f"policy {PublishedPolicy.name}, since there is no certificate beside the weights"
        if each.certificate is not None:
            certificate = f"certificate {each.certificate.digest[:8]}"
            policy = f"policy {CalibratedPolicy.name}, {certificate}. {each.certificate.policy.promise}"
        log.info("serving %s from %s; %s", each.checkpoint.config.name, each.path, policy)


def make_networks(found: Iterable[Weights], runtime: str | None) -> dict[str, ServedNetwork]:
    """Makes served networks from weights, by variant.

    Raises:
        RuntimeUnavailableError: no runtime is installed.
    """
    networks = {}
    for each in found:
        certified = each.certificate.policy if each.certificate else None
        network = ServedNetwork(load_runtime(each.checkpoint, runtime), each.checkpoint.digest, certified)
        networks[each.checkpoint.config.name] = network
    return networks


def load_networks(settings: Settings) -> dict[str, ServedNetwork]:
    """Reads the weights that the settings name and makes networks of them.

    Raises:
        CheckpointError, CertificateError: as `read_weights`.
        RuntimeUnavailableError: as `make_networks`.
    """
    return make_networks(read_weights(settings), settings.runtime)
