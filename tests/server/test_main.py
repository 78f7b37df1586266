import os
import re
from pathlib import Path

import httpx2
import pytest

from clients.python.client import Client
from sensor_sim.clock import VirtualClock
from sensor_sim.scene import sample_photos
from server.settings import Settings
from tests.service_process import service_process


def test_settings_survive_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(workers=3, idle_s=7.5, weights=[Path("a b.safetensors")], host="::1", runtime="torch")
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    assert Settings() == settings


def test_several_workers_serve_one_port_and_stop_together(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as log, service_process("--workers", "2", log=log) as (url, service):
        chances = set()
        for _ in range(6):
            with Client(url, policy={"name": "never"}, clock=VirtualClock()) as client:
                chances.add(client.emit(client.photo(sample_photos()[0])).decision.p_person)
        for _ in range(4):  # whichever worker answers, it answers for both
            text = httpx2.get(f"{url}/metrics").text
            counts = dict(re.findall(r"^(rascanet_\S+) (\S+)$", text, re.MULTILINE))
            assert float(counts['rascanet_decisions_total{kind="end_of_frame"}']) == 6
            assert float(counts["rascanet_step_seconds_count"]) == 6
            assert "pid" not in text
    assert service.returncode == 0
    assert len(chances) == 1
    text = (tmp_path / "log").read_text()
    assert text.count("serving 105x120") == 3, text  # looked at by the parent, served by two workers
    assert not [name for name in os.environ if name.startswith("RASCANET_")]
