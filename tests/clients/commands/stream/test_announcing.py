"""`stream --mqtt --webhook` and `mqtt-remove`, against a service, a broker and a receiver."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

pytest.importorskip("paho", reason="paho-mqtt (extra `events`) is not installed")

from clients.commands.main import app
from clients.commands.stream import announcing, mqtt_remove
from tests.brokers import Broker, Listener, needs_broker
from tests.clients.python.test_webhook import Receiver
from tests.networks import SMALL
from tests.picture_files import picture
from tests.waiting import until


def _run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments)], env={"COLUMNS": "200"})


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    path.write_bytes(picture())
    return path


@needs_broker
def test_each_region_is_announced_to_a_broker_and_a_webhook_and_removed(
    service_url: str, photo: Path, tmp_path: Path
) -> None:
    """The network of the tests sees a person in everything, so each region's third frame makes one appear."""
    broker, receiver = Broker(tmp_path), Receiver()
    broker.start()
    regions = ("--crop", "door=0,0,50,100", "--crop", "desk=50,0,50,100")
    told = ("--mqtt", f"mqtt://127.0.0.1:{broker.port}", "--name", "hall", "--webhook", receiver.url)
    try:
        with Listener(broker) as listener:
            options = ("--url", service_url, "--variant", SMALL.name, "--virtual-time", "--policy", "never")
            done = _run("stream", *[photo] * 4, *options, *regions, *told)
            assert done.exit_code == 0, done.output
            assert "appeared" not in done.output, "--events tells the terminal"
            until(lambda: listener.of("rascanet/hall/availability")[-1:] == ["offline"])
            announced = [json.loads(listener.of(f"rascanet/hall/{region}/event")[0]) for region in ("door", "desk")]
            assert listener.of("rascanet/hall/door/state")[-1] == "ON"
        assert [json.loads(body) for _, body in receiver.heard] in (announced, announced[::-1])
        for each, region in zip(announced, ("door", "desk"), strict=True):
            assert (each["sensor"], each["region"], each["turn"]) == ("hall", region, "appeared")
            assert (each["row"], each["saved_share"]) == (SMALL.height, 0.0)
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", each["time"])
            assert each["since"] < each["time"]
        done = _run("mqtt-remove", *told[:4])
        assert (done.exit_code, done.stdout) == (0, "hall is removed (7 topics)\n"), done.output
        with Listener(broker) as listener:
            assert not [topic for topic, _, kept in listener.heard if kept]
        done = _run("mqtt-remove", *told[:2], "--name", "hal")
        assert (done.exit_code, "has no topics of a sensor 'hal'" in done.stderr) == (2, True)
    finally:
        receiver.close()
        broker.kill()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--mqtt", "broker.local"), "no address like mqtt://"),
        (("--mqtt", "mqtt://a", "--mqtt-version", "4"), "--mqtt-version is 3.1.1 or 5"),
        (("--mqtt", "mqtts://a", "--mqtt-ca", "gone.pem"), "gone.pem"),
        (("--webhook", "example.org"), "no address like https://"),
        (("--webhook", "http://a", "--name", "a/b"), "can't be announced"),
        (("--webhook", "http://a", "--crop", "a b=0,0,50,50"), "a b"),
        (("--name", "hall"), "say with --mqtt or --webhook"),
        (("--webhook", "http://a", "--mqtt-version", "5"), "--mqtt-version has no effect without --mqtt"),
        (("--mqtt-ca", "tests/brokers.py"), "--mqtt-ca has no effect without --mqtt"),
        (("--discovery-prefix", "none"), "--discovery-prefix has no effect without --mqtt"),
    ],
)
def test_what_can_t_be_announced_is_told_before_anything_is_sent(
    photo: Path, options: tuple[str, ...], words: str
) -> None:
    done = _run("stream", photo, "--url", "http://127.0.0.1:9", *options)
    assert done.exit_code == 2
    assert words in done.stderr
    assert "Traceback" not in done.output


def test_all_receivers_together_have_one_last_while(monkeypatch: pytest.MonkeyPatch) -> None:
    now, waits = [0.0], list[float]()

    class Hanging:
        def __init__(self, *_: object) -> None: ...

        def close(self, wait_s: float) -> int:
            waits.append(wait_s)
            now[0] += wait_s
            return 1

    monkeypatch.setattr("clients.commands.stream.announcing.Webhook", Hanging)
    monkeypatch.setattr("clients.commands.stream.announcing.time.monotonic", lambda: now[0])
    choice = announcing.AnnounceChoice(webhook=["http://127.0.0.1:1", "http://127.0.0.1:2"])
    with announcing.announcing(announcing.BrokerChoice(), choice, []):
        pass
    assert waits == [announcing.LAST_S, 0.0]


def test_a_removal_needs_a_broker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt_remove, "LAST_S", 0.2)
    done = _run("mqtt-remove", "--name", "hall")
    assert (done.exit_code, "say which broker" in done.stderr) == (2, True)
    done = _run("mqtt-remove", "--mqtt", f"mqtt://127.0.0.1:{Broker(tmp_path).port}")
    assert done.exit_code == 2
    assert "is the broker running?" in done.stderr
