"""The service as a process of its own, for tests."""

import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from prometheus_client.parser import text_string_to_metric_families

from clients.commands.ports import free_port
from sensor_sim.uplink import Backoff

QUICK = Backoff(attempts=200, first_s=0.02, most_s=0.1)
KEY = "k" * 32


@contextmanager
def service_process(*options: str, log: IO[bytes] | None = None) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Address and process of `python -m server` with these options, ended at the end."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "server", "--port", str(port), *options]
    with subprocess.Popen(command, stderr=log) as service:
        try:
            wait_until_it_answers(url, service)
            yield url, service
        finally:
            service.terminate()


def resumable_service(
    port: int, *options: str, keys: str = KEY, host: str = "127.0.0.1", log: IO[bytes] | int = subprocess.DEVNULL
) -> "subprocess.Popen[bytes]":
    """A service on this port with a resume key that its successors share; up, and the caller's to end."""
    command = [sys.executable, "-m", "server", "--host", host, "--port", str(port), "--resume-key", keys, *options]
    process = subprocess.Popen(command, stderr=log)
    wait_until_it_answers(f"http://{host}:{port}", process)
    return process


def wait_until_it_answers(url: str, process: "subprocess.Popen[Any]") -> None:
    """Returns once the service is live."""
    deadline = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(f"{url}/healthz/live", timeout=5).close()  # noqa: S310 - loopback
        except OSError:
            assert process.poll() is None, "the service ended"
            assert time.monotonic() < deadline, "the service did not start"
            time.sleep(0.02)
        else:
            return


def metric(url: str, name: str, **labels: str) -> float:
    """Sum of a running service's samples of this name with these labels."""
    with urllib.request.urlopen(f"{url}/metrics", timeout=20) as answer:  # noqa: S310 - loopback
        families = list(text_string_to_metric_families(answer.read().decode()))
    return sum(
        sample.value
        for family in families
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


@contextmanager
def hang_ups(handling: signal.Handlers) -> Iterator[None]:
    """What processes that are started here do with SIGHUP, until they say otherwise."""
    before = signal.signal(signal.SIGHUP, handling)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)
