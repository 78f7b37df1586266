from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.certificate import certificate_beside
from model.checkpoint import Checkpoint, CheckpointError, save_checkpoint, shipped_weights
from model.config import VARIANTS, RaScaNetConfig
from model.integer.checkpoint import load_integer_checkpoint, save_integer_checkpoint
from model.promise import LOSSES
from model.runtime import load_runtime
from server.audits import watched
from server.errors import ServiceError
from server.networks import ServedNetwork, choose, load_networks, read_weights, tell_served
from server.settings import Settings
from tests.model.random_networks import random_frames
from tests.networks import SMALL, float16_checkpoint, person_curve, random_checkpoint, random_integer_network
from tests.server.certificates import certificate_of


def test_the_first_network_is_the_one_that_nobody_names(models: dict[str, ServedNetwork]) -> None:
    assert choose(models, None) is next(iter(models.values()))
    for name, served in models.items():
        assert choose(models, name) is served


@pytest.mark.parametrize(("variant", "there"), [("1x1", "30x32, 105x120"), ("x" * 1000, "30x32"), ("", "30x32")])
def test_what_is_not_served(models: dict[str, ServedNetwork], variant: str, there: str) -> None:
    with pytest.raises(ServiceError, match=f"is not served; there is {there}") as refused:
        choose(models, variant)
    assert refused.value.code == "unknown_variant"
    assert len(str(refused.value)) < 200
    with pytest.raises(ServiceError, match="there is none"):
        choose({}, variant or None)


@pytest.mark.parametrize("make", [random_checkpoint, float16_checkpoint])
def test_networks_are_those_of_the_settings(tmp_path: Path, make: Callable[[RaScaNetConfig, int], Checkpoint]) -> None:
    checkpoint, path = make(SMALL, 3), tmp_path / "small.safetensors"
    save_checkpoint(checkpoint, path)
    [(name, served)] = load_networks(Settings(weights=[path])).items()
    assert (name, served.digest, served.certified) == (SMALL.name, checkpoint.digest, None)
    frame = random_frames(SMALL, 1, 5)[0]
    assert np.array_equal(person_curve(served.runtime, frame), person_curve(load_runtime(checkpoint), frame))
    path.write_bytes(b"nothing")
    with pytest.raises(CheckpointError):
        load_networks(Settings(weights=[path]))


@pytest.mark.parametrize("same", [True, False])
def test_two_networks_of_one_size_are_refused(tmp_path: Path, same: bool) -> None:
    first, second = tmp_path / "first.safetensors", tmp_path / "second.safetensors"
    save_checkpoint(random_checkpoint(SMALL, 3), first)
    save_integer_checkpoint(random_integer_network(SMALL, 3), second)
    with pytest.raises(CheckpointError, match=r"safetensors: the network 30x32 is served from .*first\.safetensors"):
        load_networks(Settings(weights=[first, first if same else second]))


def test_the_log_names_weights_policy_and_risk(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    checkpoint, path = random_checkpoint(SMALL, 3), tmp_path / "small.safetensors"
    save_checkpoint(checkpoint, path)
    with caplog.at_level("INFO", "server.networks"):
        tell_served(read_weights(Settings(weights=[path])))
        certificate = replace(certificate_of(checkpoint), risk=0.08)
        certificate.save(certificate_beside(path))
        tell_served(read_weights(Settings(weights=[path])))
    assert caplog.messages == [
        f"serving {SMALL.name} from {path}; policy published, since there is no certificate beside the weights",
        f"serving {SMALL.name} from {path}; policy calibrated, certificate {certificate.digest[:8]}. "
        "Exits change at most 8% of the decisions; the chance that this promise is wrong is 5%.",
    ]


def test_int8_serves_the_shipped_integers() -> None:
    found = load_networks(Settings(arithmetic="int8"))
    assert list(found) == list(VARIANTS)
    for variant, served in found.items():
        assert served.digest == load_integer_checkpoint(shipped_weights(variant, "int8")).digest
        assert served.runtime.initial_hidden().dtype == np.int16
        assert served.certified is not None


@pytest.mark.parametrize("loss", LOSSES)
def test_a_certificate_is_watched_where_audits_can_see_its_loss(tmp_path: Path, loss: str) -> None:
    path, checkpoint = tmp_path / "w.safetensors", random_checkpoint(SMALL, 1)
    save_checkpoint(checkpoint, path)
    certificate = replace(certificate_of(checkpoint), loss=loss)
    certificate.save(certificate_beside(path))
    (served,) = (networks := load_networks(Settings(weights=[path]))).values()
    assert served.certified == certificate.policy
    assert list(watched(networks)) == ([certificate.digest] if loss == "disagreement" else [])
