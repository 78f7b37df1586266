"""`rascanet serve`: the service with the sample photographs; `python -m server` has all the settings."""

from pathlib import Path
from typing import Annotated

import typer

from clients.commands.console import failing_on


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("serve")(serve)


def serve(
    host: Annotated[str, typer.Option(help="address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="port to listen on")] = 8000,
    recordings: Annotated[
        list[Path] | None, typer.Option("--recording", help="recording (`rascanet record`) that the page offers")
    ] = None,
) -> None:
    """Runs the service; settings beside these from the environment (see `python -m server --help`).

    Examples:
        rascanet serve
        rascanet serve --port 9000
    """
    from model.checkpoint import CheckpointError
    from model.step import RuntimeUnavailableError
    from sensor_sim.scene import sample_photos
    from server.service import run
    from server.settings import Settings

    with failing_on(CheckpointError, RuntimeUnavailableError, ValueError):
        run(Settings(host=host, port=port, samples=sample_photos(), recordings=recordings or []))
