"""Certificates: files that promise how much early exits lose, under which policy, for which weights, on which counts.

Learn then Test (Angelopoulos et al. 2021): candidate policies are chosen beforehand on other pictures; each is tested
on the calibration pictures with an exact binomial p-value of the hypothesis that its risk is above `risk`, under a
procedure that keeps the chance of any false rejection at `delta`. With probability 1 - delta over the calibration
pictures, every policy whose hypothesis was rejected has a risk of at most `risk`; `model.training.certify` does it.
P-values are exact, because the losses are 0 or 1: a bound for means (Hoeffding-Bentkus) could only be weaker.
"""

import hashlib
import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final, Self

import msgspec

from model.exit_policy import CalibratedPolicy, PolicyError
from model.promise import CONDITIONS, LOSSES

FORMAT = "rascanet-stream certificate/2"
PROCEDURES = ("fixed-sequence", "holm")

WEAKEST: Final = 0.5
"""Largest risk, and largest delta, that a command promises; a test compares it with the options of `calibrate`."""
MOST_BYTES: Final = 1_000_000
"""Largest certificate file that is read."""
MOST_PICTURES: Final = 1_000_000
"""Most calibration pictures of a certificate; checking it takes time for each lost one."""


class CertificateError(ValueError):
    """A certificate that can't be made or can't be used."""


def binomial_p_value(errors: int, trials: int, risk: float) -> float:
    """P(at most `errors` errors in `trials` trials) if each trial errs with probability `risk` (0..1): exact.

    A valid p-value, 0..1, of the hypothesis "the risk is above `risk`"; 1 where there are no trials.
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
    """The smallest number of pictures with which zero losses would be significant; `risk` and `delta` above 0, below 1.

    Zero losses in n pictures have the probability (1 - risk)^n under the hypothesis that the risk is above `risk`.
    """
    return math.ceil(math.log(delta) / math.log1p(-risk))


@dataclass(frozen=True, slots=True)
class Span:
    """Counts of the calibration pictures that are decided in one part of the frame.

    Attributes:
        after, until: fractions of the frame's bursts, 0..1. A picture counts if more than `after` and at most `until`
            of the bursts were read when it was decided. From 0 to 1: every picture.
        pictures: number of pictures.
        errors: number of these that are lost, see `model.promise.LOSSES`.
    """

    after: float
    until: float
    pictures: int
    errors: int


def p_value(spans: Iterable[Span], risk: float) -> float:
    """The p-value of the hypothesis that the risk is above `risk` in at least one span (intersection-union test)."""
    return max(binomial_p_value(span.errors, span.pictures, risk) for span in spans)


@dataclass(frozen=True, slots=True)
class Certificate:
    """The promise that `rascanet calibrate` makes, with its evidence.

    Attributes:
        variant: name of the network.
        weights: SHA-256 of the network's config and tensors.
        person_first, person_last, empty_first, empty_last: parameters of the policy, see `PerBurstPolicy`.
        loss, procedure, condition: one of `model.promise.LOSSES`, `PROCEDURES`, `model.promise.CONDITIONS`.
        risk, delta: with probability 1 - delta over the calibration pictures, the loss is at most `risk`.
        pictures: number of pictures in the calibration set.
        spans: counts on these pictures under the policy; one span where the promise is marginal.
        processed_ratio: mean share of bursts processed on these pictures, 0..1.
        candidates: number of policies chosen beforehand.
        tested: number of candidates that were tested.
        photos_index_sha256: SHA-256 of the index of photographs.
        made_by: the command that wrote the certificate.
    """

    variant: str
    weights: str
    person_first: float
    person_last: float
    empty_first: float
    empty_last: float
    loss: str
    procedure: str
    condition: str
    risk: float
    delta: float
    pictures: int
    spans: tuple[Span, ...]
    processed_ratio: float
    candidates: int
    tested: int
    photos_index_sha256: str
    made_by: str

    @property
    def digest(self) -> str:
        """SHA-256 over all fields."""
        return _digest(asdict(self))

    @property
    def policy(self) -> CalibratedPolicy:
        return CalibratedPolicy(
            self.person_first,
            self.person_last,
            self.empty_first,
            self.empty_last,
            loss=self.loss,
            condition=self.condition,
            risk=self.risk,
            delta=self.delta,
            certificate=self.digest,
        )

    @property
    def errors(self) -> int:
        """Number of calibration pictures lost."""
        return sum(span.errors for span in self.spans)

    def check(self) -> None:
        """Checks that the counts support the promise.

        Raises:
            ValueError: the counts don't, or a field is out of its range.
        """
        _ = self.policy  # refuses impossible thresholds
        known = {"loss": LOSSES, "procedure": PROCEDURES, "condition": CONDITIONS}
        for name, values in known.items():
            if getattr(self, name) not in values:
                raise ValueError(f"{name} must be one of {', '.join(values)}")
        if not 0 < self.pictures <= MOST_PICTURES or any(min(each.pictures, each.errors) < 0 for each in self.spans):
            raise ValueError(f"pictures and errors must be counts, at most {MOST_PICTURES} pictures")
        if not (0 < self.risk < 1 and 0 < self.delta < 1):
            raise ValueError("risk and delta must be between 0 and 1")
        counted = sum(span.pictures for span in self.spans)
        if not 0 < counted <= self.pictures or (self.condition == "marginal" and counted < self.pictures):
            raise ValueError("its counts don't add up")
        if p_value(self.spans, self.risk) > self.delta:
            raise ValueError("its counts don't support its promise")

    def save(self, path: Path) -> None:
        """Writes the certificate and its digest as a JSON file."""
        document = {"format": FORMAT, **asdict(self), "digest": self.digest}
        path.write_text(json.dumps(document, indent=1) + "\n")

    @classmethod
    def load(cls, path: Path, weights: str) -> Self:
        """Reads and checks a certificate.

        Args:
            path: the file.
            weights: digest of the weights that the certificate must have been made for (`Checkpoint.digest`).

        Raises:
            CertificateError: no such file, another kind of file, an altered one, or one made for other weights.
        """
        try:
            with path.open("rb") as file:
                content = file.read(MOST_BYTES + 1)
            if len(content) > MOST_BYTES:
                raise ValueError(f"more than {MOST_BYTES} bytes")
            document: dict[str, Any] = json.loads(content)
            if document.pop("format") != FORMAT:
                raise ValueError("another format")
            digest = document.pop("digest")
            if sorted(document) != sorted(field.name for field in fields(cls)):
                raise ValueError("other fields")
            altered = _digest(document) != digest
            if not altered:
                certificate = msgspec.convert(document, cls)
                certificate.check()
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, PolicyError) as error:
            raise CertificateError(f"{path}: not a certificate that `rascanet calibrate` wrote ({error})") from error
        if altered:
            raise CertificateError(f"{path}: the certificate was altered after it was made; make it anew")
        if certificate.weights != weights:
            raise CertificateError(
                f"{path}: the certificate is for other weights ({certificate.weights[:12]}, not {weights[:12]}); "
                "make one with `rascanet calibrate`"
            )
        return certificate


def _digest(values: dict[str, Any]) -> str:
    """SHA-256 over the fields of a certificate."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def certificate_beside(weights: Path) -> Path:
    """The path at which the certificate of a file of weights is looked for."""
    return weights.with_suffix(".certificate.json")


def certificate_of(weights: Path, digest: str) -> Certificate | None:
    """The certificate beside a file of weights; None where there is none.

    Args:
        weights: the file of weights.
        digest: the weights' digest (`Checkpoint.digest`).

    Raises:
        CertificateError: see `Certificate.load`.
    """
    path = certificate_beside(weights)
    return Certificate.load(path, digest) if path.is_file() else None


def certified_policy(weights: Path, digest: str) -> CalibratedPolicy | None:
    """The policy of the certificate beside a file of weights; None where there is no certificate.

    Args, Raises: as `certificate_of`.
    """
    certificate = certificate_of(weights, digest)
    return certificate.policy if certificate else None
