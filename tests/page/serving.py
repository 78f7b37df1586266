"""The service and Chromium for the page's tests, screenshots and soak."""

import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from clients.commands.ports import free_port

ROOT = Path(__file__).parent.parent.parent
DIST = ROOT / "clients" / "browser" / "dist"
SITE = ROOT / "build" / "site"
CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
]
START_S = 120
LOADED = "loaded"
LOADING = f"""\
import sys
from server.__main__ import main
print("{LOADED}", flush=True)
sys.stdin.readline()
main()
"""
"""A service that has loaded its modules, most of its start, and begins at the first line it reads."""


class Service:
    """A service of its own on a port, which can be stopped and started again."""

    def __init__(self, options: Sequence[str]) -> None:
        self._options = options
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self._process: subprocess.Popen[bytes] | None = None
        self._spare: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns once it answers; at once if it runs already."""
        if self._process is not None and self._process.poll() is None:
            return
        self._begin(self._spare or self._load())
        self._spare = None

    def prepare(self) -> None:
        """Has a successor ready, so that the next start takes no time worth mentioning, however busy the machine is."""
        self._spare = self._load()

    def _load(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", LOADING, "--port", str(self._port), *self._options]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("RASCANET_")}
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert process.stdout is not None
        with process.stdout as said:
            if said.readline().strip() != LOADED.encode():
                process.kill()
                raise RuntimeError(f"the service did not load: {command[3:]}")
        return process

    def _begin(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        assert process.stdin is not None
        with process.stdin as ask:
            ask.write(b"\n")
        wait_for(f"{self.url}/healthz", process)

    def close(self) -> None:
        """Ends it for good, and its successor."""
        self.stop(kill=True)
        if self._spare is not None and self._spare.stdin is not None:
            self._spare.kill()
            self._spare.stdin.close()
            self._spare.wait(10)
            self._spare = None

    def stop(self, kill: bool = False) -> None:
        """Ends it, politely or not."""
        if self._process is None:
            return
        (self._process.kill if kill else self._process.terminate)()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
        self._process = None


def wait_for(url: str, process: "subprocess.Popen[bytes]") -> None:
    """Returns once a process answers at an address."""
    deadline = time.monotonic() + START_S
    while True:
        try:
            urllib.request.urlopen(url, timeout=5).close()  # noqa: S310 - loopback
            return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"nothing answers at {url}") from None
            time.sleep(0.05)


class StaticHost:
    """Python's own server of files over a folder, as anybody has it."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", str(folder)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(self.url, self._process)

    def stop(self) -> None:
        """Ends it; twice does no harm."""
        self._process.terminate()
        self._process.wait(10)


def listed(name: str, paths: Sequence[Path]) -> list[str]:
    """A setting that is a list of files, as options."""
    return [part for path in paths for part in (f"--{name}", str(path))]


@contextmanager
def chromium(camera: Path | None = None) -> Iterator[Browser]:
    """Debian's Chromium, without a screen; with a camera that shows a file."""
    fake = (
        [] if camera is None else ["--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={camera}"]
    )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, *fake])
        try:
            yield browser
        finally:
            browser.close()
