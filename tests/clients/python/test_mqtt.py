"""The publisher before Debian's mosquitto, which is killed and started again under it."""

import gc
import json
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trustme
from hypothesis import example, given
from hypothesis import strategies as st

pytest.importorskip("paho", reason="paho-mqtt (extra `events`) is not installed")

from clients.commands.ports import free_port
from clients.python.announcement import NAME, Announcement
from clients.python.mqtt import HOME_ASSISTANT, MOST_WAITING, PORTS, MqttError, MqttPublisher, Version, discovery
from tests.brokers import Broker, Listener, needs_broker
from tests.clients.python.announcements import announcement
from tests.faults.proxy import Fault, FaultyProxy
from tests.waiting import until

ROOT = Path(__file__).parents[3]
STATE, EVENT, AVAILABILITY = "rascanet/hall/state", "rascanet/hall/event", "rascanet/hall/availability"
DOCUMENTED = {
    "availability_topic", "device", "device_class", "json_attributes_topic", "name", "origin", "payload_available",
    "payload_not_available", "payload_off", "payload_on", "qos", "state_topic", "unique_id",
}  # fmt: skip
"""Keys of Home Assistant's documentation of MQTT binary sensors that are used here."""
OF_DEVICE = {"identifiers", "manufacturer", "name"}
OF_ORIGIN = {"name", "sw_version"}


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    broker = Broker(tmp_path)
    yield broker
    broker.kill()


def _url(broker: Broker) -> str:
    return f"mqtt://127.0.0.1:{broker.port}"


def _folded(listener: Listener) -> list[int]:
    """Numbers of the announcements in the order of their first arrival."""
    return list(dict.fromkeys(int(json.loads(content)["id"], 16) for content in listener.of(EVENT)))


def _ends_with(listener: Listener, number: int) -> bool:
    """Whether this announcement came last, the state is the one after it, and the sensor is there."""
    states, there = listener.of(STATE)[-1:], listener.of(AVAILABILITY)[-1:]
    return _folded(listener)[-1:] == [number] and (states, there) == (["OFF"], ["online"])


@needs_broker
@pytest.mark.parametrize("version", ["3.1.1", "5"])
def test_states_events_and_the_device(broker: Broker, version: Version) -> None:
    broker.start()
    publisher = MqttPublisher(_url(broker), "hall", ("", "door"), version=version)
    with Listener(broker) as listener:
        publisher.rest("door")
        for number in range(3):
            publisher.tell(announcement(number))
        assert publisher.close(20) == 0
        until(lambda: listener.of(AVAILABILITY)[-1:] == ["offline"])
        until(lambda: _folded(listener) == [0, 1, 2])
        assert listener.of(STATE)[-1] == "ON"
        assert listener.of("rascanet/hall/door/state") == ["OFF"]
    with Listener(broker) as later:
        until(lambda: len(later.heard) >= 6)
        retained = {topic: content for topic, content, kept in later.heard if kept}
    assert EVENT not in retained
    assert retained[STATE] == "ON"
    attributes = json.loads(retained["rascanet/hall/attributes"])
    assert (attributes["p_person"], attributes["row"], attributes["saved_share"]) == (0.75, 60, 0.25)
    for region in ("", "door"):
        topic, document = discovery("hall", region)
        assert json.loads(retained[topic]) == document


@given(sensor=st.from_regex(NAME, fullmatch=True), region=st.just("") | st.from_regex(NAME, fullmatch=True))
def test_discovery_documents_have_documented_keys_and_ids_that_stay(sensor: str, region: str) -> None:
    topic, document = discovery(sensor, region)
    assert set(document) <= DOCUMENTED
    assert set(document["device"]) <= OF_DEVICE
    assert set(document["origin"]) <= OF_ORIGIN
    assert (document["device_class"], document["unique_id"]) == ("occupancy", discovery(sensor, region)[1]["unique_id"])
    assert topic == f"{HOME_ASSISTANT}/binary_sensor/{document['unique_id']}/config"
    assert not set("+#") & set(document["state_topic"] + document["availability_topic"])


_NAMES = st.from_regex(r"[ab_-]{1,3}", fullmatch=True)
_SENSORS = st.tuples(_NAMES, st.just("") | _NAMES)


@given(one=_SENSORS, other=_SENSORS)
@example(one=("hall_door", ""), other=("hall", "door"))
def test_no_two_sensors_or_regions_share_an_id(one: tuple[str, str], other: tuple[str, str]) -> None:
    (topic, document), (other_topic, other_document) = discovery(*one), discovery(*other)
    assert (topic == other_topic) == (document["unique_id"] == other_document["unique_id"]) == (one == other)


@needs_broker
def test_no_turn_is_lost_and_the_newest_state_wins_when_the_broker_dies(broker: Broker) -> None:
    """Killed under events, by a link that cuts too; a broker that keeps nothing is told everything again.

    The link opens once somebody listens: a broker drops what nobody has subscribed to.
    """
    said: list[str] = []
    nowhere = free_port()
    link = FaultyProxy(nowhere, [Fault("cut", 2500)])
    publisher = MqttPublisher(f"mqtt://127.0.0.1:{link.port}", "hall", told=said.append)
    heard: list[int] = []
    for life in range(3):
        for number in range(10 * life, 10 * life + 5):  # while it is away
            publisher.tell(announcement(number))
        broker.start()
        with Listener(broker) as listener:
            link.service_port = broker.port
            for number in range(10 * life + 5, 10 * life + 10):
                publisher.tell(announcement(number))
            until(partial(_ends_with, listener, 10 * life + 9))
            assert json.loads(listener.of(discovery("hall", "")[0])[-1])["device_class"] == "occupancy"
            heard += _folded(listener)
        if life < 2:
            link.service_port = nowhere
            broker.kill()
    assert publisher.close(20) == 0
    link.close()
    # What was acknowledged just before a death may come once more; folded, each comes once and in order.
    assert list(dict.fromkeys(heard)) == list(range(30))
    assert sum("is there again" in sentence for sentence in said) >= 2
    assert {said.count(sentence) - said.count(said[0]) for sentence in said} <= {0, -1}, (
        "told in turns, not at every try"
    )


@needs_broker
def test_the_last_will_is_heard_when_the_sensor_dies(broker: Broker) -> None:
    broker.start()
    dying = (
        "import sys, time; from clients.python.mqtt import MqttPublisher; "
        f"MqttPublisher({_url(broker)!r}, 'hall'); time.sleep(60)"
    )
    with Listener(broker) as listener, subprocess.Popen([sys.executable, "-c", dying]) as sensor:
        until(lambda: listener.of(AVAILABILITY) == ["online"])
        sensor.kill()
        until(lambda: listener.of(AVAILABILITY) == ["online", "offline"])


@needs_broker
def test_a_sensor_that_is_removed_leaves_nothing(broker: Broker) -> None:
    broker.start()
    _announce_once(broker, "door")
    publisher = MqttPublisher(_url(broker), "hall", remove=True)
    publisher.close(20)
    assert publisher.settled
    assert publisher.cleared == 4
    assert _retained(broker) == {}
    publisher = MqttPublisher(_url(broker), "hall", remove=True)
    publisher.close(20)
    assert (publisher.settled, publisher.cleared) == (True, 0)


@needs_broker
@pytest.mark.parametrize("version", ["3.1.1", "5"])
@pytest.mark.parametrize(("before", "after"), [("", "door"), ("door", ""), ("door", "desk"), ("door", "door")])
def test_what_a_sensor_gives_up_is_cleared_and_nothing_else(
    broker: Broker, before: str, after: str, version: Version
) -> None:
    broker.start()
    for neighbour in ("hall_door", "hal"):
        _announce_once(broker, "", sensor=neighbour)
        _announce_once(broker, "desk", sensor=neighbour)
    kept = _retained(broker)
    _announce_once(broker, before)
    publisher = MqttPublisher(_url(broker), "hall", (after,), version=version)
    assert publisher.close(20) == 0
    assert publisher.cleared == (0 if before == after else 3)
    place = f"rascanet/hall/{after}".rstrip("/")
    mine = {discovery("hall", after)[0], AVAILABILITY}
    mine |= {f"{place}/state", f"{place}/attributes"} if before == after else set()
    found = _retained(broker)
    assert found.keys() - kept.keys() == mine
    assert {topic: found[topic] for topic in kept} == kept


def _announce_once(broker: Broker, region: str, sensor: str = "hall") -> None:
    """Lets a sensor of one region, or of the whole picture, announce once and end."""
    publisher = MqttPublisher(_url(broker), sensor, (region,))
    publisher.tell(msgspec.structs.replace(announcement(0, region=region), sensor=sensor))
    assert publisher.close(20) == 0


def _retained(broker: Broker) -> dict[str, str]:
    """Retained topics of a broker, and what they hold."""
    with Listener(broker) as listener:
        # Retained messages come before the answer to a subscription, or never: a message of our own is the last.
        MqttPublisher(_url(broker), "last", prefix=None).close(20)
        until(lambda: listener.of("rascanet/last/availability")[-1:] == ["offline"])
        return {topic: content for topic, content, _ in listener.heard if not topic.startswith("rascanet/last/")}


@needs_broker
def test_a_broker_that_refuses_topics_is_told_once(tmp_path: Path) -> None:
    """With MQTT 5; MQTT 3.1.1 has no way to say it."""
    (tmp_path / "topics").write_text("topic readwrite elsewhere/#\n")
    (tmp_path / "topics").chmod(0o600)
    broker = Broker(tmp_path, "allow_anonymous true", f"acl_file {tmp_path / 'topics'}")
    broker.start()
    said: list[str] = []
    try:
        publisher = MqttPublisher(_url(broker), "hall", version="5", told=said.append)
        for number in range(3):
            publisher.tell(announcement(number))
        assert (publisher.close(20), publisher.settled) == (3, False)
    finally:
        broker.kill()
    assert len(said) == 1
    assert "not authorized; allow the user to write and read the topics rascanet/# and homeassistant/#" in said[0]


def test_a_broker_that_drops_each_connection_is_told_once() -> None:
    """It answers CONNECT and goes: a connection is not yet a broker that takes something."""
    accepted = 0
    listener = socket.create_server(("127.0.0.1", 0))

    def drop() -> None:
        nonlocal accepted
        with suppress(OSError):
            while True:
                with listener.accept()[0] as connection:
                    connection.recv(1000)
                    connection.sendall(b"\x20\x02\0\0")
                accepted += 1

    threading.Thread(target=drop, daemon=True).start()
    said: list[str] = []
    publisher = MqttPublisher(f"mqtt://127.0.0.1:{listener.getsockname()[1]}", "hall", told=said.append)
    until(lambda: accepted >= 3)
    publisher.close(0.1)
    listener.close()
    assert len(said) == 1
    assert "is not there (" in said[0]


def test_a_broker_that_is_never_there_holds_nothing_up_and_fills_no_memory(tmp_path: Path) -> None:
    publisher = MqttPublisher(_url(Broker(tmp_path)), "hall")
    for number in range(MOST_WAITING + 500):
        publisher.tell(announcement(number))
    assert publisher.close(0.2) == MOST_WAITING + 500
    assert publisher.dropped == 500
    assert not publisher.settled


@needs_broker
def test_a_broker_that_refuses_is_told_by_its_reason(tmp_path: Path) -> None:
    broker = Broker(tmp_path, "allow_anonymous false", f"password_file {tmp_path / 'none'}")
    (tmp_path / "none").touch(mode=0o600)
    said: list[str] = []
    broker.start()
    try:
        publisher = MqttPublisher(
            _url(broker),
            "hall",
            user="a",
            password="b",  # noqa: S106 - made up
            told=said.append,
        )
        until(lambda: any("refuses" in sentence for sentence in said))
        publisher.close(0.2)
    finally:
        broker.kill()
    assert any("not authori" in sentence and "set RASCANET_MQTT_USER" in sentence for sentence in said)


@needs_broker
def test_the_broker_that_the_documentation_sets_up_takes_the_user_and_nobody_else(tmp_path: Path) -> None:
    """The steps are run in a folder instead of /etc/mosquitto, but for those that need root and systemd."""
    page = (ROOT / "docs" / "cameras.md").read_text()
    configure, set_password, *of_root = re.findall(r"^(?:printf|mosquitto_passwd|chgrp|systemctl) .*", page, flags=re.M)
    assert [line.split()[0] for line in of_root] == ["chgrp", "systemctl"]
    steps = f"{configure}\n{set_password} secret".replace("mosquitto_passwd -c", "mosquitto_passwd -b -c")
    (tmp_path / "conf.d").mkdir()
    subprocess.run(["bash", "-ec", steps.replace("/etc/mosquitto", str(tmp_path))], check=True)
    listener, *lines = (tmp_path / "conf.d" / "local.conf").read_text().splitlines()
    assert listener == f"listener {PORTS['mqtt']}"
    broker = Broker(tmp_path, *lines)
    broker.start()
    said: list[str] = []
    try:
        user = MqttPublisher(_url(broker), "hall", user="hall", password="secret")  # noqa: S106 - made up
        assert (user.close(20), user.settled) == (0, True)
        stranger = MqttPublisher(_url(broker), "hall", told=said.append)
        until(lambda: bool(said))
        stranger.close(0.2)
    finally:
        broker.kill()
    assert "refuses the connection" in said[0]


@needs_broker
@pytest.mark.filterwarnings("ignore:Exception ignored in:pytest.PytestUnraisableExceptionWarning")  # see gc.collect
def test_tls(tmp_path: Path) -> None:
    authority = trustme.CA()
    served = authority.issue_cert("localhost")
    files = {name: tmp_path / name for name in ("ca.pem", "key.pem", "chain.pem")}
    authority.cert_pem.write_to_path(files["ca.pem"])
    served.private_key_pem.write_to_path(files["key.pem"])
    served.cert_chain_pems[0].write_to_path(files["chain.pem"])
    lines = [f"certfile {files['chain.pem']}", f"keyfile {files['key.pem']}", "allow_anonymous true"]
    broker = Broker(tmp_path, *lines)
    broker.start()
    said: list[str] = []
    try:
        publisher = MqttPublisher(f"mqtts://localhost:{broker.port}", "hall", ca_file=files["ca.pem"])
        with Listener(broker, files["ca.pem"]) as listener:
            publisher.tell(announcement(0))
            assert publisher.close(20) == 0
            until(lambda: listener.of(AVAILABILITY)[-1:] == ["offline"])
        stranger = MqttPublisher(f"mqtts://localhost:{broker.port}", "hall", told=said.append)
        until(lambda: said)
        stranger.close(0.2)
        assert not stranger.settled
        assert "certificate is not trusted: " in said[0]
        del stranger
        gc.collect()  # paho leaves the sockets of handshakes that fail to the collector, which warns
    finally:
        broker.kill()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("broker", "no address like"), ("http://broker", "no address like"), ("mqtt://", "no address like"),
        ("mqtt://a:99999", "no address like"), ("mqtt://a/topic", "no address like"), ("mqtt://[", "no address like"),
        ("mqtt://a..b", "no address like"), ("mqtt://" + "a" * 64, "no address like"),
        ("mqtt://me:secret@broker", "RASCANET_MQTT_USER"), ("mqtt://me:secret@broker/topic", "RASCANET_MQTT_USER"),
        ("mqtt://me:secret@broker:99999", "RASCANET_MQTT_USER"), ("http://me:secret@broker", "RASCANET_MQTT_USER"),
    ],
)  # fmt: skip
def test_addresses_that_are_none(url: str, words: str) -> None:
    with pytest.raises(MqttError, match=words) as caught:
        MqttPublisher(url, "hall")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("prefix", ["", "home/#", "+", "a\0", "a" * 1001])
def test_prefixes_that_are_no_part_of_a_topic(prefix: str) -> None:
    with pytest.raises(MqttError, match="is no topic such as"):
        MqttPublisher("mqtt://127.0.0.1", "hall", prefix=prefix)


@pytest.mark.parametrize("arguments", [{"sensor": "a/b"}, {"sensor": ""}, {"sensor": "hall", "regions": ["+"]}])
def test_names_that_are_no_part_of_a_topic(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="can't be announced"):
        MqttPublisher("mqtt://127.0.0.1", **arguments)


def test_an_announcement_keeps_its_form() -> None:
    written = msgspec.json.encode(announcement(1))
    assert msgspec.json.decode(written, type=Announcement) == announcement(1)
