"""`rascanet stream`: photographs through a simulated sensor to a service, burst by burst."""

import itertools
import json
from collections import deque
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from clients.commands.console import console, fail, failing_on
from clients.commands.policy import ExitThreshold, Policy, SkipThreshold, Variant, policy_of

DEFAULT_URL = "http://127.0.0.1:8000"


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("stream")(stream)


def stream(
    photos: Annotated[list[Path] | None, typer.Argument(help="photographs, one frame each")] = None,
    samples: Annotated[bool, typer.Option("--samples", help="also the sample photographs")] = False,
    repeat: Annotated[bool, typer.Option("--repeat", help="over and over, until interrupted")] = False,
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
    from sensor_sim.clock import VirtualClock
    from sensor_sim.emitter import StreamError
    from sensor_sim.ledger import FrameReport
    from sensor_sim.readout import ReadoutTiming
    from sensor_sim.scene import SceneError, sample_photos

    pictures = [*(photos or []), *(sample_photos() if samples else [])]
    if not pictures:
        fail("name photographs, or --samples where the extra 'samples' is installed")
    view = JsonView() if as_json else LiveView(console) if console.is_terminal else PlainView()
    timing = ReadoutTiming(line_time_us, 1e6 / frame_rate if frame_rate else None)
    reports: deque[tuple[str, FrameReport]] = deque(maxlen=1000)  # bounds --repeat; the table shows the last ones
    with failing_on(StreamError, SceneError, ValueError), suppress(KeyboardInterrupt), view:
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
            for path in itertools.cycle(pictures) if repeat else pictures:
                view.begin(path.name, client.geometry)
                report = client.emit(client.photo(path))
                view.end(report)
                reports.append((path.name, report))
            summary = client.end()
            if as_json:
                print(json.dumps({"type": "summary", **asdict(summary)}))
    if not as_json:
        console.print(result_table(reports))
