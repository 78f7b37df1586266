"""Debian's Prometheus beside a fleet, with the shipped configuration and rules."""

import json
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from clients.commands.ports import free_port
from tests.scale.fleet import DEPLOY, Fleet

SCRAPED_S = 1.0
"""Between two scrapes: runs are short."""


class Prometheus:
    """Scrapes the replicas that `follow` is told of, until the end of a `with`.

    The shipped configuration, but for the way in which replicas are found: Prometheus asks no name server but the
    machine's own, so it reads a file here.
    """

    def __init__(self, folder: Path) -> None:
        self._port = free_port()
        self._targets = folder / "targets.json"
        self._targets.write_text("[]")
        configuration = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
        configuration["global"] = {"scrape_interval": f"{SCRAPED_S:g}s", "evaluation_interval": f"{SCRAPED_S:g}s"}
        (job,) = configuration["scrape_configs"]
        del job["dns_sd_configs"]
        job["file_sd_configs"] = [{"files": [str(self._targets)], "refresh_interval": "1s"}]
        (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration))
        shutil.copy(DEPLOY / "prometheus" / "alerts.yml", folder)
        command = [
            "prometheus", f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'series'}",
            f"--web.listen-address=127.0.0.1:{self._port}",
        ]  # fmt: skip
        with (folder / "prometheus.log").open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)

    def __enter__(self) -> Self:
        deadline = time.monotonic() + 30
        while True:
            try:
                self.ask("vector(1)")
            except OSError:
                assert self._process.poll() is None, "Prometheus ended"
                assert time.monotonic() < deadline, "Prometheus does not answer"
                time.sleep(0.1)
            else:
                return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait(30)

    def follow(self, fleet: Fleet) -> None:
        """Scrapes the replicas that a fleet has now."""
        targets = [f"{address}:{fleet.port}" for address in fleet.replicas]
        written = self._targets.with_suffix(".new")
        written.write_text(json.dumps([{"targets": targets}]))
        written.replace(self._targets)

    def ask(self, query: str) -> list[tuple[dict[str, str], float]]:
        """The labels and the values that a query has now."""
        url = f"http://127.0.0.1:{self._port}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
        with urllib.request.urlopen(url, timeout=30) as answer:
            found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        return [(each["metric"], float(each["value"][1])) for each in found]
