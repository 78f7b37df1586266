import os
import re
from pathlib import Path

import httpx2

from clients.python.client import Client
from sensor_sim.clock import VirtualClock
from sensor_sim.scene import sample_photos
from tests.service_process import service_process


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
    assert text.count("serving 105x120") == 1, text  # read by the parent, served by two workers
    assert not [name for name in os.environ if name.startswith("RASCANET_")]
