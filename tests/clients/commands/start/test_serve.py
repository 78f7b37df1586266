import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from clients.commands.main import app
from sensor_sim.recording import MAGIC
from sensor_sim.scene import sample_photos
from server.settings import Settings


def _served(options: list[str], environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Settings:
    served: list[Settings] = []
    monkeypatch.setattr("server.service.run", lambda settings, *_: served.append(settings))
    result = CliRunner().invoke(app, ["serve", *options], env=environment)
    assert result.exit_code == 0, result.output
    return served[0]


@pytest.mark.parametrize(
    ("options", "environment", "expected"),
    [
        ([], {}, {"host": "127.0.0.1", "port": 8000, "samples": sample_photos(), "recordings": []}),
        ([], {"RASCANET_PORT": "9001", "rascanet_samples": "[]"}, {"port": 9001, "samples": []}),
        (["--port", "0", "--host", "127.0.0.3"], {"RASCANET_PORT": "9001"}, {"port": 0, "host": "127.0.0.3"}),
    ],
)
def test_options_win_and_the_environment_holds_the_rest(
    options: list[str], environment: dict[str, str], expected: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = _served(options, environment, monkeypatch)
    assert {name: getattr(settings, name) for name in expected} == expected


def test_recordings_of_the_environment_are_offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named, other = tmp_path / "named.rscn", tmp_path / "other.rscn"
    for path in (named, other):
        path.write_bytes(MAGIC)
    environment = {"RASCANET_RECORDINGS": json.dumps([str(other)])}
    assert _served([], environment, monkeypatch).recordings == [other]
    assert _served(["--recording", str(named)], environment, monkeypatch).recordings == [named]
