"""Every limit, setting, message, error, close code and metric is on the page that is to list it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client.metrics import MetricWrapperBase

from sensor_sim import wire
from server.errors import CLOSE_CODES, HTTP_STATUS
from server.metrics import Metrics
from server.settings import Limits, Settings

ROOT = Path(__file__).parents[1]
PROTOCOL = (ROOT / "PROTOCOL.md").read_text()
STREAM_STATUS = (
    "wrong_subprotocol",
    "unauthorized",
    "forbidden_origin",
    "server_full",
    "address_full",
    "server_busy",
    "draining",
)


@pytest.mark.parametrize("kind", wire._Control.__subclasses__(), ids=lambda kind: kind.__name__)
def test_message(kind: type[wire._Control]) -> None:
    (row,) = re.findall(rf"^\| `{kind.__struct_config__.tag}` \| (?:client|server|both) \|.*$", PROTOCOL, re.MULTILINE)
    for field in kind.__struct_fields__:
        assert f"`{field}`" in row


@pytest.mark.parametrize(("code", "close_code"), CLOSE_CODES.items())
def test_error(code: str, close_code: int) -> None:
    assert f"| `{code}` | {close_code} |" in PROTOCOL


@pytest.mark.parametrize("code", STREAM_STATUS)
def test_refusal(code: str) -> None:
    assert f"| `{code}` | {HTTP_STATUS[code]} |" in PROTOCOL


@pytest.mark.parametrize("name", Limits.model_fields)
def test_limit(name: str) -> None:
    assert name in Settings.model_fields
    assert f"`{name}`" in PROTOCOL


def test_settings() -> None:
    command = [sys.executable, "-m", "server", "--help"]
    text = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    for name, field in Settings.model_fields.items():
        assert field.description
        assert f"--{name.replace('_', '-')}" in text


@pytest.mark.parametrize(
    "metric", [value for value in vars(Metrics()).values() if isinstance(value, MetricWrapperBase)]
)
def test_metric(metric: MetricWrapperBase) -> None:
    name = next(iter(metric.describe())).name + ("_total" if metric._type == "counter" else "")
    assert f"| `{name}` |" in (ROOT / "docs" / "reliability.md").read_text()
