"""Bodies of the HTTP interface."""

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


class Policy(BaseModel):
    """An exit policy with its parameters' defaults."""

    name: str
    parameters: dict[str, Any]


class Models(BaseModel):
    """What clients can ask for."""

    models: list[Model]
    policies: list[Policy]


class Sample(BaseModel):
    """A picture that the demo page offers."""

    name: str
    url: str


class ImageDecision(BaseModel):
    """What was concluded on one picture; the fields are those of the stream's `decision`."""

    name: str
    person: bool
    p_person: float
    exited: bool
    burst_index: int
    processed: int
    skipped: int
    unread: int
    processed_ratio: float


class ImageError(BaseModel):
    """Why one picture of several could not be classified."""

    name: str
    code: str
    message: str


class Classified(BaseModel):
    """One entry a picture, in the order of the request."""

    variant: str
    policy: dict[str, Any]
    results: list[ImageDecision | ImageError]


class Problem(BaseModel):
    """Why a request was refused (RFC 9457)."""

    status: int
    title: str
    code: str
    detail: str
