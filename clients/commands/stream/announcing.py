"""The options that say who hears when a person appeared or left, and the ways out that they open."""

import os
import re
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from clients.commands.console import failing_on, need, say
from clients.commands.table import counted
from clients.python.announcement import Sink, check_name
from clients.python.webhook import Webhook

if TYPE_CHECKING:
    from clients.python.mqtt import MqttPublisher

PANEL: Final = "Announcements"
LAST_S: Final = 5.0
"""Longest wait at the end for announcements that are not delivered yet."""
SECRET, USER, PASSWORD = "RASCANET_WEBHOOK_SECRET", "RASCANET_MQTT_USER", "RASCANET_MQTT_PASSWORD"

Mqtt = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        rich_help_panel=PANEL,
        help="broker of the announcements: mqtt:// or mqtts://; user name and password come from "
        f"{USER} and {PASSWORD}",
    ),
]
MqttVersion = Annotated[
    str, typer.Option("--mqtt-version", metavar="VERSION", rich_help_panel=PANEL, help="3.1.1 or 5")
]
MqttCa = Annotated[
    Path | None,
    typer.Option(
        "--mqtt-ca",
        metavar="FILE",
        rich_help_panel=PANEL,
        help="authorities that may sign the broker's certificate, PEM; if not given: the system's",
    ),
]
DiscoveryPrefix = Annotated[
    str,
    typer.Option(
        metavar="TOPIC",
        rich_help_panel=PANEL,
        help="topic under which Home Assistant looks for devices; `none`: without Home Assistant",
    ),
]
SensorName = Annotated[
    str | None,
    typer.Option(
        "--name",
        metavar="NAME",
        rich_help_panel=PANEL,
        help="name of the sensor in topics and ids; if not given: the host's name",
    ),
]


@dataclass(frozen=True, slots=True)
class BrokerChoice:
    """The broker that the options name; see the options."""

    mqtt: Mqtt = None
    mqtt_version: MqttVersion = "3.1.1"
    mqtt_ca: MqttCa = None
    discovery_prefix: DiscoveryPrefix = "homeassistant"


@dataclass(frozen=True, slots=True)
class AnnounceChoice:
    """Those who hear of a stream's events; see the options."""

    webhook: Annotated[
        list[str] | None,
        typer.Option(
            metavar="URL",
            rich_help_panel=PANEL,
            help=f"address that gets a POST when a person appeared or left; signed if {SECRET} has a secret",
        ),
    ] = None
    name: SensorName = None


@dataclass(frozen=True, slots=True)
class Announcing:
    """Open ways out.

    Attributes:
        sensor: name of the sensor.
        sinks: the ways out.
    """

    sensor: str = ""
    sinks: Sequence[Sink] = ()


def sensor_name(name: str | None) -> str:
    """Returns the name of the sensor: the one given, or the machine's.

    Raises:
        ValueError: a name that can't be part of a topic.
    """
    return (
        check_name(name) if name else re.sub(r"[^A-Za-z0-9_-]+", "-", socket.gethostname())[:64].strip("-") or "camera"
    )


@contextmanager
def announcing(broker: BrokerChoice, choice: AnnounceChoice, regions: Sequence[str]) -> Iterator[Announcing]:
    """Opens the ways out, and closes them; what can't be delivered then is told.

    Args:
        broker: the broker.
        choice: the other receivers.
        regions: names of the regions of the picture; an empty one for the whole picture.

    Raises:
        SystemExit: an address, a name or a file that can't be used.
    """
    sinks: list[tuple[str, Sink]] = []
    try:
        with failing_on(ValueError):
            _check_receivers(broker, choice)
            sensor = sensor_name(choice.name)
            for region in filter(None, regions if broker.mqtt or choice.webhook else ()):
                check_name(region)
            sinks += [("webhook", Webhook(url, os.environ.get(SECRET), say)) for url in choice.webhook or ()]
            if broker.mqtt:
                sinks.append(("broker", publisher(broker, sensor, regions)))
        yield Announcing(sensor, [sink for _, sink in sinks])
    finally:
        deadline_s = time.monotonic() + LAST_S
        for receiver, sink in sinks:
            left = sink.close(max(0.0, deadline_s - time.monotonic()))
            if left:
                say(f"the {receiver} did not take {counted(left, 'announcement')}")


def _check_receivers(broker: BrokerChoice, choice: AnnounceChoice) -> None:
    """Checks that options about announcements come with somebody who gets them.

    Raises:
        ValueError: an option that would have no effect.
    """
    if choice.name and not (broker.mqtt or choice.webhook):
        raise ValueError("--name names the sensor in announcements; say with --mqtt or --webhook who gets them")
    for each in fields(broker):
        if getattr(broker, each.name) != each.default and not broker.mqtt:
            raise ValueError(f"--{each.name.replace('_', '-')} has no effect without --mqtt, the broker's address")


def publisher(
    broker: BrokerChoice, sensor: str, regions: Sequence[str] = (), *, remove: bool = False
) -> "MqttPublisher":
    """Opens the connection to the broker; see `MqttPublisher`.

    Raises:
        ValueError: an address, a version or a file that can't be used.
    """
    need("paho")
    from clients.python.mqtt import MqttPublisher

    if broker.mqtt_version not in ("3.1.1", "5"):
        raise ValueError(f"--mqtt-version is 3.1.1 or 5, not {broker.mqtt_version[:40]!r}")
    return MqttPublisher(
        broker.mqtt or "",
        sensor,
        regions,
        version="5" if broker.mqtt_version == "5" else "3.1.1",
        user=os.environ.get(USER),
        password=os.environ.get(PASSWORD),
        ca_file=broker.mqtt_ca,
        prefix=None if broker.discovery_prefix == "none" else broker.discovery_prefix,
        told=say,
        remove=remove,
    )
