"""Descriptions of server and models: metadata, configuration, index and statistics of the Open Inference Protocol."""

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from model.budget import budget
from server.http.openapi import refusals
from server.networks import Networks
from server.tensors import schemas
from server.tensors.codec import TensorSpec
from server.tensors.model import TensorModel, every_model
from server.tensors.statistics import Statistics

EXTENSIONS = ["binary_tensor_data", "model_configuration", "sequence", "sequence(string_id)", "statistics"]
PLATFORM = "rascanet_safetensors"


class Descriptions:
    """Routes that describe server and models.

    Args:
        networks: the networks; each is served as two models.
        statistics: statistics of the infer requests.
        max_frames: most frames in one request.
        sequence_idle_s: time without a request after which a sequence is dropped.
        version: version of this server.
    """

    def __init__(
        self, networks: Networks, statistics: Statistics, max_frames: int, sequence_idle_s: float, version: str
    ) -> None:
        self._networks, self._statistics, self._version = networks, statistics, version
        self._max_frames, self._sequence_idle_s = max_frames, sequence_idle_s

    async def live(self) -> schemas.Live:
        """Answers while the service runs."""
        return schemas.Live(live=True, ready=bool(self._networks))

    async def ready(self) -> Response:
        """Answers whether networks are loaded."""
        loaded = bool(self._networks)
        return JSONResponse(schemas.Live(live=True, ready=loaded).model_dump(), 200 if loaded else 503)

    async def server_metadata(self) -> schemas.ServerMetadata:
        """Name, version and extensions of this server."""
        return schemas.ServerMetadata(name="rascanet-stream", version=self._version, extensions=EXTENSIONS)

    async def repository_index(self) -> list[schemas.IndexEntry]:
        """Every model; all of them are ready, none is loaded or unloaded while the service runs."""
        return [schemas.IndexEntry(name=each.name, version=each.version) for each in every_model(self._networks)]

    async def model_metadata(self, name: str, version: str | None = None) -> schemas.ModelMetadata:
        """Inputs and outputs of the model."""
        model = TensorModel(self._networks, name, version)
        config = model.config
        return schemas.ModelMetadata(
            name=name,
            versions=[model.version],
            platform=PLATFORM,
            inputs=[_metadata(model.takes)],
            outputs=[_metadata(spec) for spec in model.gives],
            properties={
                "weights": model.served.digest,
                "burst_rows": str(config.BURST_ROWS),
                "bursts_per_frame": str(config.bursts_per_frame),
                "macs_per_burst": str(budget(config).macs_per_burst),
            },
        )

    async def model_ready(self, name: str, version: str | None = None) -> schemas.ModelReady:
        """Answers whether the model can be asked."""
        TensorModel(self._networks, name, version)
        return schemas.ModelReady(name=name, ready=True)

    async def model_config(self, name: str, version: str | None = None) -> schemas.ModelConfig:
        """The model's configuration as Triton tells it: a batch's size apart from the dimensions of a frame."""
        model = TensorModel(self._networks, name, version)
        batched = not model.sequences
        idle_us = round(self._sequence_idle_s * 1e6)
        return schemas.ModelConfig(
            name=name,
            platform=PLATFORM,
            max_batch_size=self._max_frames if batched else 0,
            input=[_config(model.takes, batched=batched)],
            output=[_config(spec, batched=batched) for spec in model.gives],
            sequence_batching=schemas.SequenceBatching(max_sequence_idle_microseconds=idle_us)
            if model.sequences
            else None,
        )

    async def statistics(self) -> schemas.Statistics:
        """Statistics of the infer requests to all models, since this process started."""
        models = every_model(self._networks)
        return schemas.Statistics(model_stats=[self._statistics.of(each.name, each.version) for each in models])

    async def model_statistics(self, name: str, version: str | None = None) -> schemas.Statistics:
        """Statistics of the infer requests to the model, since this process started."""
        model = TensorModel(self._networks, name, version)
        return schemas.Statistics(model_stats=[self._statistics.of(model.name, model.version)])


def add_routes(routes: APIRouter, descriptions: Descriptions, models: tuple[str, ...]) -> None:
    """Adds the routes; `models` are the paths of a model, without and with its version."""
    routes.add_api_route("/health/live", descriptions.live)
    routes.add_api_route(
        "/health/ready",
        descriptions.ready,
        responses={503: {"model": schemas.Live, "description": "no network is loaded"}},
    )
    routes.add_api_route("", descriptions.server_metadata, summary="Server metadata")
    routes.add_api_route("/", descriptions.server_metadata, include_in_schema=False)
    routes.add_api_route("/repository/index", descriptions.repository_index, methods=["POST"])
    routes.add_api_route("/models/stats", descriptions.statistics, summary="Statistics of every model")
    unknown = refusals("unknown_model", tensors=True)
    for path in models:
        routes.add_api_route(path, descriptions.model_metadata, responses=unknown)
        routes.add_api_route(path + "/ready", descriptions.model_ready, responses=unknown)
        routes.add_api_route(
            path + "/config", descriptions.model_config, responses=unknown, response_model_exclude_none=True
        )
        routes.add_api_route(path + "/stats", descriptions.model_statistics, responses=unknown)


def _metadata(spec: TensorSpec) -> schemas.TensorMetadata:
    return schemas.TensorMetadata(name=spec.name, datatype=spec.datatype, shape=list(spec.shape))


def _config(spec: TensorSpec, *, batched: bool) -> schemas.TensorConfig:
    """As Triton has it: without the dimension of the batch; an output of one number a frame has the dimension 1."""
    dims = list(spec.shape[1:]) or [1] if batched else list(spec.shape)
    return schemas.TensorConfig(name=spec.name, data_type=f"TYPE_{spec.datatype}", dims=dims)
