"""`rascanet mqtt-remove`: takes a sensor out of a broker, and so out of Home Assistant."""

import typer

from clients.commands.console import CANNOT, console, fail, failing_on
from clients.commands.stream.announcing import LAST_S, BrokerChoice, SensorName, publisher, sensor_name
from clients.commands.table import counted
from clients.commands.takes import takes


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("mqtt-remove")(takes(mqtt_remove))


def mqtt_remove(broker: BrokerChoice, name: SensorName = None) -> None:
    """Removes a sensor of `rascanet stream --mqtt` from a broker, with its regions and its Home Assistant device.

    Examples:
        rascanet mqtt-remove --mqtt mqtt://broker.local --name hall
    """
    if not broker.mqtt:
        fail("say which broker with --mqtt mqtt://...", CANNOT)
    with failing_on(ValueError):
        sensor = sensor_name(name)
        sink = publisher(broker, sensor, remove=True)
    sink.close(LAST_S)
    if not sink.settled:
        fail(f"{broker.mqtt} did not take the removal within {LAST_S:g} s; is the broker running?", CANNOT)
    if not sink.cleared:
        fail(f"{broker.mqtt} has no topics of a sensor {sensor!r}; name the sensor with --name", CANNOT)
    console.print(f"{sensor} is removed ({counted(sink.cleared, 'topic')})", highlight=False)
