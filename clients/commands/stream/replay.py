"""`rascanet replay`: a recording to a service."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from clients.commands.console import failing_on
from clients.commands.policy import PolicyChoice
from clients.commands.service import ServiceChoice
from clients.commands.stream.sending import Feed, OutputChoice, send
from clients.commands.stream.sensor_options import LINK, LinkChoice
from clients.commands.takes import takes


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("replay")(takes(replay))


def replay(
    recording: Annotated[Path, typer.Argument(metavar="RECORDING", help="file that `rascanet record` wrote (.rscn)")],
    service: ServiceChoice,
    policy: PolicyChoice,
    link: LinkChoice,
    output: OutputChoice,
    seed: Annotated[int, typer.Option(min=0, metavar="N", rich_help_panel=LINK, help="seed of jitter and losses")] = 0,
) -> None:
    """Sends a recording to a service, bit for bit and at the recorded times; obeys the service's exits and skips.

    A service must be running: `rascanet serve`. Without a policy the service takes its default: `calibrated` where the
    weights have a certificate, else `published`.

    Examples:
        rascanet replay walk.rscn
        rascanet replay walk.rscn --virtual-time --json
    """
    from clients.commands.stream.scenes import Shot
    from clients.python.client import AsyncClient
    from sensor_sim.recording import Recording, RecordingError

    output.check()
    with failing_on(RecordingError, ValueError):
        recorded = Recording(recording)
        recorded.check()  # nothing of a broken file is sent
        client = partial(
            AsyncClient,
            service.url,
            f"{recorded.geometry.height}x{recorded.geometry.width}",
            policy=policy.wanted(),
            progress_every=1,
            pixel_format=recorded.geometry.pixel_format,
            bearer_token=service.bearer_token,
            timing=recorded.timing,
            link=link.conditions(seed),
        )
        shots = (Shot(f"frame {frame.frame_id}", frame.read, frame.start_us) for frame in recorded.frames())
        send([Feed("", shots, client)], output)
