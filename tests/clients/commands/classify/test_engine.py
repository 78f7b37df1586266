"""What a service tells of its certificate, as the command takes it."""

from dataclasses import replace
from typing import Any

import pytest

from clients.commands.classify.engine import Engine, remote_engine
from clients.python.errors import HttpError
from clients.python.http import HttpClient, ServedModel
from model.exit_policy import describe_policy
from model.picture import PictureLimits
from tests.networks import SMALL, random_checkpoint
from tests.server.certificates import certificate_of

POLICY = replace(certificate_of(random_checkpoint(SMALL, 1)), loss="accuracy", condition="halt-time").policy


def _engine(monkeypatch: pytest.MonkeyPatch, calibrated: dict[str, Any]) -> Engine:
    told = ServedModel(SMALL.name, 30, 32, 5, 6, "ab", calibrated)
    monkeypatch.setattr(HttpClient, "model", lambda *_: told)
    return remote_engine(
        "http://127.0.0.1:1",
        SMALL.name,
        {"name": "calibrated"},
        bearer_token=None,
        curve=False,
        limits=PictureLimits(),
        connections=1,
    )


def test_a_later_service_may_tell_more_of_a_certificate(monkeypatch: pytest.MonkeyPatch) -> None:
    told = describe_policy(POLICY)
    assert _engine(monkeypatch, told).policy == told
    assert _engine(monkeypatch, told | {"of_a_later_service": {"x": 1}}).policy == told


@pytest.mark.parametrize("change", [{"person_first": "high"}, {"person_first": 9}])
def test_a_certificate_that_cant_be_one_is_told(monkeypatch: pytest.MonkeyPatch, change: dict[str, Any]) -> None:
    with pytest.raises(HttpError, match="can't be one"):
        _engine(monkeypatch, describe_policy(POLICY) | change)


def test_a_promise_that_is_not_told_is_not_made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    told = describe_policy(POLICY)
    del told["loss"]
    with pytest.raises(HttpError, match="loss"):
        _engine(monkeypatch, told)
