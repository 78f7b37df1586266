"""What tritonclient asks for beside inference, and what perf_analyzer needs."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

from server.networks import ServedNetwork
from tests.networks import SMALL


@pytest.fixture
def client(start: Callable[..., str]) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(start(max_images=5, sequence_idle_s=2.5).removeprefix("http://")) as client:
        yield client


def test_the_configuration_of_a_model(client: triton.InferenceServerClient) -> None:
    config = client.get_model_config(SMALL.name)
    assert (config["name"], config["max_batch_size"]) == (SMALL.name, 5)
    assert config["input"] == [{"name": "frames", "data_type": "TYPE_UINT8", "dims": list(SMALL.frame_shape)}]
    assert {"name": "logits", "data_type": "TYPE_FP32", "dims": [2]} in config["output"]
    assert {"name": "person", "data_type": "TYPE_BOOL", "dims": [1]} in config["output"]
    config = client.get_model_config(f"{SMALL.name}-sequence")
    assert (config["max_batch_size"], config["input"][0]["dims"]) == (0, [-1, *SMALL.burst_shape])
    assert config["sequence_batching"] == {"max_sequence_idle_microseconds": 2_500_000}
    with pytest.raises(InferenceServerException, match="no model 'other'"):
        client.get_model_config("other")


def test_the_index_of_the_repository(client: triton.InferenceServerClient, models: dict[str, ServedNetwork]) -> None:
    index = client.get_model_repository_index()
    assert [(each["name"], each["state"]) for each in index] == [
        (name + ending, "READY") for name in models for ending in ("", "-sequence")
    ]
    assert {each["version"] for each in index} == {served.digest[:12] for served in models.values()}


def test_statistics_count_requests(client: triton.InferenceServerClient) -> None:
    frames = triton.InferInput("frames", [2, *SMALL.frame_shape], "UINT8")
    frames.set_data_from_numpy(np.zeros((2, *SMALL.frame_shape), np.uint8))
    client.infer(SMALL.name, [frames])
    client.infer(SMALL.name, [frames])
    with pytest.raises(InferenceServerException):
        client.infer(SMALL.name, [frames], parameters={"policy": "other"})
    [told] = client.get_inference_statistics(SMALL.name)["model_stats"]
    assert (told["inference_count"], told["execution_count"], told["inference_stats"]["fail"]["count"]) == (4, 2, 1)
    for part in ("success", "compute_input", "compute_infer", "compute_output"):
        assert told["inference_stats"][part]["count"] == 2
        assert told["inference_stats"][part]["ns"] > 0
    assert told["last_inference"] > 0
    every = client.get_inference_statistics()["model_stats"]
    assert {each["name"]: each["execution_count"] for each in every}[f"{SMALL.name}-sequence"] == 0
    assert every[0] == told
