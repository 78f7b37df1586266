"""`rascanet demo`: the service, the sample photographs through it from another process, and the page."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Final

import typer

from clients.commands.console import console, fail, failing_on, no_samples
from clients.commands.names import shown
from clients.commands.ports import free_port, is_free
from model.config import DEFAULT_VARIANT

if TYPE_CHECKING:
    from clients.python.http import HttpClient, ServedModel
    from server.settings import Settings

HOST: Final = "127.0.0.1"
START_TIMEOUT_S: Final = 60.0
LINE_TIME_US: Final = 2000.0
"""Time from row to row: slow enough to watch."""
NOT_THERE_YET: Final = "no_service"
"""Code of the error that a service which has not begun to listen is met with; any other is an answer."""
TLS: Final = ("tls_certificate", "tls_key")
"""Settings that the demo ignores: a certificate of some other name is none of the loopback address."""
LOG_LINES: Final = 20
"""Lines of the service's log that are shown where it ended by itself."""


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("demo")(demo)


def demo(
    once: Annotated[bool, typer.Option("--once", help="stop after the table")] = False,
    port: Annotated[
        int, typer.Option(min=0, max=65535, metavar="PORT", help="port to listen on; a free one if 0 or taken")
    ] = 8000,
    photos: Annotated[
        list[Path] | None, typer.Argument(metavar="PHOTO", help="photographs; the samples if not given")
    ] = None,
) -> None:
    """Starts the service, streams photographs through it, and leaves the page open until interrupted.

    The environment holds the service's settings, as for `rascanet serve`, but the demo ignores those of TLS.

    Examples:
        rascanet demo
        rascanet demo --once photo.jpg
    """
    from clients.python.errors import HttpError
    from clients.python.http import HttpClient
    from sensor_sim.scene import sample_photos

    pictures = photos or sample_photos()
    if not pictures:
        fail(no_samples())
    settings = _settings()
    token = settings.bearer_token.get_secret_value() if settings.bearer_token else None
    found = _port(port)
    address = f"http://{HOST}:{found}"
    serving = [sys.executable, "-m", "clients.commands.main", "serve", "--host", HOST, "--port", str(found)]
    ignored = set(map(settings.variable_of, TLS))
    plain = {name: value for name, value in os.environ.items() if name.upper() not in ignored}
    with (
        tempfile.TemporaryFile() as log,
        subprocess.Popen(serving, stdout=subprocess.DEVNULL, stderr=log, env=plain) as service,
    ):
        try:
            with failing_on(HttpError), HttpClient(address, bearer_token=token) as client:
                model = _chosen(wait_for(client, service, log))
            console.print(_about(model), highlight=False, markup=False)
            streaming = [sys.executable, "-m", "clients.commands.main", "stream", "--url", address]
            options = ["--variant", model.variant, "--line-time-us", str(LINE_TIME_US)]
            status = subprocess.run(
                [*streaming, *options, "--", *map(str, pictures)],
                env=os.environ | ({"RASCANET_BEARER_TOKEN": token} if token else {}),
                check=False,
            ).returncode
            if status or once:
                raise SystemExit(status)
            _tell_page(address, settings.page_folder)
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


def _settings() -> "Settings":
    """The service's settings: those of the environment, without TLS."""
    from server.__main__ import MENDABLE, in_one_sentence, loaded, status_after
    from server.settings import Settings

    try:
        return loaded(lambda: Settings(host=HOST, samples=[], recordings=[], **dict.fromkeys(TLS)))
    except tuple(MENDABLE) as error:
        fail(in_one_sentence(error), status_after(error))


def _chosen(models: "list[ServedModel]") -> "ServedModel":
    """The default network if it is served, else the first one."""
    if not models:
        fail("the service has no network: RASCANET_WEIGHTS names files of weights")
    return next((model for model in models if model.variant == DEFAULT_VARIANT), models[0])


def _about(model: "ServedModel") -> str:
    """Which rule the exits follow, as the service says it."""
    from model.promise import promise_in_words

    if model.calibrated is None:
        return f"{model.variant}, policy `published` (docs/early-exit.md)."
    said = {name: model.calibrated[name] for name in ("loss", "condition", "risk", "delta")}
    return f"{model.variant}, policy `calibrated` (docs/early-exit.md). {promise_in_words(**said)}"


def _tell_page(address: str, folder: Path) -> None:
    if (folder / "index.html").is_file():
        console.print(f"\nThe page is open at {address} until you press Ctrl+C.", highlight=False)
    else:
        console.print(
            f"\nThe page is not built: it needs Node 20 and npm. The service answers at {address}/docs until you press "
            "Ctrl+C.",
            highlight=False,
        )


def wait_for(client: "HttpClient", service: "subprocess.Popen[bytes]", log: IO[bytes]) -> "list[ServedModel]":
    """The networks of the service, once it answers.

    Raises:
        HttpError: the service refuses.
    """
    from clients.python.errors import HttpError

    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        if service.poll() is not None:
            _fail_with(service, log)
        try:
            return client.models()
        except HttpError as error:
            if error.code != NOT_THERE_YET:
                raise
        if time.monotonic() > deadline:
            fail(f"the service did not answer within {START_TIMEOUT_S:g} s")
        time.sleep(0.1)


def _fail_with(service: "subprocess.Popen[bytes]", log: IO[bytes]) -> None:
    log.seek(0)
    for line in log.read().decode(errors="replace").splitlines()[-LOG_LINES:]:
        print(shown(line), file=sys.stderr)
    fail(f"the service ended with status {service.returncode}")
