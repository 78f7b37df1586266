"""`rascanet stream`: photographs through a simulated sensor to a service, burst by burst."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from clients.commands.console import console, failing_on
from clients.commands.policy import ExitThreshold, Policy, SkipThreshold, Variant, policy_of

DEFAULT_URL = "http://127.0.0.1:8000"


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("stream")(stream)


def stream(
    photos: Annotated[list[Path], typer.Argument(help="photographs, one frame each")],
    url: Annotated[str, typer.Option(help="address of the service")] = DEFAULT_URL,
    variant: Variant = "105x120",
    line_time_us: Annotated[float, typer.Option(min=0, help="from one row to the next")] = 125.3,
    frame_rate: Annotated[
        float | None, typer.Option(min=0.001, help="frames a second; as fast as read if not given")
    ] = None,
    virtual_time: Annotated[bool, typer.Option(help="as fast as possible instead of in real time")] = False,
    policy: Policy = "published",
    exit_threshold: ExitThreshold = None,
    skip_threshold: SkipThreshold = None,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object a line, for programs")] = False,
) -> None:
    """Streams photographs, prints bursts as they are decided, and ends with a table."""
    from clients.commands.stream_view import JsonView, LiveView, PlainView, result_table
    from clients.python.client import Client, stream_url
    from sensor_sim.emitter import StreamError, VirtualClock
    from sensor_sim.readout import ReadoutTiming
    from sensor_sim.scene import SceneError

    view = JsonView() if as_json else LiveView(console) if console.is_terminal else PlainView()
    timing = ReadoutTiming(line_time_us, 1e6 / frame_rate if frame_rate else None)
    reports = []
    with failing_on(StreamError, SceneError, ValueError), view:
        client = Client(
            stream_url(url),
            variant,
            policy=policy_of(policy, exit_threshold, skip_threshold),
            progress_every=1,
            timing=timing,
            clock=VirtualClock() if virtual_time else None,
            observer=view.observe,
        )
        with client:
            for path in photos:
                view.begin(path.name, client.geometry)
                for report in client.stream([client.photo(path)]):
                    reports.append((path.name, report))
                    view.end(report)
            summary = client.end()
    if as_json:
        print(json.dumps({"type": "summary", **asdict(summary)}))
    else:
        console.print(result_table(reports))
