"""`rascanet demo`: the service, the sample photographs through it from another process, and the page."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, Annotated, Final

import typer

from clients.commands.console import console, fail, no_samples
from clients.commands.names import shown
from clients.commands.ports import free_port, is_free
from model.config import DEFAULT_VARIANT

START_TIMEOUT_S: Final = 60.0
LINE_TIME_US: Final = 2000.0
"""Time from row to row: slow enough to watch."""
LOG_LINES: Final = 20
"""Lines of the service's log that are shown where it ended by itself."""


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("demo")(demo)


def demo(
    once: Annotated[bool, typer.Option("--once", help="stop after the table")] = False,
    port: Annotated[
        int, typer.Option(min=0, max=65535, metavar="PORT", help="port to listen on; a free one if 0")
    ] = 8000,
    photos: Annotated[
        list[Path] | None, typer.Argument(metavar="PHOTO", help="photographs; the samples if not given")
    ] = None,
) -> None:
    """Starts the service, streams photographs through it, and leaves the page open until interrupted.

    Examples:
        rascanet demo
        rascanet demo --once photo.jpg
    """
    from sensor_sim.scene import sample_photos

    pictures = photos or sample_photos()
    if not pictures:
        fail(no_samples())
    found = _port(port)
    address = f"http://127.0.0.1:{found}"
    serving = [sys.executable, "-m", "clients.commands.main", "serve", "--port", str(found)]
    with tempfile.TemporaryFile() as log, subprocess.Popen(serving, stdout=subprocess.DEVNULL, stderr=log) as service:
        try:
            _wait_for(address, service, log)
            console.print(_about(address), highlight=False, markup=False)
            streaming = [sys.executable, "-m", "clients.commands.main", "stream", "--url", address]
            options = ["--variant", DEFAULT_VARIANT, "--line-time-us", str(LINE_TIME_US)]
            status = subprocess.run([*streaming, *options, "--", *map(str, pictures)], check=False).returncode
            if status or once:
                raise SystemExit(status)
            _tell_page(address)
            if service.wait():
                _fail_with(service, log)
        except KeyboardInterrupt:
            pass
        finally:
            service.terminate()


def _port(wanted: int) -> int:
    if wanted and is_free(wanted):
        return wanted
    found = free_port()
    if wanted:
        console.print(f"Port {wanted} is taken; the demo is at port {found} instead.", highlight=False)
    return found


def _about(address: str) -> str:
    """Which rule the exits follow, as the service says it."""
    from clients.python.http import HttpClient

    with HttpClient(address) as client:
        promise = client.model(DEFAULT_VARIANT).calibrated
    rule = (
        f"policy `calibrated`: exits change at most {100 * promise['risk']:g}% of the decisions; the chance that "
        f"this promise is wrong is {100 * promise['delta']:g}%"
        if promise
        else "policy `published`"
    )
    return f"{DEFAULT_VARIANT}, {rule} (docs/early-exit.md)."


def _tell_page(address: str) -> None:
    from server.settings import PAGE_FOLDER

    if (PAGE_FOLDER / "index.html").is_file():
        console.print(f"\nThe page is open at {address} until you press Ctrl+C.", highlight=False)
    else:
        console.print(
            f"\nThe page is not built: it needs Node 20 and npm. The service answers at {address}/docs until you press "
            "Ctrl+C.",
            highlight=False,
        )


def _wait_for(address: str, service: "subprocess.Popen[bytes]", log: IO[bytes]) -> None:
    from clients.python.errors import HttpError
    from clients.python.http import HttpClient

    deadline = time.monotonic() + START_TIMEOUT_S
    with HttpClient(address) as client:
        while time.monotonic() < deadline:
            if service.poll() is not None:
                _fail_with(service, log)
            try:
                client.models()
            except HttpError:
                time.sleep(0.1)
            else:
                return
    fail(f"the service did not answer within {START_TIMEOUT_S:g} s")


def _fail_with(service: "subprocess.Popen[bytes]", log: IO[bytes]) -> None:
    log.seek(0)
    for line in log.read().decode(errors="replace").splitlines()[-LOG_LINES:]:
        print(shown(line), file=sys.stderr)
    fail(f"the service ended with status {service.returncode}")
