"""Announcements to an MQTT broker (extra `events`), as Home Assistant and its kind take them.

Topics of a sensor `hall`; those of a region `door` of it have `hall/door` in place of `hall`:

    rascanet/hall/availability   online, offline       retained; `offline` is the last will too
    rascanet/hall/state          ON, OFF               retained
    rascanet/hall/attributes     JSON                  retained: the last announcement
    rascanet/hall/event          JSON                  each announcement, in order, at least once
    homeassistant/binary_sensor/rascanet_hall/config        retained: the discovery document of the whole picture
    homeassistant/binary_sensor/rascanet_hall/door/config   retained: that of a region

Old retained topics of this sensor are cleared, such as those of a removed region. Otherwise Home Assistant would show
the removed region as available, because all regions share the sensor's `availability`.

All messages have QoS 1. A retained topic holds the newest content: content that was not delivered is replaced by the
next. All retained topics are published again after each new connection. Announcements wait in a bounded queue; if it
is full, the oldest is deleted.

paho's thread speaks with the broker, connects again, and repeats messages that were not acknowledged. A thread of ours
keeps the order: it publishes the next message of a topic when the last one was acknowledged. The sensor waits for
neither thread.
"""

import queue
import ssl
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from importlib import metadata
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import msgspec
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

from clients.python.announcement import Announcement, check_name
from clients.python.presence import Turn

Version = Literal["3.1.1", "5"]

PORTS: Final = {"mqtt": 1883, "mqtts": 8883}
PREFIX: Final = "rascanet"
HOME_ASSISTANT: Final = "homeassistant"
"""Prefix of the topics under which Home Assistant looks for devices, unless it is set up otherwise."""
MOST_PREFIX_BYTES: Final = 1000
MOST_WAITING: Final = 1000
"""Most announcements that wait for the broker."""
KEEP_ALIVE_S: Final = 20
"""Silence after which the broker sends the last will is one and a half times this."""
WRONG_LOGIN: Final = (134, 135)
"""Reasons of a refusal: bad user name or password, not authorized (MQTT 5, 3.2.2.2)."""
ONLINE, OFFLINE = "online", "offline"
STATES: Final = {Turn.APPEARED: "ON", Turn.LEFT: "OFF"}


class MqttError(ValueError):
    """A broker's address, or its TLS, that can't be used."""


def topic(sensor: str, region: str, leaf: str) -> str:
    """The topic of a sensor, or of a region of it."""
    return "/".join(part for part in (PREFIX, sensor, region, leaf) if part)


def discovery(sensor: str, region: str, prefix: str = HOME_ASSISTANT) -> tuple[str, dict[str, Any]]:
    """Topic and content of the document by which Home Assistant makes an occupancy sensor.

    Its ids follow from the names alone, so the same device comes back after any restart. No name has a `/` in it, so
    no two sensors or regions share an id.
    """
    device = f"{PREFIX}_{sensor}"
    identity = f"{device}/{region}" if region else device
    document = {
        "name": region or "Person",
        "unique_id": identity,
        "device_class": "occupancy",
        "state_topic": topic(sensor, region, "state"),
        "payload_on": STATES[Turn.APPEARED],
        "payload_off": STATES[Turn.LEFT],
        "json_attributes_topic": topic(sensor, region, "attributes"),
        "availability_topic": topic(sensor, "", "availability"),
        "payload_available": ONLINE,
        "payload_not_available": OFFLINE,
        "qos": 1,
        "device": {"identifiers": [device], "name": sensor, "manufacturer": "rascanet-stream"},
        "origin": {"name": "rascanet-stream", "sw_version": _version()},
    }
    return f"{prefix}/binary_sensor/{identity}/config", document


class MqttPublisher:
    """Delivers announcements to one broker.

    Args:
        url: mqtt:// or mqtts:// address.
        sensor: name of the sensor.
        regions: names of its regions; `("",)` for the whole picture.
        version: version of MQTT.
        user, password: for a broker that asks for them.
        ca_file: PEM file of the authorities to trust, for mqtts://; None: those of the system.
        prefix: prefix of the discovery documents; None: none are published.
        told: called from another thread with a sentence when the broker is lost, and when it is there again.
        remove: announces nothing, and clears every retained topic of the sensor and of all its regions.

    Attributes:
        dropped: number of announcements that were deleted for newer ones, or that the broker refused.
        cleared: number of retained topics from before that were cleared.

    Raises:
        MqttError: an address, a file or a prefix that can't be used.
        ValueError: a name that can't be part of a topic.
    """

    def __init__(
        self,
        url: str,
        sensor: str,
        regions: Iterable[str] = ("",),
        *,
        version: Version = "3.1.1",
        user: str | None = None,
        password: str | None = None,
        ca_file: Path | None = None,
        prefix: str | None = HOME_ASSISTANT,
        told: Callable[[str], None] = lambda _: None,
        remove: bool = False,
    ) -> None:
        self._host, self._port, scheme = _address(url)
        if prefix is not None:
            _check_prefix(prefix)
        self._sensor = check_name(sensor)
        secure = _trusting(ca_file) if scheme == "mqtts" else None
        self._told, self._lost = told, False
        self.dropped = self.cleared = 0
        # Newest content of each retained topic; those to publish; those under way, by message id.
        self._newest: dict[str, str] = {}
        self._due: dict[str, None] = {}
        self._under_way: dict[int, str] = {}
        self._events: deque[Announcement] = deque()
        self._orders: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._connected = self._stopping = self._refused = False
        self._running = True
        self._idle = threading.Event()
        self._remove = remove
        self._availability = topic(sensor, "", "availability")
        self._own = {self._availability}
        # Where retained topics of this sensor may be.
        self._places = [topic(sensor, "", "#")]
        if prefix is not None:
            self._places += [discovery(sensor, region, prefix)[0] for region in ("", "+")]
        for region in () if remove else regions:
            self._own |= {topic(sensor, check_name(region) if region else "", leaf) for leaf in ("state", "attributes")}
            if prefix is not None:
                address, document = discovery(sensor, region, prefix)
                self._newest[address] = msgspec.json.encode(document).decode()
        self._own |= self._newest.keys()
        self._newest[self._availability] = "" if remove else ONLINE
        self._due |= dict.fromkeys(self._newest)
        protocol = MQTTProtocolVersion.MQTTv5 if version == "5" else MQTTProtocolVersion.MQTTv311
        client = self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=protocol)
        client.on_connect = lambda _client, _data, _flags, reason, _properties: self._orders.put(
            lambda: self._came(_refusal(reason) if reason.is_failure else None)
        )
        client.on_disconnect = lambda _client, _data, _flags, reason, _properties: self._orders.put(
            lambda: self._went(str(reason).lower())
        )
        client.on_publish = lambda _client, _data, number, reason, _properties: self._orders.put(
            lambda: self._acknowledged(number, str(reason).lower() if reason.is_failure else None)
        )
        client.on_connect_fail = self._hear_failure
        client.on_message = self._hear
        if not remove:
            client.will_set(self._availability, OFFLINE, qos=1, retain=True)
        if user is not None:
            client.username_pw_set(user, password)
        if secure is not None:
            client.tls_set_context(secure)
        client.reconnect_delay_set(1, 30)
        client.connect_async(self._host, self._port, KEEP_ALIVE_S)
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)
        self._thread.start()
        client.loop_start()

    def tell(self, announcement: Announcement) -> None:
        """Takes an announcement; waits for nothing."""
        self._orders.put(lambda: self._take(announcement))

    def rest(self, region: str) -> None:
        """Is told that a region is empty at the start, before any *appeared*; waits for nothing."""
        self._orders.put(lambda: self._set(topic(self._sensor, region, "state"), STATES[Turn.LEFT]))

    @property
    def settled(self) -> bool:
        """True once everything is delivered after `close`, and nothing was refused."""
        return self._idle.is_set() and not self._refused

    def close(self, wait_s: float) -> int:
        """Delivers what is left and says `offline`, within `wait_s` seconds.

        Returns:
            Number of announcements that were not delivered.
        """
        deadline = time.monotonic() + wait_s
        self._orders.put(self._stop)
        self._idle.wait(wait_s)
        self._client.disconnect()
        self._client.loop_stop()
        self._orders.put(self._end)
        self._thread.join(max(1.0, deadline - time.monotonic()))
        return len(self._events) + self.dropped

    def _hear(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        """Takes a topic of the sensor; those that are published while the connection lasts are not retained ones."""
        if message.retain and message.payload:
            address = message.topic
            self._orders.put(lambda: self._found(address))

    def _hear_failure(self, *_: object) -> None:
        """Takes that a connection failed; paho calls this while it handles the error."""
        reason = _reason(sys.exc_info()[1])
        self._orders.put(lambda: self._went(reason))

    # What follows runs in the thread of this object alone.

    def _run(self) -> None:
        while self._running:
            self._orders.get()()
            self._publish()
            if self._stopping and not (self._due or self._under_way or self._events):
                self._idle.set()

    def _end(self) -> None:
        self._running = False

    def _stop(self) -> None:
        self._stopping = True
        if not self._remove:
            self._set(self._availability, OFFLINE)

    def _came(self, refusal: str | None) -> None:
        if refusal is not None:
            self._tell_lost(f"refuses the connection: {refusal}")
            return
        self._connected = True
        # The broker tells the retained topics before it acknowledges anything that is published after this.
        for place in self._places:
            self._client.subscribe(place)
        self._due |= dict.fromkeys(self._newest)

    def _found(self, address: str) -> None:
        """Clears a retained topic from before, unless it is still the sensor's own."""
        if (self._remove or address not in self._own) and len(self._under_way) < MOST_WAITING:
            self.cleared += self._send(address, address, "", retain=True)

    def _went(self, reason: str) -> None:
        self._connected = False
        if not self._stopping:
            self._tell_lost(f"is not there ({reason})")

    def _tell_lost(self, fault: str) -> None:
        if not self._lost:
            self._lost = True
            self._told(f"the broker {self._host} {fault}; it is asked again and again")

    def _take(self, announcement: Announcement) -> None:
        self._set(topic(self._sensor, announcement.region, "state"), STATES[announcement.turn])
        self._set(topic(self._sensor, announcement.region, "attributes"), msgspec.json.encode(announcement).decode())
        self._events.append(announcement)
        if len(self._events) > MOST_WAITING:
            # The first one may be under way; it is acknowledged as what it was.
            del self._events[1 if "" in self._under_way.values() else 0]
            self.dropped += 1

    def _set(self, address: str, content: str) -> None:
        self._newest[address] = content
        self._due[address] = None

    def _acknowledged(self, number: int, refusal: str | None) -> None:
        """Takes the broker's answer to a message; asking again would not change a refusal."""
        name = self._under_way.pop(number, None)
        if name == "":
            self._events.popleft()
            self.dropped += refusal is not None
        if self._lost:  # a broker that accepts connections and drops them is not there
            self._lost = False
            self._told(f"the broker {self._host} is there again")
        if refusal is not None and not self._refused:
            self._refused = True
            self._told(
                f"the broker {self._host} does not take what is written: {refusal}; allow the user to write and read "
                f"the topics {' and '.join(dict.fromkeys(place.partition('/')[0] + '/#' for place in self._places))}"
            )

    def _publish(self) -> None:
        """Publishes what is due and whose topic has nothing under way; the announcements have one for all topics."""
        if not self._connected:
            return
        busy = set(self._under_way.values())
        for address in [each for each in self._due if each not in busy]:
            if self._send(address, address, self._newest[address], retain=True):
                del self._due[address]
        if self._events and "" not in busy:
            first = self._events[0]
            address = topic(self._sensor, first.region, "event")
            self._send("", address, msgspec.json.encode(first).decode(), retain=False)

    def _send(self, name: str, address: str, content: str, *, retain: bool) -> bool:
        sent = self._client.publish(address, content, qos=1, retain=retain)
        if sent.rc not in (MQTTErrorCode.MQTT_ERR_SUCCESS, MQTTErrorCode.MQTT_ERR_NO_CONN):
            return False
        self._under_way[sent.mid] = name  # without a connection, paho keeps the message and sends it after the next one
        return True


def _trusting(ca_file: Path | None) -> ssl.SSLContext:
    """TLS that trusts the authorities of a file; None: those of the system.

    Raises:
        MqttError: a file that can't be used.
    """
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise MqttError(f"{ca_file}: no certificates to trust a broker by ({error})") from None


def _address(url: str) -> tuple[str, int, str]:
    """Host, port and scheme.

    Raises:
        MqttError: another kind of address; the message shows no password.
    """
    if "@" in url:
        raise MqttError(
            "a broker's address must not hold a name or password, since others would see them; they go into "
            "RASCANET_MQTT_USER and RASCANET_MQTT_PASSWORD"
        )
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        host.encode("idna")  # as a name is looked up
    except ValueError:
        host, port, parts = "", None, urlsplit("")
    if parts.scheme not in PORTS or not host or parts.path.strip("/") or parts.query:
        raise MqttError(f"the broker {url[:200]!r} is no address like mqtt://192.168.1.5 or mqtts://broker.local:8883")
    return host, port or PORTS[parts.scheme], parts.scheme


def _check_prefix(prefix: str) -> None:
    """Looks that a prefix is the beginning of a topic (MQTT 3.1.1, 4.7).

    Raises:
        MqttError: one that can't be.
    """
    if not prefix or set("+#\0") & set(prefix) or len(prefix.encode()) > MOST_PREFIX_BYTES:
        raise MqttError(
            f"the discovery prefix {prefix[:80]!r} is no topic such as {HOME_ASSISTANT!r}: `+` and `#` can't be in it"
        )


def _refusal(reason: ReasonCode) -> str:
    """Why a broker refuses a connection, and how to mend it where the answer is known."""
    mend = "; set RASCANET_MQTT_USER and RASCANET_MQTT_PASSWORD" if reason.value in WRONG_LOGIN else ""
    return f"{str(reason).lower()}{mend}"


def _reason(error: BaseException | None) -> str:
    """Why a connection failed, in the system's words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    words = (error.strerror if isinstance(error, OSError) else None) or str(error or "no connection")
    return words.lower()


def _version() -> str:
    try:
        return metadata.version("rascanet-stream")
    except metadata.PackageNotFoundError:
        return "unknown"
