"""Replicas of the service on loopback addresses of their own, behind a real proxy with the configuration in deploy/."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

from clients.commands.ports import free_port
from tests.scale.names import NameServer
from tests.service_process import KEY, resumable_service

DEPLOY = Path(__file__).parents[2] / "deploy"
NAME = "server"
PROXIES = {
    "haproxy": ("haproxy", "-db", "-f", str(DEPLOY / "haproxy.cfg")),
    "caddy": ("caddy", "run", "--config", str(DEPLOY / "Caddyfile"), "--adapter", "caddyfile"),
}
NOTICED_S = 1.5
"""In which a proxy has asked for the name and for the health of what it found."""


def missing(*programs: str) -> str | None:
    """The reason to leave out what needs these programs; None where they are installed."""
    absent = [program for program in programs if found(program) is None]
    return f"{' and '.join(absent)} not installed (apt-get install {' '.join(absent)})" if absent else None


def found(program: str) -> str | None:
    """The file of a program, also in the folder of administrators, where Debian has haproxy."""
    return shutil.which(program, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")


class Fleet:
    """Replicas and their proxy, until the end of a `with`.

    Args:
        proxy: name of the proxy, one of `PROXIES`.
        options: of every replica.

    Attributes:
        url: address of the proxy.
        replicas: those that run, by address.
        keys: resume keys of the replicas that are started from now on.
    """

    def __init__(self, proxy: str, *options: str) -> None:
        self._proxy_name, self._options = proxy, options
        self._stack = ExitStack()
        self._names = NameServer(NAME)
        self._stack.callback(self._names.close)
        self.folder = Path(self._stack.enter_context(TemporaryDirectory(prefix="rascanet-scale-")))
        self._network = f"127.{50 + os.getpid() % 200}.{os.getpid() // 200 % 256}"
        self.port, listen_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{listen_port}"
        self.replicas: dict[str, subprocess.Popen[bytes]] = {}
        self.keys = KEY
        self._started = 0
        self._environment = os.environ | {
            "RASCANET_LISTEN_ADDRESS": "127.0.0.1",
            "RASCANET_LISTEN_PORT": str(listen_port),
            "RASCANET_SERVICE": NAME,
            "RASCANET_PORT": str(self.port),
            "RASCANET_DNS": f"127.0.0.1:{self._names.port}",
            **{name: str(self.folder) for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")},
        }
        self._stack.callback(self._end)
        self._proxy = self._start_proxy()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def _end(self) -> None:
        for process in (*self.replicas.values(), self._proxy):
            process.kill()
            process.wait(30)

    def _start_proxy(self) -> "subprocess.Popen[bytes]":
        program, *arguments = PROXIES[self._proxy_name]
        with (self.folder / "proxy.log").open("ab") as log:
            process = subprocess.Popen(
                [found(program) or program, *arguments],
                stdout=log, stderr=log, env=self._environment, cwd=self.folder,
            )  # fmt: skip
        deadline = time.monotonic() + 30
        host, port = self.url.removeprefix("http://").split(":")
        while True:
            try:
                socket.create_connection((host, int(port)), timeout=5).close()
            except OSError:
                assert process.poll() is None, (self.folder / "proxy.log").read_text()
                assert time.monotonic() < deadline, "the proxy does not listen"
                time.sleep(0.02)
            else:
                return process

    def add(self, count: int = 1) -> None:
        """Starts replicas; the name has their addresses once they answer."""
        for _ in range(count):
            self._started += 1
            address = f"{self._network}.{self._started}"
            with (self.folder / f"{address}.log").open("wb") as log:
                self.replicas[address] = resumable_service(
                    self.port, *self._options, keys=self.keys, host=address, log=log
                )
            self._publish()

    def _publish(self) -> None:
        self._names.addresses = tuple(self.replicas)

    def kill(self) -> None:
        """Kills the oldest replica; its address is in the name for a while longer, as a cluster notices late."""
        address, process = next(iter(self.replicas.items()))
        process.kill()
        process.wait(30)
        time.sleep(1)
        del self.replicas[address]
        self._publish()

    def drain(self) -> None:
        """Takes the oldest replica out of the name, and tells it to end."""
        address, process = next(iter(self.replicas.items()))
        del self.replicas[address]
        self._publish()
        process.terminate()
        assert process.wait(60) == 0, "a replica that drains ends with 0"

    def replace(self, keys: str) -> None:
        """Replaces all replicas by ones with other keys, one after the other: a rolling deploy."""
        self.keys = keys
        for _ in range(len(self.replicas)):
            self.add()
            time.sleep(NOTICED_S)
            self.drain()

    def cut(self) -> None:
        """Kills the proxy, and starts it again."""
        self._proxy.send_signal(signal.SIGKILL)
        self._proxy.wait(30)
        self._proxy = self._start_proxy()

    def metrics(self, address: str) -> str:
        """A replica's metrics."""
        with urllib.request.urlopen(f"http://{address}:{self.port}/metrics", timeout=30) as answer:
            text: str = answer.read().decode()
        return text

    def lines(self, event: str) -> list[dict[str, Any]]:
        """Log lines of all replicas that there ever were about this event."""
        lines = [line for path in self.folder.glob("127.*.log") for line in path.read_text().splitlines()]
        return [fields for line in lines if (fields := json.loads(line)).get("event") == event]

    def ended(self) -> Counter[str]:
        """Conversations that ended at the replicas, by their reason."""
        return Counter(line["reason"] for line in self.lines("stream ended"))

    def refused(self) -> Counter[str]:
        """Upgrades that the replicas refused, by code."""
        return Counter(line["code"] for line in self.lines("upgrade refused"))
