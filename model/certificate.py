"""A promise about early exits, as a file: which policy, for which weights, on what evidence.

Learn then Test (Angelopoulos et al. 2021): candidate policies in an order chosen beforehand on other pictures, from
the most to the least careful; each is tested on the calibration pictures with an exact binomial p-value of the
hypothesis that its risk is above `risk`; testing stops at the first that is not rejected at `delta` (fixed-sequence
testing). With probability 1 - delta over the calibration pictures, the last one rejected has a risk of at most `risk`.
"""

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self

from model.exit_policy import CalibratedPolicy, PolicyError, TwoSidedPolicy

FORMAT = "rascanet-stream certificate/1"
LOSSES = ("disagreement", "accuracy")
"""What is lost: the early decision differs from the full frame's; or it does, and is wrong."""


class CertificateError(ValueError):
    """A certificate that can't be made or can't be used."""


def binomial_p_value(errors: int, trials: int, risk: float) -> float:
    """P(at most so many errors in so many trials) if each has the probability `risk`: exact.

    A valid p-value of "the risk is above `risk`"; 1 where there are no trials.
    """
    if errors >= trials:
        return 1.0
    terms = (
        math.lgamma(trials + 1)
        - math.lgamma(count + 1)
        - math.lgamma(trials - count + 1)
        + count * math.log(risk)
        + (trials - count) * math.log1p(-risk)
        for count in range(errors + 1)
    )
    return min(1.0, math.fsum(math.exp(term) for term in terms))


def least_trials(risk: float, delta: float) -> int:
    """How many pictures a promise needs at least: so many that none of them wrong is evidence enough."""
    return math.ceil(math.log(delta) / math.log1p(-risk))


def last_safe(errors: Sequence[int], trials: int, risk: float, delta: float) -> int:
    """Fixed-sequence testing: the index of the last candidate whose p-value, like all before it, is at most delta.

    Args:
        errors: by candidate, in the order of testing.

    Returns:
        -1 if not even the first one passes.
    """
    for index, count in enumerate(errors):
        if binomial_p_value(count, trials, risk) > delta:
            return index - 1
    return len(errors) - 1


@dataclass(frozen=True, slots=True)
class Certificate:
    """What `rascanet calibrate` promises.

    Attributes:
        variant, weights: the network, and the SHA-256 of its config and tensors.
        exit_above, exit_below: the policy.
        loss: one of `LOSSES`.
        risk, delta: with probability 1 - delta over the calibration pictures, the loss is at most `risk`.
        pictures, errors: of the calibration set, and of those the ones lost under the policy.
        processed_ratio: mean share of bursts processed on them.
        candidates, tested: policies in the order, and how many of them were tested.
        photos_index_sha256: of the index of photographs.
        made_by: the command.
    """

    variant: str
    weights: str
    exit_above: float
    exit_below: float
    loss: str
    risk: float
    delta: float
    pictures: int
    errors: int
    processed_ratio: float
    candidates: int
    tested: int
    photos_index_sha256: str
    made_by: str

    @property
    def digest(self) -> str:
        """SHA-256 over all fields."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()

    @property
    def policy(self) -> CalibratedPolicy:
        return CalibratedPolicy(
            self.exit_above, self.exit_below, risk=self.risk, delta=self.delta, certificate=self.digest
        )

    def save(self, path: Path) -> None:
        """Writes the file, with its digest."""
        document = {"format": FORMAT, **asdict(self), "digest": self.digest}
        path.write_text(json.dumps(document, indent=1) + "\n")

    @classmethod
    def load(cls, path: Path, weights: str) -> Self:
        """Reads and checks the certificate of the weights with that digest.

        Raises:
            CertificateError: no such file, another kind of file, altered, or made for other weights.
        """
        try:
            document: dict[str, Any] = json.loads(path.read_text())
            if document.pop("format") != FORMAT:
                raise ValueError("another format")
            digest = document.pop("digest")
            if sorted(document) != sorted(field.name for field in fields(cls)):
                raise ValueError("other fields")
            certificate = cls(**document)
            TwoSidedPolicy(certificate.exit_above, certificate.exit_below)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, PolicyError) as error:
            raise CertificateError(f"{path}: not a certificate that `rascanet calibrate` wrote ({error})") from error
        if certificate.digest != digest:
            raise CertificateError(f"{path}: the certificate was altered after it was made; make it anew")
        if certificate.weights != weights:
            raise CertificateError(
                f"{path}: the certificate is for other weights ({certificate.weights[:12]}, not {weights[:12]}); "
                "make one with `rascanet calibrate`"
            )
        return certificate


def certificate_beside(weights: Path) -> Path:
    """Where the certificate of a file of weights lies, if there is one."""
    return weights.with_suffix(".certificate.json")


def certified_policy(weights: Path, digest: str) -> CalibratedPolicy | None:
    """The policy of the certificate beside a file of weights with that digest; None where there is none.

    Raises:
        CertificateError: see `Certificate.load`.
    """
    path = certificate_beside(weights)
    return Certificate.load(path, digest).policy if path.is_file() else None
