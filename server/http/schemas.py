"""Bodies of the HTTP interface."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from server.pictures.entries import Count, ImageDecision, ImageError


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


class ClassifyOptions(BaseModel):
    """What may be asked of `/v1/classify`, in the query or as form fields; a field wins."""

    model_config = ConfigDict(extra="forbid")

    variant: str | None = Field(
        None, description="the network; the first one served if not named", examples=["105x120"]
    )
    policy: str = Field(
        "published",
        description="the exit policy: its name, or a JSON object with its parameters",
        examples=["published", '{"name": "published", "exit_threshold": 0.9}'],
    )
    exit_threshold: float | None = Field(
        None, description="parameter of the policy, where it has one of this name; above `skip_threshold`, at most 1"
    )
    skip_threshold: float | None = Field(
        None, description="parameter of the policy, where it has one of this name; 0 or more"
    )
    reports: Literal["decision", "curve"] = Field(
        "decision", description="`curve` adds P(person) after each burst to every entry"
    )
    top: int | None = Field(
        None, ge=1, description="only so many pictures, those with the highest P(person), in the order of the request"
    )
    name: str = Field("", max_length=1000, description="of a picture that is sent as the body itself")


class Classified(BaseModel):
    """One entry a picture, in the order of the request."""

    variant: str
    weights: str = Field(description="SHA-256 of the weights")
    policy: dict[str, Any] = Field(description="with every parameter in force")
    results: list[ImageDecision | ImageError]


class Problem(BaseModel):
    """Why a request was refused (RFC 9457)."""

    type: str = "about:blank"
    status: int
    title: str
    code: str = Field(description="for programs")
    detail: str = Field(description="what was wrong and what was expected")


Parameters = dict[str, str | int | float | bool]


class Live(BaseModel):
    """Liveness and readiness (Open Inference Protocol)."""

    live: bool
    ready: bool


class ModelReady(BaseModel):
    """Readiness of a model."""

    name: str
    ready: bool


class ServerMetadata(BaseModel):
    """What this server is."""

    name: str
    version: str
    extensions: list[str]


class TensorMetadata(BaseModel):
    """An input or output of a model; -1 is a size that the request chooses."""

    name: str
    datatype: str
    shape: list[int]


class ModelMetadata(BaseModel):
    """What a model takes and gives."""

    name: str
    versions: list[str] = Field(description="one: the first digits of the weights' SHA-256")
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]
    properties: dict[str, str]


class InferInput(BaseModel):
    """An input tensor; `data` row after row, nested or flat, unless it travels in binary."""

    name: str
    shape: list[Count]
    datatype: str = Field(examples=["UINT8"])
    parameters: Parameters = Field({}, description="`binary_data_size`: bytes of this tensor after the JSON header")
    data: list[Any] | None = None


class InferRequestedOutput(BaseModel):
    """An output that is wanted."""

    name: str
    parameters: Parameters = Field({}, description="`binary_data`: whether it is to travel in binary")


class InferRequest(BaseModel):
    """Tensors in."""

    id: str | None = Field(None, description="comes back in the answer")
    parameters: Parameters = Field(
        {},
        description="`policy`, `exit_threshold`, `skip_threshold`; `sequence_id`, `sequence_start`, `sequence_end`, "
        "`burst_index`; `binary_data_output`; `priority` and `timeout` are taken and mean nothing here",
    )
    inputs: list[InferInput]
    outputs: list[InferRequestedOutput] | None = Field(None, description="all, if not named")


class InferOutput(BaseModel):
    """An output tensor."""

    name: str
    shape: list[int]
    datatype: str
    parameters: Parameters | None = None
    data: list[Any] | None = None


class InferResponse(BaseModel):
    """Tensors out."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "model_name": "105x120-sequence",
                "model_version": "0f7a9c2e41b3",
                "outputs": [
                    {"name": "p_person", "shape": [1], "datatype": "FP32", "data": [0.314]},
                    {"name": "next_burst", "shape": [1], "datatype": "INT32", "data": [1]},
                ],
            }
        }
    )

    model_name: str
    model_version: str
    id: str | None = None
    parameters: Parameters | None = None
    outputs: list[InferOutput]


class InferError(BaseModel):
    """Why a request of the Open Inference Protocol was refused."""

    error: str
    code: str = Field(description="for programs")
