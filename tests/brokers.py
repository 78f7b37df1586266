"""Debian's MQTT broker on the loopback, started, killed and listened to by tests."""

import shutil
import socket
import ssl
import subprocess
import threading
from pathlib import Path
from typing import Any, Final

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from clients.commands.ports import free_port
from tests.waiting import LONGEST_S, until

MOSQUITTO: Final = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
needs_broker = pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed (make broker)")


class Broker:
    """A broker that keeps nothing over its death.

    Args:
        folder: of its configuration.
        lines: further lines of the configuration.

    Attributes:
        port: of the loopback.
    """

    def __init__(self, folder: Path, *lines: str) -> None:
        self.port = free_port()
        self._configuration = folder / "mosquitto.conf"
        open_to_all = [] if lines else ["allow_anonymous true"]
        listener = f"listener {self.port} 127.0.0.1"
        self._configuration.write_text(
            "\n".join([listener, *open_to_all, "persistence false", "user root", *lines, ""])
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        assert MOSQUITTO is not None
        command = [MOSQUITTO, "-c", str(self._configuration)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(self._answers)

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
        except OSError:
            return False
        return True

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


class Listener:
    """Hears everything that a broker is told.

    Attributes:
        heard: topic, content and whether it was retained, in order.
    """

    def __init__(self, broker: Broker, ca_file: Path | None = None) -> None:
        self.heard: list[tuple[str, str, bool]] = []
        self._there = threading.Event()
        client = self._client = paho.Client(CallbackAPIVersion.VERSION2, reconnect_on_failure=True)
        client.on_connect = self._subscribe
        client.on_subscribe = lambda *_: self._there.set()
        client.on_message = lambda _client, _data, message: self.heard.append(
            (message.topic, message.payload.decode(), message.retain)
        )
        client.reconnect_delay_set(1, 1)
        if ca_file is not None:
            client.tls_set_context(ssl.create_default_context(cafile=ca_file))
        client.connect_async("127.0.0.1" if ca_file is None else "localhost", broker.port, 5)
        client.loop_start()
        assert self._there.wait(LONGEST_S)

    @staticmethod
    def _subscribe(client: paho.Client, *_: Any) -> None:
        client.subscribe("#", qos=1)

    def of(self, topic: str) -> list[str]:
        """What was said on a topic, in order."""
        return [content for each, content, _ in list(self.heard) if each == topic]

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def __enter__(self) -> "Listener":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()
