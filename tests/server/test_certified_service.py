"""A certificate's way through files, service, stream and pictures over HTTP."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest

from clients.python.client import Client
from model.certificate import CertificateError, certificate_beside
from model.checkpoint import load_checkpoint, save_checkpoint
from model.promise import CONDITIONS, LOSSES
from server.__main__ import ExitStatus
from server.networks import load_networks
from server.settings import Settings
from tests.networks import SMALL, random_checkpoint
from tests.picture_files import picture
from tests.server.certificates import certificate_of


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "w.safetensors"
    save_checkpoint(random_checkpoint(SMALL, 1), path)
    certificate_of(load_checkpoint(path)).save(certificate_beside(path))
    return path


def test_every_decision_names_the_certificate(weights: Path, start: Callable[..., str]) -> None:
    digest = certificate_of(load_checkpoint(weights)).digest
    url = start(load_networks(Settings(weights=[weights])))
    (offered,) = httpx2.get(f"{url}/v1/models").json()["models"]
    assert offered["calibrated"]["certificate"] == digest

    frames = [np.full(SMALL.frame_shape, grey, np.uint8) for grey in (10, 200)]
    with Client(url, variant=SMALL.name, policy={"name": "calibrated"}) as client:
        decisions = [report.decision for report in client.stream(frames)]
    assert [decision.certificate for decision in decisions] == [digest, digest]
    assert all(decision.exited for decision in decisions)
    with Client(url, variant=SMALL.name, policy={"name": "never"}) as client:
        assert [report.decision.certificate for report in client.stream(frames)] == ["", ""]

    answer = httpx2.post(f"{url}/v1/classify", data={"policy": "calibrated"}, files={"files": ("a.png", picture())})
    assert answer.json()["policy"]["certificate"] == digest


@pytest.mark.parametrize(("loss", "condition"), list(product(LOSSES, CONDITIONS)))
def test_a_client_can_tell_which_promise_is_made(
    weights: Path, start: Callable[..., str], loss: str, condition: str
) -> None:
    replace(certificate_of(load_checkpoint(weights)), loss=loss, condition=condition).save(certificate_beside(weights))
    url = start(load_networks(Settings(weights=[weights])))
    (offered,) = httpx2.get(f"{url}/v1/models").json()["models"]
    assert (offered["calibrated"]["loss"], offered["calibrated"]["condition"]) == (loss, condition)
    with Client(url, variant=SMALL.name, policy=offered["calibrated"]) as client:
        (report,) = client.stream([np.zeros(SMALL.frame_shape, np.uint8)])
    assert report.decision.certificate == offered["calibrated"]["certificate"]


def test_a_certificates_policy_is_that_of_rows_yet_to_come_and_of_no_whole_picture(
    weights: Path, start: Callable[..., str]
) -> None:
    digest = certificate_of(load_checkpoint(weights)).digest
    url = start(load_networks(Settings(weights=[weights])))
    (offered,) = httpx2.get(f"{url}/v1/models").json()["models"]
    assert (offered["stream_policy"], offered["picture_policy"]) == ("calibrated", "never")
    frame = np.full(SMALL.frame_shape, 200, np.uint8)
    with Client(url, variant=SMALL.name) as client:
        (report,) = client.stream([frame])
    assert report.decision.certificate == digest

    def outputs(model: str, name: str, array: np.ndarray[Any, Any], **parameters: Any) -> dict[str, Any]:
        tensor = {"name": name, "shape": list(array.shape), "datatype": "UINT8", "data": array.ravel().tolist()}
        body = {"inputs": [tensor], "parameters": parameters}
        answer = httpx2.post(f"{url}/v2/models/{model}/infer", json=body).json()
        return {output["name"]: output["data"][0] for output in answer["outputs"]}

    bursts = frame.reshape(SMALL.bursts_per_frame, *SMALL.burst_shape)
    sequence = outputs(f"{SMALL.name}-sequence", "bursts", bursts, sequence_id=1, sequence_start=True)
    assert (sequence["decided"], sequence["processed"]) == (True, report.decision.processed)
    assert outputs(SMALL.name, "frames", frame[None])["processed"] == SMALL.bursts_per_frame
    answer = httpx2.post(f"{url}/v1/classify", files={"files": ("a.png", picture())})
    assert answer.json()["policy"] == {"name": "never"}


def test_nobody_sets_a_certificates_thresholds(weights: Path, start: Callable[..., str]) -> None:
    url = start(load_networks(Settings(weights=[weights])))
    forged = json.dumps({"name": "calibrated", "person_last": 0.6})
    answer = httpx2.post(f"{url}/v1/classify", data={"policy": forged}, files={"files": ("a.png", picture())})
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_policy")
    assert "comes from the certificate" in answer.json()["detail"]


def test_a_service_does_not_start_with_an_altered_certificate(weights: Path) -> None:
    path = certificate_beside(weights)
    path.write_text(path.read_text().replace('"risk": 0.05', '"risk": 0.01'))
    with pytest.raises(CertificateError, match="altered after it was made"):
        load_networks(Settings(weights=[weights]))


def test_nor_with_that_of_other_weights(weights: Path) -> None:
    replace(certificate_of(load_checkpoint(weights)), weights="ab" * 32).save(certificate_beside(weights))
    with pytest.raises(CertificateError, match="for other weights"):
        load_networks(Settings(weights=[weights]))


def test_the_command_says_so_in_a_line(weights: Path) -> None:
    replace(certificate_of(load_checkpoint(weights)), weights="ab" * 32).save(certificate_beside(weights))
    command = [sys.executable, "-m", "server", "--weights", str(weights), "--port", "0"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.returncode == ExitStatus.BAD_WEIGHTS
    assert "for other weights" in ended.stderr
    assert "Traceback" not in ended.stderr
