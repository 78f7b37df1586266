"""Infer requests of the Open Inference Protocol v2, with Triton's binary tensor and sequence extensions."""

import asyncio
import time
from time import perf_counter_ns
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from fastapi import APIRouter, Request
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from model.exit_policy import WHOLE_PICTURE_POLICY, Policy, default_policy
from model.scan import FrameScan, scan_to_last
from model.step import StepResult, StepRuntime
from server.audit_counts import Outcome
from server.audits import Audits
from server.connections.addresses import client_of
from server.errors import ServiceError
from server.http.openapi import refusals, schema_of
from server.http.policies import policy_from
from server.networks import Networks, ServedNetwork
from server.process.request_pool import RequestPool
from server.tensors.codec import (
    DATATYPES,
    HEADER_LENGTH,
    JSON,
    OCTETS,
    Arrays,
    Parameters,
    Tensors,
    flag,
    most_json_bytes,
    read_tensors,
    write_tensors,
)
from server.tensors.description import Descriptions, add_routes
from server.tensors.model import COMMON_OUTPUTS, SEQUENCE, SEQUENCE_OUTPUTS, TensorModel
from server.tensors.schemas import InferRequest, InferResponse
from server.tensors.sequences import Key, Sequence, Sequences
from server.tensors.statistics import Statistics

SMALL_BODY_BYTES: Final = 65_536
"""Bytes up to which reading a body takes less time than giving it to a thread."""
MAX_ID_LENGTH: Final = 200

POLICY: Final = {"policy", "exit_threshold", "skip_threshold"}
SEQUENCE_PARAMETERS: Final = {"sequence_id", "sequence_start", "sequence_end", "burst_index"}

_MODELS = ("/models/{name}", "/models/{name}/versions/{version}")


_INFER: Final[dict[str, Any]] = {
    "response_model": InferResponse,
    "response_model_exclude_none": True,
    "responses": {
        200: {"content": {OCTETS: {"schema": {"type": "string", "format": "binary"}}}},
        **refusals(
            "bad_request",
            "bad_tensor",
            "unknown_model",
            "unknown_sequence",
            "request_timeout",
            "out_of_order",
            "sequence_expired",
            "sequence_in_use",
            "too_many_images",
            "request_too_large",
            "unsupported_media_type",
            "bad_policy",
            "too_many_requests",
            "too_many_sequences",
            tensors=True,
        ),
    },
    "openapi_extra": {
        "parameters": [
            {
                "name": HEADER_LENGTH,
                "in": "header",
                "schema": {"type": "integer", "minimum": 0},
                "description": "bytes of the JSON before binary tensors; 0: the body is the input tensor alone",
            }
        ],
        "requestBody": {
            "required": True,
            "content": {
                JSON: {"schema": schema_of(InferRequest)},
                OCTETS: {"schema": {"type": "string", "format": "binary"}},
            },
        },
    },
}


class InferEndpoint:
    """Takes tensors, runs them, and answers.

    Args:
        networks: the networks; each is served as two models.
        pool: room for requests, and the threads that run them.
        sequences: frames that come request by request.
        max_frames: most frames in one request.
        statistics: counts of the requests.
        audits: draws and counts audits of sequences.
    """

    def __init__(
        self,
        networks: Networks,
        pool: RequestPool,
        sequences: Sequences,
        max_frames: int,
        statistics: Statistics,
        audits: Audits,
    ) -> None:
        self._networks, self._pool, self._sequences, self._audits = networks, pool, sequences, audits
        self._max_frames, self._statistics = max_frames, statistics

    async def infer(self, request: Request, name: str, version: str | None = None) -> Response:
        """Runs frames, or the next bursts of a sequence.

        A variant's own model takes the input `frames` (n, height, width, 3) and decides each frame. Its `-sequence`
        model takes the input `bursts` (n, 5, width, 3), consecutive bursts of one frame, and answers with how the
        frame stands. The first request of a sequence has `sequence_start`, the last one `sequence_end`; in between
        the service keeps the hidden state under `sequence_id`. `next_burst` says which burst is looked at next: what
        comes before it may be left out when `burst_index` says so, or is dropped. `audit` says of a decided frame that
        its rest is wanted, as a check of the exit.

        A body as JSON, shortened; in the binary extension `"parameters": {"binary_data_size": 1800}` stands in the
        place of `data`, and the bytes follow:

        ```json
        {
          "parameters": {"sequence_id": 7, "sequence_start": true, "policy": "published"},
          "inputs": [{"name": "bursts", "shape": [1, 5, 120, 3], "datatype": "UINT8", "data": [18, 24, 31, ...]}],
          "outputs": [{"name": "p_person"}, {"name": "next_burst"}]
        }
        ```
        """
        model = TensorModel(self._networks, name, version)
        began = perf_counter_ns()
        try:
            return await self._infer(request, model)
        except ServiceError:
            self._statistics.failed(model.name, perf_counter_ns() - began)
            raise

    async def _infer(self, request: Request, model: TensorModel) -> Response:
        pool, client = self._pool, client_of(request.scope)
        with pool.request(client):
            deadline = pool.deadline()
            header_length = request.headers.get(HEADER_LENGTH)
            most = model.config.bursts_per_frame if model.sequences else self._max_frames
            most_bytes = most_json_bytes(model.takes, most)
            body = await pool.in_time(deadline, _body(request, most_bytes))
            came = perf_counter_ns()
            arguments = (
                body,
                header_length,
                model.takes,
                tuple(spec.name for spec in model.gives),
                POLICY | SEQUENCE_PARAMETERS,
            )
            small = len(body) <= SMALL_BODY_BYTES
            tensors = read_tensors(*arguments) if small else await pool.run(deadline, read_tensors, *arguments)
            read = perf_counter_ns()
            if model.sequences:
                outputs = self._advance_sequence(client, model, tensors)
            else:
                outputs = await self._run_frames(model, tensors, deadline)
        ran = perf_counter_ns()
        content, headers = write_tensors(model.name, model.version, tensors, outputs)
        spans = (read - came, ran - read, perf_counter_ns() - ran)
        self._statistics.succeeded(model.name, 1 if model.sequences else len(tensors.array), spans)
        return Response(content, headers=headers)

    async def _run_frames(self, model: TensorModel, tensors: Tensors, deadline: float) -> Arrays:
        frames, most = tensors.array, self._max_frames
        parameters = tensors.parameters
        if asked := sorted(key for key in SEQUENCE_PARAMETERS if parameters.get(key)):  # clients send false and 0
            raise ServiceError(
                "bad_request", f"{asked[0]!r} is of a sequence, which goes to the model {model.variant}{SEQUENCE}"
            )
        if len(frames) > most:
            raise ServiceError("too_many_images", f"at most {most} frames a request are taken, not {len(frames)}")
        policy = _policy(parameters, model.served, WHOLE_PICTURE_POLICY)
        share = -(-len(frames) // self._pool.threads)
        parts = await asyncio.gather(
            *(
                self._pool.run(deadline, _scan_frames, model.served.runtime, frames[first : first + share], policy)
                for first in range(0, len(frames), share)
            )
        )
        scans = [each for part in parts for each in part]
        values = [_values(scan, last) for scan, last in scans]
        return {"logits": np.array([last.logits[-1] for _, last in scans])} | {
            name: np.array([each[name] for each in values], DATATYPES[datatype]) for name, datatype in COMMON_OUTPUTS
        }

    def _advance_sequence(self, client: str, model: TensorModel, tensors: Tensors) -> Arrays:
        """Advances a sequence; the step runs inline on the event loop, as that of a stream does."""
        parameters = tensors.parameters
        key = Key(client, model.name, _sequence_id(parameters))
        start, end = flag(parameters, "sequence_start"), flag(parameters, "sequence_end")
        first = parameters.get("burst_index")
        if first is not None and (type(first) is not int or not 0 <= first < model.config.bursts_per_frame):
            raise ServiceError(
                "bad_request", f"burst_index must be 0..{model.config.bursts_per_frame - 1}, not {str(first)[:40]}"
            )
        kept = start and not end  # a frame that comes whole leaves nothing behind
        if start:
            if kept:
                self._sequences.check_free(key)
            policy = _policy(parameters, model.served, default_policy(model.served.certified))
            sequence = Sequence(model.served, policy, self._audits)
        elif given := POLICY & set(parameters):
            raise ServiceError("bad_request", f"{min(given)!r} belongs in the request with sequence_start")
        else:
            sequence = self._sequences.find(key)
        sequence.read_on(tensors.array.reshape(-1, *model.config.burst_shape[1:]), first)
        if kept:
            self._sequences.start(key, sequence)
        elif start:
            sequence.leave(Outcome.UNSENT)
        elif end:
            self._sequences.end(key)
        return _standing(sequence)


def router(
    networks: Networks,
    pool: RequestPool,
    sequences: Sequences,
    max_frames: int,
    sequence_idle_s: float,
    version: str,
    audits: Audits,
) -> APIRouter:
    """All below `/v2`; the arguments are those of `InferEndpoint` and `Descriptions`."""
    routes = APIRouter(prefix="/v2", tags=["tensors"])
    statistics = Statistics(time.time)
    add_routes(routes, Descriptions(networks, statistics, max_frames, sequence_idle_s, version), _MODELS)
    endpoint = InferEndpoint(networks, pool, sequences, max_frames, statistics, audits)
    for path in _MODELS:
        routes.add_api_route(path + "/infer", endpoint.infer, methods=["POST"], **_INFER)
    return routes


def _policy(parameters: Parameters, served: ServedNetwork, unnamed: Policy) -> Policy:
    named = parameters.get("policy")
    if named is not None and not isinstance(named, str):
        raise ServiceError("bad_policy", f"the parameter 'policy' must be a name or a JSON object, not {named!r}")
    return policy_from(named, {key: parameters.get(key) for key in POLICY - {"policy"}}, served, unnamed)


async def _body(request: Request, most_bytes: int) -> bytes:
    """The request's body.

    Raises:
        ServiceError: `request_too_large`, `bad_request`.
    """
    body = bytearray()
    try:
        async for part in request.stream():
            body += part
            if len(body) > most_bytes:
                raise ServiceError(
                    "request_too_large",
                    f"a request to this model has at most {most_bytes} bytes; send its tensor in binary",
                )
    except ClientDisconnect:
        raise ServiceError("bad_request", "the client left before its request was there") from None
    return bytes(body)


def _scan_frames(
    runtime: StepRuntime, frames: npt.NDArray[np.uint8], policy: Policy
) -> list[tuple[FrameScan, StepResult]]:
    return [scan_to_last(runtime, frame, policy) for frame in frames]


def _values(scan: FrameScan, last: StepResult | None) -> dict[str, float]:
    """The values of `COMMON_OUTPUTS`; `last`: the network's last result, None before the first burst."""
    return {
        "p_person": scan.p_person,
        "confidence": last.confidence[-1] if last else 0.0,
        "person": scan.person,
        "exited": scan.exited,
        "burst_index": max(0, scan.last_burst),
        "processed": scan.processed,
        "skipped": scan.skipped,
        "unread": scan.unread,
    }


def _sequence_id(parameters: Parameters) -> int | str:
    found = parameters.get("sequence_id", 0)
    if isinstance(found, str) and 0 < len(found) <= MAX_ID_LENGTH:
        return found
    if type(found) is int and 0 < found < 2**64:
        return found
    raise ServiceError(
        "bad_request",
        "the parameter 'sequence_id' must be a whole number from 1 to 2**64 - 1 "
        f"or a string of 1 to {MAX_ID_LENGTH} characters, not {str(found)[:40]!r}",
    )


def _standing(sequence: Sequence) -> Arrays:
    frame, last = sequence.frame, sequence.frame.last
    values = _values(frame.scan, last) | {
        "next_burst": sequence.next_burst,
        "decided": frame.decided,
        "audit": sequence.audited,
    }
    arrays: dict[str, npt.NDArray[Any]] = {
        spec.name: np.array([values[spec.name]], DATATYPES[spec.datatype]) for spec in SEQUENCE_OUTPUTS[1:]
    }
    return arrays | {"logits": last.logits[-1:] if last else np.zeros((1, 2), np.float32)}
