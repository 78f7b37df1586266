"""`rascanet demo`: the service, the sample photographs through it from another process, and the page."""

import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Annotated

import typer

from clients.commands.console import console, fail
from clients.commands.ports import free_port, is_free
from model.config import DEFAULT_VARIANT

START_TIMEOUT_S = 60.0
VARIANT = DEFAULT_VARIANT
LINE_TIME_US = 2000.0  # slow enough to watch


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("demo")(demo)


def demo(
    once: Annotated[bool, typer.Option(help="stop after the table")] = False,
    port: Annotated[int, typer.Option(help="port to listen on; a free one if 0")] = 8000,
    photos: Annotated[list[Path] | None, typer.Argument(help="photographs; the samples if not given")] = None,
) -> None:
    """Starts the service, streams photographs through it, and leaves the page open until interrupted.

    Examples:
        rascanet demo
        rascanet demo --once photo.jpg
    """
    from model.checkpoint import load_checkpoint, shipped_weights
    from sensor_sim.scene import sample_photos

    pictures = photos or sample_photos()
    if not pictures:
        fail("there are no sample photographs; install the extra 'samples' or name photographs")
    port = port if port and is_free(port) else free_port()
    address = f"http://127.0.0.1:{port}"
    with subprocess.Popen([sys.executable, "-m", "clients.commands.main", "serve", "--port", str(port)]) as service:
        try:
            _wait_for(address, service)
            threshold = load_checkpoint(shipped_weights(VARIANT)).provenance.get("exit_threshold", 0.99)
            console.print(f"exit threshold {threshold}: chosen on the validation pictures, see MODEL_CARD.md")
            streaming = [sys.executable, "-m", "clients.commands.main", "stream", "--url", address]
            options = ["--variant", VARIANT, "--line-time-us", str(LINE_TIME_US), "--exit-threshold", str(threshold)]
            status = subprocess.run([*streaming, *options, *map(str, pictures)], check=False).returncode
            if status or once:
                raise SystemExit(status)
            console.print(f"\nThe page is open at [bold]{address}[/bold] until you press Ctrl+C.")
            service.wait()
        except KeyboardInterrupt:
            pass
        finally:
            service.terminate()


def _wait_for(address: str, service: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if service.poll() is not None:
            fail(f"the service ended with status {service.returncode}")
        try:
            with urllib.request.urlopen(f"{address}/healthz", timeout=5):  # noqa: S310 - our own loopback address
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
    fail(f"the service did not answer within {START_TIMEOUT_S:g} s")
