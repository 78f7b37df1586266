"""The service as a process of its own, for tests."""

import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from clients.commands.demo import free_port


@contextmanager
def service_process(*options: str, log: IO[bytes] | None = None) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Address and process of `python -m server` with these options, ended at the end."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "server", "--port", str(port), *options]
    with subprocess.Popen(command, stderr=log) as service:
        try:
            deadline = time.monotonic() + 60
            while True:
                try:
                    urllib.request.urlopen(f"{url}/healthz", timeout=5).close()  # noqa: S310 - loopback
                    break
                except urllib.error.URLError:
                    assert service.poll() is None, "the service ended"
                    assert time.monotonic() < deadline, "the service did not start"
                    time.sleep(0.05)
            yield url, service
        finally:
            service.terminate()
