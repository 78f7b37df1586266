"""Bodies of what is told about the service."""

from typing import Any

from pydantic import BaseModel, Field

from model.exit_policy import DEFAULT_POLICY, WHOLE_PICTURE_POLICY
from model.promise import CONDITIONS, LOSSES


class Health(BaseModel):
    """The service answers."""

    status: str = "ok"
    streams: int = Field(description="open websocket streams")


class CertificateWatch(BaseModel):
    """Results of the audits of a certificate so far, over all processes of the service."""

    agreed: int = Field(description="audits whose whole frame was decided as at the exit")
    lost: int = Field(description="audits whose whole frame was decided otherwise")
    unsent: int = Field(description="audits whose rest the sensor did not send")
    interrupted: int = Field(description="audits that the connection did not outlive")
    alpha: float = Field(description="chance that a promise that holds is ever refuted, and that the bound is wrong")
    log10_evidence: float = Field(description="evidence against the promise; at -log10(alpha) it is refuted")
    risk_upper: float = Field(description="upper bound of the share of decisions lost to early exits")
    alarm: bool = Field(description="whether the promise is refuted")


class Model(BaseModel):
    """A network that is served."""

    variant: str
    height: int
    width: int
    burst_rows: int
    bursts_per_frame: int
    weights: str = Field(description="SHA-256 of the weights")
    calibrated: dict[str, Any] | None = Field(
        description="the policy `calibrated` for these weights, with its promise: at most a share `risk` of the "
        "decisions is lost, and the chance that this is wrong is `delta`. `loss` says which decisions are lost, one of "
        f"{', '.join(LOSSES)}; `condition` says how they are counted, one of {', '.join(CONDITIONS)} "
        "(docs/early-exit.md#the-promise). None without a certificate"
    )
    watch: CertificateWatch | None = Field(
        None, description="results of the audits of this promise; none if no exits are audited"
    )
    stream_policy: str = Field(
        description=f"the policy of streams and sequences that name none: {DEFAULT_POLICY}", examples=["calibrated"]
    )
    picture_policy: str = Field(
        description=f"the policy of whole pictures and frames where none is named: `{WHOLE_PICTURE_POLICY.name}`"
    )


class ParameterRange(BaseModel):
    """Range of a parameter."""

    label: str = Field(description="for people")
    low: float
    high: float
    above_low: bool = Field(description="`low` itself is not in the range")
    whole: bool = Field(description="only whole numbers")


class PolicyKind(BaseModel):
    """An exit policy that anybody may set."""

    name: str
    label: str = Field(description="for people")
    sentence: str = Field(description="its rule; `{parameter}` stands for a value, `{parameter:%}` for a share")
    parameters: dict[str, float] = Field(description="their defaults")
    ranges: dict[str, ParameterRange]
    ordered: tuple[str, str] | None = Field(description="two parameters, the first of which must be below the second")


class Models(BaseModel):
    """Networks and exit policies that clients can ask for."""

    models: list[Model]
    policies: list[PolicyKind]


class Sample(BaseModel):
    """A file that the demo page offers: a picture, or a recording."""

    name: str
    url: str
