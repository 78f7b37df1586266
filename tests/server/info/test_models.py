import json
from collections.abc import Callable
from dataclasses import replace

import httpx2
import pytest

from model.exit_policy import POLICIES, describe_kind, describe_policy, parse_policy
from server.networks import ServedNetwork
from tests.server.certificates import promised_policy


def test_models_and_policies(service_url: str, models: dict[str, ServedNetwork]) -> None:
    answer = httpx2.get(f"{service_url}/v1/models").json()
    assert [model["variant"] for model in answer["models"]] == list(models)
    assert answer["models"][0] == {
        "variant": "30x32",
        "height": 30,
        "width": 32,
        "burst_rows": 5,
        "bursts_per_frame": 6,
        "weights": models["30x32"].digest,
        "calibrated": None,
        "watch": None,
        "stream_policy": "published",
        "picture_policy": "never",
    }
    assert [policy["name"] for policy in answer["policies"]] == list(POLICIES)
    for policy in answer["policies"]:
        told = json.loads(json.dumps(describe_kind(POLICIES[policy["name"]])))
        assert policy == told
        assert parse_policy({"name": policy["name"], **policy["parameters"]}) == POLICIES[policy["name"]]()


def test_the_default_of_a_certified_network(start: Callable[..., str], models: dict[str, ServedNetwork]) -> None:
    certified = promised_policy(0.9, 0.9, 0.95, 0.95, certificate="ab" * 32)
    url = start({"30x32": replace(models["30x32"], certified=certified)})
    (model,) = httpx2.get(f"{url}/v1/models").json()["models"]
    assert model["calibrated"] == describe_policy(certified)
    assert (model["stream_policy"], model["picture_policy"]) == ("calibrated", "never")


def test_unknown_sample(service_url: str) -> None:
    answer = httpx2.get(f"{service_url}/v1/samples/..%2f..%2fetc%2fpasswd")
    assert answer.status_code == 404
    unknown = httpx2.get(f"{service_url}/v1/samples/astronout.png")
    assert unknown.json()["detail"] == "there is no sample 'astronout.png'; GET /v1/samples lists them"
    assert httpx2.get(f"{service_url}/v1/samples").json() == []


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [("GET", "/v1/nothing", 404, "not_found"), ("DELETE", "/v1/classify", 405, "method_not_allowed")],
)
def test_what_is_not_there_is_a_problem_document(
    service_url: str, method: str, path: str, status: int, code: str
) -> None:
    answer = httpx2.request(method, f"{service_url}{path}")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    under_v2 = httpx2.request("DELETE", f"{service_url}/v2/models/x")
    assert (under_v2.status_code, under_v2.json()["code"]) == (405, "method_not_allowed")
    assert "error" in under_v2.json()
