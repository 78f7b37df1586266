"""`rascanet serve`: the service with the sample photographs; `python -m server` has all the settings."""

import os
import sys
from pathlib import Path
from socket import socket
from typing import Annotated, Any

import typer

from clients.commands.console import fail
from clients.commands.names import shown


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("serve")(serve)


def serve(
    host: Annotated[
        str | None, typer.Option(metavar="HOST", help="address to listen on; 127.0.0.1 if not given")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, metavar="PORT", help="port to listen on; 8000 if not given, a free one if 0"),
    ] = None,
    recordings: Annotated[
        list[Path] | None,
        typer.Option("--recording", metavar="FILE", help="recording (`rascanet record`) that the page offers"),
    ] = None,
) -> None:
    """Runs the service until it is interrupted. Prints its address and what to try there.

    The environment holds what no option gives: `python -m server --help` lists all settings, docs/settings.md explains
    them. On a terminal, the log is a few lines for people; elsewhere it is JSON. Exit status: 2 impossible settings; 3
    unusable weights; 4 an address or TLS files that can't be used.

    Examples:
        rascanet serve
        rascanet serve --port 9000
        RASCANET_WEIGHTS='["mine/w.safetensors"]' rascanet serve
    """
    from sensor_sim.scene import sample_photos
    from server.__main__ import MENDABLE, in_one_sentence, loaded, status_after
    from server.process.logs import log_as_json, log_for_people
    from server.service import run
    from server.settings import Settings

    try:
        options: dict[str, Any] = {"host": host, "port": port, "recordings": recordings or None}
        given = {name: value for name, value in options.items() if value is not None}
        if Settings.variable_of("samples") not in map(str.upper, os.environ):
            given["samples"] = sample_photos()
        settings = loaded(lambda: Settings(**given))
        tls = settings.tls_certificate is not None
        run(
            settings,
            log_for_people if sys.stderr.isatty() else log_as_json,
            lambda sockets: _tell(sockets, page=(settings.page_folder / "index.html").is_file(), tls=tls),
        )
    except tuple(MENDABLE) as error:
        fail(in_one_sentence(error), status_after(error))


def _tell(sockets: list[socket], *, page: bool, tls: bool) -> None:
    lines = welcome_lines([address_of(each, tls=tls) for each in sockets], page=page)
    print("".join(f"{shown(line)}\n" for line in lines), end="", flush=True)  # at once: the log may go to the same file


def address_of(listening: socket, *, tls: bool = False) -> str:
    """Returns the address that a listening socket is reached at."""
    host, port = listening.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - anywhere is reached here too
    return f"{'https' if tls else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"


def welcome_lines(addresses: list[str], *, page: bool) -> list[str]:
    """Returns the lines that say where a service is and what to try there."""
    address = addresses[0]
    return [
        f"Listening at {' and '.join(addresses)} until you press Ctrl+C",
        f"  page       {address}" if page else "  page       not built (needs Node 20; `make page` builds it)",
        f"  HTTP API   {address}/docs",
        f"  try        rascanet stream --samples --url {address}",
        f"             curl -F files=@photo.jpg {address}/v1/classify",
    ]
