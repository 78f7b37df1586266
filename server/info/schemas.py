"""Bodies of what is told about the service."""

from typing import Any

from pydantic import BaseModel, Field


class Health(BaseModel):
    """The service answers."""

    status: str = "ok"
    streams: int = Field(description="open websocket streams")


class Model(BaseModel):
    """A network that is served."""

    variant: str
    height: int
    width: int
    burst_rows: int
    bursts_per_frame: int
    weights: str = Field(description="SHA-256 of the weights")
    calibrated: dict[str, Any] | None = Field(
        description="the policy `calibrated` for these weights, with its promise; none without a certificate"
    )


class Policy(BaseModel):
    """An exit policy with its parameters' defaults."""

    name: str
    parameters: dict[str, Any]


class Models(BaseModel):
    """What clients can ask for."""

    models: list[Model]
    policies: list[Policy]


class Sample(BaseModel):
    """A file that the demo page offers: a picture, or a recording."""

    name: str
    url: str
