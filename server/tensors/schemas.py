"""Bodies of the Open Inference Protocol."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=0)]
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
    """Name, version and extensions of this server."""

    name: str
    version: str
    extensions: list[str]


class TensorMetadata(BaseModel):
    """An input or output of a model; -1 is a size that the request chooses."""

    name: str
    datatype: str
    shape: list[int]


class ModelMetadata(BaseModel):
    """Inputs and outputs of a model."""

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


class TensorConfig(BaseModel):
    """An input or output in a model's configuration."""

    name: str
    data_type: str
    dims: list[int]


class SequenceBatching(BaseModel):
    """Bounds of the sequences of a model."""

    max_sequence_idle_microseconds: int


class ModelConfig(BaseModel):
    """A model's configuration, the members of Triton's that mean something here."""

    name: str
    platform: str
    backend: str = ""
    max_batch_size: int = Field(description="frames in a request; 0: the first dimension is part of the shape")
    input: list[TensorConfig]
    output: list[TensorConfig]
    sequence_batching: SequenceBatching | None = None


class IndexEntry(BaseModel):
    """A model in the index of the repository."""

    name: str
    version: str
    state: str = "READY"
    reason: str = ""


class Duration(BaseModel):
    """Number of times that something was done, and the nanoseconds for all of them."""

    count: Count
    ns: Count


class InferenceStatistics(BaseModel):
    """Times of the parts of the infer requests; `queue` is part of `compute_infer`."""

    success: Duration
    fail: Duration
    queue: Duration
    compute_input: Duration
    compute_infer: Duration
    compute_output: Duration


class ModelStatistics(BaseModel):
    """A model's infer requests since this process started."""

    name: str
    version: str
    last_inference: Count = Field(description="milliseconds since 1970; 0: none yet")
    inference_count: Count = Field(description="frames, and requests of sequences")
    execution_count: Count = Field(description="requests")
    inference_stats: InferenceStatistics
    batch_stats: list[Any] = []


class Statistics(BaseModel):
    """Statistics of the models that were asked for."""

    model_stats: list[ModelStatistics]
