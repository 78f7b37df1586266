"""The network that classifies: in processes of this machine, or in a service."""

from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from clients.commands.classify.rows import Row
from clients.commands.sources import Picture
from clients.commands.weights import Weights

if TYPE_CHECKING:
    from clients.commands.classify.local import Setup
    from model.picture import PictureLimits

Done = tuple[Picture, Row]


class Classify(Protocol):
    """Classifies pictures, in their order."""

    def __call__(self, pictures: Iterable[Picture]) -> Generator[Done, None, None]: ...


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine that classifies pictures, and the facts about its network.

    Attributes:
        classify: gives a row for each picture.
        variant: name of the network.
        weights: SHA-256 of the weights.
        policy: exit policy, every parameter named.
        height, width: size of its frames (px).
        burst_rows: rows of a burst; `bursts_per_frame` of them make a frame.
    """

    classify: Classify
    variant: str
    weights: str
    policy: dict[str, Any]
    height: int
    width: int
    burst_rows: int
    bursts_per_frame: int

    @property
    def settings(self) -> dict[str, Any]:
        """Values that all rows have in common."""
        return {
            "variant": self.variant,
            "weights": self.weights,
            "policy": self.policy,
            "bursts_per_frame": self.bursts_per_frame,
        }


def local_setup(file: Path, policy: Mapping[str, Any] | None, *, curve: bool, limits: "PictureLimits") -> "Setup":
    """Returns the network of a file of weights, and how it classifies.

    Raises:
        CheckpointError, CertificateError, RuntimeUnavailableError: weights that can't be used.
        PolicyError: a policy that can't be had.
    """
    from clients.commands.classify.local import Setup
    from model.exit_policy import WHOLE_PICTURE_POLICY, parse_policy

    used = Weights.load(file)  # here, so that what's wrong is said once
    chosen = WHOLE_PICTURE_POLICY if policy is None else parse_policy(policy, used.certified)
    return Setup(used.checkpoint, chosen, curve, limits)


def local_engine(setup: "Setup", jobs: int) -> Engine:
    """Returns a network in processes of this machine."""
    from clients.commands.classify.local import classify_here
    from model.exit_policy import describe_policy

    config = setup.checkpoint.config
    return Engine(
        partial(classify_here, setup=setup, jobs=jobs),
        config.name,
        setup.checkpoint.digest,
        describe_policy(setup.policy),
        config.height,
        config.width,
        config.BURST_ROWS,
        config.bursts_per_frame,
    )


def remote_engine(
    url: str,
    variant: str,
    policy: Mapping[str, Any] | None,
    *,
    bearer_token: str | None,
    curve: bool,
    limits: "PictureLimits",
    connections: int,
) -> Engine:
    """Returns a network that a service serves.

    Raises:
        HttpError: the service does not answer, or does not serve the network.
        PolicyError: a policy that can't be had.
    """
    from clients.commands.classify.remote import classify_remotely
    from clients.python.errors import HttpError
    from clients.python.http import HttpClient
    from model.exit_policy import WHOLE_PICTURE_POLICY, CalibratedPolicy, PolicyError, describe_policy, parse_policy

    client = HttpClient(url, bearer_token=bearer_token, connections=connections)
    model = client.model(variant)
    try:
        known = {field.name for field in fields(CalibratedPolicy)}  # a later service may tell more
        promised = {key: value for key, value in (model.calibrated or {}).items() if key in known}
        certified = CalibratedPolicy(**promised) if promised else None
    except (TypeError, PolicyError) as error:
        raise HttpError("bad_answer", f"{url}: a policy 'calibrated' that can't be one ({error})") from error
    described = describe_policy(WHOLE_PICTURE_POLICY if policy is None else parse_policy(policy, certified))
    return Engine(
        partial(classify_remotely, client=client, limits=limits, variant=variant, policy=described, curve=curve),
        model.variant,
        model.weights,
        described,
        model.height,
        model.width,
        model.burst_rows,
        model.bursts_per_frame,
    )
