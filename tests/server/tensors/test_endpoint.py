"""The Open Inference Protocol, as the public client speaks it and as it is written."""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import httpx2
import numpy as np
import pytest
import tritonclient.http as triton
from hypothesis import given, settings
from hypothesis import strategies as st
from tritonclient.utils import InferenceServerException

from model.config import VARIANTS
from model.exit_policy import NeverExitPolicy, PublishedPolicy
from model.runtime import load_runtime
from model.scan import scan_frame
from model.step import StepResult
from sensor_sim.clock import VirtualClock
from sensor_sim.wire import Progress
from server.errors import ServiceError
from server.networks import ServedNetwork
from server.tensors.codec import TensorSpec, read_tensors
from tests.model.random_networks import random_frames
from tests.networks import SMALL, person_curve, random_checkpoint

from clients.python.client import Client  # isort: skip
from tests.server.certificates import promised_policy


@pytest.fixture(scope="module")
def both() -> dict[str, ServedNetwork]:
    """Both variants, with random weights."""
    models = {}
    for config in VARIANTS.values():
        checkpoint = random_checkpoint(config, 2)
        models[config.name] = ServedNetwork(load_runtime(checkpoint), checkpoint.digest)
    return models


@pytest.fixture(scope="module")
def url(start: Callable[..., str], both: dict[str, ServedNetwork]) -> str:
    return start(both)


@pytest.fixture
def client(url: str) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(url.removeprefix("http://")) as opened:
        yield opened


variants = pytest.mark.parametrize("variant", VARIANTS)


@variants
def test_health_and_metadata(
    client: triton.InferenceServerClient, both: dict[str, ServedNetwork], variant: str
) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert not client.is_model_ready("other")
    assert {"binary_tensor_data", "sequence"} <= set(client.get_server_metadata()["extensions"])
    config = VARIANTS[variant]
    for name in (variant, f"{variant}-sequence"):
        metadata = client.get_model_metadata(name)
        assert metadata["properties"]["weights"] == both[variant].digest
        [version] = metadata["versions"]
        assert client.is_model_ready(name)
        assert client.is_model_ready(name, version)
        assert not client.is_model_ready(name, "1")
        assert client.get_model_metadata(name, version) == metadata
        shape = config.burst_shape if name.endswith("-sequence") else config.frame_shape
        assert [each["shape"] for each in metadata["inputs"]] == [[-1, *shape]]


@variants
@pytest.mark.parametrize("binary", [False, True], ids=["json", "binary"])
def test_a_batch_of_frames_says_what_the_websocket_and_the_network_say(
    client: triton.InferenceServerClient, url: str, both: dict[str, ServedNetwork], variant: str, binary: bool
) -> None:
    frames = random_frames(VARIANTS[variant], 3, 5)
    given_tensor = triton.InferInput("frames", list(frames.shape), "UINT8")
    given_tensor.set_data_from_numpy(frames, binary_data=binary)
    names = ("logits", "p_person", "person", "exited", "burst_index", "confidence", "processed", "skipped", "unread")
    wanted = [triton.InferRequestedOutput(name, binary_data=binary) for name in names]
    policy = {"name": "published", "exit_threshold": 0.52, "skip_threshold": 0.48}
    result = client.infer(
        variant, [given_tensor], outputs=wanted, request_id="seven", parameters={"policy": json.dumps(policy)}
    )
    answer = result.get_response()
    assert (answer["id"], answer["model_name"]) == ("seven", variant)
    with Client(url, variant, policy=policy, clock=VirtualClock()) as websocket:
        streamed = [report.decision for report in websocket.stream(list(frames))]
    for index, frame in enumerate(frames):
        said: list[StepResult] = []
        observe = lambda _, step, said=said: said.append(step)  # noqa: E731
        scan = scan_frame(both[variant].runtime, frame, PublishedPolicy(0.52, 0.48), observe)
        found = {name: result.as_numpy(name)[index] for name in names}
        np.testing.assert_allclose(found["logits"], said[-1].logits[-1], rtol=0, atol=1e-5)
        assert found["confidence"] == pytest.approx(said[-1].confidence[-1], abs=1e-6)
        for other in (scan, streamed[index]):
            assert found["p_person"] == pytest.approx(other.p_person, abs=1e-6)
            for name in ("person", "exited", "processed", "skipped", "unread"):
                assert found[name] == getattr(other, name), name
        assert found["burst_index"] == scan.last_burst == streamed[index].burst_index


@variants
def test_a_sequence_of_a_request_a_burst_says_what_the_websocket_says(
    client: triton.InferenceServerClient, url: str, both: dict[str, ServedNetwork], variant: str
) -> None:
    """21 requests for the small network, 42 for the large one."""
    config = VARIANTS[variant]
    frame = random_frames(config, 1, 9)[0]
    said: list[float] = []
    for burst in range(config.bursts_per_frame):
        rows = frame[5 * burst : 5 * burst + 5][None]
        given_tensor = triton.InferInput("bursts", list(rows.shape), "UINT8")
        given_tensor.set_data_from_numpy(rows)
        start, end = burst == 0, burst == config.bursts_per_frame - 1
        result = client.infer(
            f"{variant}-sequence",
            [given_tensor],
            sequence_id=77,
            sequence_start=start,
            sequence_end=end,
            parameters={"policy": "never"} if start else None,
        )
        said.append(result.as_numpy("p_person")[0])
        assert result.as_numpy("next_burst")[0] == burst + 1
        assert result.as_numpy("decided")[0] == end
    streamed: list[float] = []
    with Client(
        url,
        variant,
        policy={"name": "never"},
        progress_every=1,
        clock=VirtualClock(),
        observer=lambda event: streamed.append(event.p_person) if isinstance(event, Progress) else None,
    ) as websocket:
        websocket.emit(frame)
    runtime = both[variant].runtime
    assert len(said) == {"105x120": 21, "210x240": 42}[variant]
    assert said == pytest.approx(streamed, abs=1e-6)
    assert said == pytest.approx(person_curve(runtime, frame), abs=1e-6)
    assert scan_frame(runtime, frame, NeverExitPolicy()).p_person == pytest.approx(said[-1], abs=1e-6)
    with pytest.raises(InferenceServerException, match="there is no sequence"):
        client.infer(f"{variant}-sequence", [given_tensor], sequence_id=77)


def _infer(url: str, document: Any, model: str = SMALL.name, **headers: str) -> httpx2.Response:
    content = document if isinstance(document, bytes) else json.dumps(document)
    return httpx2.post(f"{url}/v2/models/{model}/infer", content=content, headers=headers, timeout=20)


def _document(array: Any, name: str = "frames", **parameters: Any) -> dict[str, Any]:
    tensor = {"name": name, "shape": list(array.shape), "datatype": "UINT8", "data": array.tolist()}
    return {"inputs": [tensor], "parameters": parameters}


FRAME = random_frames(SMALL, 1, 3)


def test_a_body_that_is_the_tensor_and_nothing_else(service_url: str) -> None:
    answer = _infer(service_url, FRAME.tobytes(), **{"Inference-Header-Content-Length": "0"})
    header = json.loads(answer.content[: int(answer.headers["Inference-Header-Content-Length"])])
    assert header["outputs"][0]["name"] == "logits"
    assert len(answer.content) == int(answer.headers["Inference-Header-Content-Length"]) + sum(
        output["parameters"]["binary_data_size"] for output in header["outputs"]
    )


def test_frames_exit_as_they_do_elsewhere(service_url: str, models: dict[str, ServedNetwork]) -> None:
    runtime = models[SMALL.name].runtime
    policy = PublishedPolicy(0.5, 0.4)
    frames = random_frames(SMALL, 3, 0)
    answer = _infer(service_url, _document(frames, exit_threshold=0.5, skip_threshold=0.4)).json()
    values = {output["name"]: output["data"] for output in answer["outputs"]}
    for index, frame in enumerate(frames):
        scan = scan_frame(runtime, frame, policy)
        assert [values[name][index] for name in ("processed", "skipped", "unread", "exited", "person")] == [
            scan.processed, scan.skipped, scan.unread, scan.exited, scan.person,
        ]  # fmt: skip


BURST = FRAME[:, :5]


@pytest.mark.parametrize(
    ("document", "model", "status", "code", "complaint"),
    [
        (b"{", SMALL.name, 400, "bad_request", "not JSON"),
        (b'{"inputs": ' + b"[" * 50_000, SMALL.name, 400, "bad_request", "not"),
        (b'{"inputs": ' + b"[" * 90_000, SMALL.name, 413, "request_too_large", "beside the numbers"),
        ({}, SMALL.name, 400, "bad_request", "inputs"),
        ({"inputs": []}, SMALL.name, 400, "bad_tensor", "takes one input, 'frames', not none"),
        (_document(FRAME, "other"), SMALL.name, 400, "bad_tensor", "not 'other'"),
        (_document(FRAME[:, :25]), SMALL.name, 400, "bad_tensor", "shape [-1, 30, 32, 3]"),
        (_document(FRAME[:0]), SMALL.name, 400, "bad_tensor", "shape"),
        (_document(np.repeat(FRAME, 4, 0)), SMALL.name, 413, "too_many_images", "at most 3"),
        (_document(FRAME.astype(int) - 1), SMALL.name, 400, "bad_tensor", "0..255"),
        (
            {"a": {"data": FRAME.tolist()}} | _document(255 - FRAME),
            SMALL.name,
            400,
            "bad_tensor",
            "in the one member `data`",
        ),
        (
            {"inputs": [{"name": "frames", "shape": [2**31, 30, 32, 3], "datatype": "UINT8", "data": [1]}]},
            SMALL.name,
            400,
            "bad_tensor",
            "whole numbers of 0..255",
        ),
        (_document(FRAME, policy="other"), SMALL.name, 422, "bad_policy", "'other'"),
        (_document(FRAME, policy=3), SMALL.name, 422, "bad_policy", "name or a JSON object"),
        (_document(FRAME, exit_threshold=2), SMALL.name, 422, "bad_policy", "'exit_threshold' must be in 0..1"),
        (_document(FRAME, wish=1), SMALL.name, 400, "bad_request", "no parameter 'wish'"),
        (_document(FRAME, sequence_id=1), SMALL.name, 400, "bad_request", "'sequence_id' is of a sequence"),
        (_document(FRAME) | {"outputs": [{"name": "other"}]}, SMALL.name, 400, "bad_tensor", "no output 'other'"),
        (_document(FRAME), "other", 404, "unknown_model", "30x32-sequence"),
        (_document(BURST, "bursts"), "30x32-sequence", 400, "bad_request", "sequence_id"),
        (_document(BURST, "bursts", sequence_id=True), "30x32-sequence", 400, "bad_request", "sequence_id"),
        (_document(BURST, "bursts", sequence_id=2**64), "30x32-sequence", 400, "bad_request", "sequence_id"),
        (_document(BURST, "bursts", sequence_id=5), "30x32-sequence", 404, "unknown_sequence", "sequence_start"),
        (_document(BURST, "bursts", sequence_id=5, policy="never"), "30x32-sequence", 400, "bad_request", "start"),
        (
            _document(BURST, "bursts", sequence_id=5, sequence_start=True, burst_index=9),
            "30x32-sequence",
            400,
            "bad_request",
            "0..5",
        ),
        (
            _document(BURST, "bursts", sequence_id=5, sequence_start=True, burst_index=1),
            "30x32-sequence",
            409,
            "out_of_order",
            "burst 0 is next",
        ),
        (_document(BURST, "bursts", sequence_id=5, sequence_start=1), "30x32-sequence", 400, "bad_request", "true"),
        (
            _document(np.zeros((7, 5, 32, 3), np.uint8), "bursts", sequence_id=5, sequence_start=True),
            "30x32-sequence",
            409,
            "out_of_order",
            "a frame has 6 bursts; number 6 is beyond it",
        ),
        (
            _document(FRAME, policy='{"name": "patience", "bursts": 18446744073709551616}'),
            SMALL.name,
            422,
            "bad_policy",
            "'bursts' must be in 1..65535 and whole, not an integer beyond 64 bits",
        ),
    ],
)
def test_refused(service_url: str, document: Any, model: str, status: int, code: str, complaint: str) -> None:
    answer = _infer(service_url, document, model)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert complaint in answer.json()["error"]


def test_a_string_is_a_sequence_id_of_its_own(service_url: str) -> None:
    for sequence_id in (1, "1"):
        document = _document(BURST, "bursts", sequence_id=sequence_id, sequence_start=True)
        assert _infer(service_url, document, "30x32-sequence").status_code == 200
    end = _document(FRAME.reshape(6, 5, 32, 3)[1:2], "bursts", sequence_id="1", sequence_end=True)
    assert _infer(service_url, end, "30x32-sequence").status_code == 200
    assert _infer(service_url, end, "30x32-sequence").json()["code"] == "unknown_sequence"
    end["parameters"]["sequence_id"] = 1
    assert _infer(service_url, end, "30x32-sequence").status_code == 200


@settings(max_examples=10)
@given(st.permutations([0] * 6 + [1] * 6), st.booleans())
def test_two_clients_with_one_sequence_id_never_get_mixed(service_url: str, order: list[int], ends: bool) -> None:
    """Whoever starts second is told so and has to choose another id; the first one's frame is decided as alone."""
    frames, name = random_frames(SMALL, 2, 17).reshape(2, 6, 5, 32, 3), f"{order}{ends}"[-190:]
    alone = [_infer(service_url, _document(frame[None].reshape(1, 30, 32, 3))).json() for frame in frames]
    expected = [{each["name"]: each["data"][0] for each in answer["outputs"]}["p_person"] for answer in alone]
    names: dict[int, str] = {}
    at, found = [0, 0], [0.0, 0.0]
    with httpx2.Client() as one, httpx2.Client() as other:
        for client in order:
            burst = at[client]
            at[client] += 1
            parameters: dict[str, Any] = {"policy": "never", "sequence_start": True} if burst == 0 else {}
            if burst == 5:
                parameters["sequence_end"] = True
            document = _document(frames[client][burst : burst + 1], "bursts", **parameters)
            for attempt in (names.get(client, name), f"{client}{name}"):
                document["parameters"]["sequence_id"] = attempt
                url = f"{service_url}/v2/models/30x32-sequence/infer"
                answer = (one, other)[client].post(url, content=json.dumps(document), timeout=20)
                if answer.status_code == 200:
                    names[client] = attempt
                    break
                assert (answer.status_code, answer.json()["code"], burst) == (409, "sequence_in_use", 0)
            found[client] = {each["name"]: each["data"][0] for each in answer.json()["outputs"]}["p_person"]
    assert found == pytest.approx(expected, abs=1e-6)


def test_clients_of_different_addresses_may_choose_the_same_id(start: Callable[..., str]) -> None:
    url = start(trusted_proxies=["127.0.0.1"])
    frames = random_frames(SMALL, 2, 18).reshape(2, 6, 5, 32, 3)
    found = []
    for client, frame in zip(("10.0.0.1", "10.0.0.2"), frames, strict=True):
        document = _document(frame[:1], "bursts", sequence_id=1, sequence_start=True, policy="never")
        assert _infer(url, document, "30x32-sequence", **{"X-Forwarded-For": client}).status_code == 200
    for client, frame in zip(("10.0.0.1", "10.0.0.2"), frames, strict=True):
        document = _document(frame[1:], "bursts", sequence_id=1, sequence_end=True)
        answer = _infer(url, document, "30x32-sequence", **{"X-Forwarded-For": client}).json()
        found += [output["data"][0] for output in answer["outputs"] if output["name"] == "p_person"]
    alone = [_infer(url, _document(frame.reshape(1, 30, 32, 3))).json()["outputs"][1] for frame in frames]
    assert found == pytest.approx([output["data"][0] for output in alone], abs=1e-6)


def test_sequences_are_bounded(start: Callable[..., str]) -> None:
    url = start(max_sequences=1, sequence_idle_s=3600)
    answers = [
        _infer(url, _document(BURST, "bursts", sequence_id=number, sequence_start=True), "30x32-sequence")
        for number in (1, 2)
    ]
    assert [answer.status_code for answer in answers] == [200, 429]
    assert int(answers[1].headers["retry-after"]) > 0


def test_who_follows_next_burst_sends_the_rest_of_an_audited_frame(
    start: Callable[..., str], models: dict[str, ServedNetwork]
) -> None:
    certified = promised_policy(0.5, 0.5, 0.5, 0.5, certificate="ab" * 32)
    url = start({SMALL.name: replace(models[SMALL.name], certified=certified)}, audit_share=1.0)
    bursts = FRAME.reshape(6, 5, 32, 3)

    def standing(first: int, **parameters: Any) -> dict[str, Any]:
        document = _document(bursts[first : first + 1], "bursts", sequence_id=1, burst_index=first, **parameters)
        outputs = _infer(url, document, "30x32-sequence").json()["outputs"]
        return {output["name"]: output["data"][0] for output in outputs}

    decision = standing(0, sequence_start=True)
    assert (decision["decided"], decision["audit"], decision["next_burst"], decision["unread"]) == (True, True, 1, 5)
    last = decision
    while last["audit"]:
        last = standing(last["next_burst"])
        assert {name: last[name] for name in last if name not in ("audit", "next_burst")} == {
            name: decision[name] for name in decision if name not in ("audit", "next_burst")
        }, "the decision stays"
    assert last["next_burst"] == 6
    (model,) = httpx2.get(f"{url}/v1/models").json()["models"]
    assert model["watch"]["agreed"] + model["watch"]["lost"] == 1


def test_more_bursts_than_a_message_has_are_refused_in_binary_too(service_url: str) -> None:
    bursts = triton.InferInput("bursts", [65, 5, 32, 3], "UINT8")
    bursts.set_data_from_numpy(np.zeros((65, 5, 32, 3), np.uint8))
    with triton.InferenceServerClient(service_url.removeprefix("http://")) as client:
        with pytest.raises(InferenceServerException, match="a frame has 6 bursts; number 64 is beyond it") as refused:
            client.infer("30x32-sequence", [bursts], sequence_id=9, sequence_start=True)
        assert refused.value.status() == "409"


@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
def test_compressed_requests_of_tritonclient(service_url: str, algorithm: str) -> None:
    frames = triton.InferInput("frames", list(FRAME.shape), "UINT8")
    frames.set_data_from_numpy(FRAME)
    with triton.InferenceServerClient(service_url.removeprefix("http://")) as client:
        plain = client.infer(SMALL.name, [frames]).as_numpy("logits")
        packed = client.infer(SMALL.name, [frames], request_compression_algorithm=algorithm).as_numpy("logits")
    np.testing.assert_array_equal(packed, plain)


@pytest.mark.parametrize("nothing", [{"parameters": None}, {"outputs": None}, {"outputs": []}, {"id": None}])
def test_an_optional_member_that_is_null_is_absent(service_url: str, nothing: dict[str, Any]) -> None:
    document = _document(FRAME, policy=None, sequence_start=None)
    expected = _infer(service_url, document).json()["outputs"]
    assert len(expected) == 9
    for input_nothing in ({}, {"parameters": None}, {"parameters": {"binary_data_size": None}}):
        document["inputs"][0] |= input_nothing
        answer = _infer(service_url, document | nothing)
        assert (answer.status_code, answer.json()["outputs"]) == (200, expected)
    outputs = [{"name": "p_person", "parameters": None}, {"name": "person", "parameters": {"binary_data": None}}]
    names = [each["name"] for each in _infer(service_url, document | {"outputs": outputs}).json()["outputs"]]
    assert names == ["p_person", "person"]


@pytest.mark.parametrize(
    ("place", "taker"),
    [("request", "the model"), ("input", "the input 'frames'"), ("output", "the output 'logits'")],
)
def test_unknown_parameters_are_refused_everywhere(service_url: str, place: str, taker: str) -> None:
    for name in ("classification", "shared_memory_region", "wish"):
        document = _document(FRAME) | {"outputs": [{"name": "logits"}]}
        {"request": document, "input": document["inputs"][0], "output": document["outputs"][0]}[place]["parameters"] = {
            name: 1
        }
        answer = _infer(service_url, document)
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")
        assert f"{taker} takes no parameter '{name}'" in answer.json()["error"]


def test_json_that_can_not_mean_anything_is_refused_by_its_size(service_url: str) -> None:
    answer = _infer(service_url, _document(FRAME) | {"id": "x" * 300_000})
    assert (answer.status_code, answer.json()["code"]) == (413, "request_too_large")
    assert "send its tensor in binary" in answer.json()["error"]
    answer = _infer(service_url, _document(FRAME) | {"id": "x" * 70_000})
    assert "beside the numbers" in answer.json()["error"]


TAKES = TensorSpec("frames", "UINT8", (-1, 2, 2))
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)


@settings(max_examples=150)
@given(
    st.fixed_dictionaries(
        {
            "name": st.just("frames"),
            "shape": st.lists(st.integers(-1, 3), max_size=4) | anything,
            "datatype": st.just("UINT8"),
        },
        optional={"data": anything, "parameters": st.just({"binary_data_size": 4}) | anything},
    ),
    st.binary(max_size=8),
    st.none() | st.integers(0, 200),
)
def test_any_body_is_read_or_refused(tensor: dict[str, Any], blob: bytes, length: int | None) -> None:
    header = json.dumps({"inputs": [tensor]}).encode()
    declared = None if length is None else str(len(header) if length > 100 else length)
    with suppress(ServiceError):
        tensors = read_tensors(header + blob, declared, TAKES, ("logits",), frozenset())
        assert tensors.array.dtype == np.uint8
        assert tensors.array.shape[1:] == (2, 2)
