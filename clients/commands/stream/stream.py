"""`rascanet stream`: what a simulated sensor sees, to a service, burst by burst."""

from functools import partial
from typing import Annotated

import typer

from clients.commands.console import failing_on
from clients.commands.policy import PolicyChoice, Variant
from clients.commands.service import ServiceChoice
from clients.commands.stream.announcing import AnnounceChoice, BrokerChoice, announcing
from clients.commands.stream.sending import Feed, OutputChoice, send
from clients.commands.stream.sensor_options import LinkChoice, SceneChoice, SensorChoice
from clients.commands.takes import takes
from model.config import DEFAULT_VARIANT


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("stream")(takes(stream))


def stream(
    scene: SceneChoice,
    service: ServiceChoice,
    policy: PolicyChoice,
    sensor: SensorChoice,
    link: LinkChoice,
    output: OutputChoice,
    broker: BrokerChoice,
    announce: AnnounceChoice,
    variant: Variant = DEFAULT_VARIANT,
    repeat: Annotated[
        bool, typer.Option("--repeat", help="stream the sources again and again, until interrupted or --frames")
    ] = False,
) -> None:
    """Streams photographs, films, a camera or test charts to a service, row by row, and prints its decisions.

    A service must be running: `rascanet serve`. Without a policy the service takes its default: `calibrated` where the
    weights have a certificate, else `published`.

    Examples:
        rascanet stream photo.jpg
        rascanet stream film.mp4 --events
        rascanet stream --samples --policy never
        rascanet stream webcam --events
        rascanet stream rtsp://camera.local/live --events
        rascanet stream webcam --mqtt mqtt://broker.local --name hall
        rascanet stream hall.mp4 --mask 0,0,30,100 --crop door=50,0,25,100
    """
    from clients.commands.sources import SourceError
    from clients.commands.stream.scenes import Filming, geometry_of
    from clients.python.client import AsyncClient
    from sensor_sim.profiles import ProfileError
    from sensor_sim.scene import SceneError
    from sensor_sim.window import WindowError

    output.check()
    with failing_on(ProfileError, SceneError, SourceError, WindowError, ValueError):
        wanted = policy.wanted()
        geometry = geometry_of(variant, sensor)
        windows = scene.windows()
        with Filming(scene, sensor, geometry, repeat=repeat, in_order=output.virtual_time) as filming:
            client = partial(
                AsyncClient,
                service.url,
                variant,
                policy=wanted,
                progress_every=1,
                pixel_format=sensor.pixel_format,
                bearer_token=service.bearer_token,
                timing=filming.timing,
                link=link.conditions(sensor.seed),
            )
            with announcing(broker, announce, [window.name for window in windows]) as told:
                send(
                    [
                        Feed(
                            window.name,
                            filming.shots(window),
                            client,
                            window.masked_share(geometry.height, geometry.width),
                            filming.interrupted,
                        )
                        for window in windows
                    ],
                    output,
                    told,
                )
