"""`rascanet mqtt-remove`: takes a sensor out of a broker, and so out of Home Assistant."""

from typing import Annotated

import typer

from clients.commands.console import CANNOT, console, fail, failing_on
from clients.commands.stream.announcing import LAST_S, BrokerChoice, SensorName, publisher, sensor_name
from clients.commands.takes import takes


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("mqtt-remove")(takes(mqtt_remove))


def mqtt_remove(
    broker: BrokerChoice,
    name: SensorName = None,
    region: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="region of the sensor, as --crop named it; repeatable")
    ] = None,
) -> None:
    """Removes a sensor of `rascanet stream --mqtt` from a broker: its state, attributes and Home Assistant device.

    Examples:
        rascanet mqtt-remove --mqtt mqtt://broker.local --name hall
        rascanet mqtt-remove --mqtt mqtt://10.0.0.5 --name hall --region door
    """
    if not broker.mqtt:
        fail("say which broker with --mqtt mqtt://...", CANNOT)
    with failing_on(ValueError):
        sensor = sensor_name(name)
        sink = publisher(broker, sensor, ["", *(region or ())])
    sink.remove()
    sink.close(LAST_S)
    if not sink.settled:
        fail(f"{broker.mqtt} did not take the removal within {LAST_S:g} s; is the broker running?", CANNOT)
    console.print(f"{sensor} is removed", highlight=False)
