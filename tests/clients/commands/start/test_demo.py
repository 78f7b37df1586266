"""The demo as a newcomer meets it, and the service's first lines."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryFile

import pytest
from typer.testing import CliRunner

from clients.commands.main import app
from clients.commands.ports import free_port, is_free
from clients.commands.start.demo import wait_for
from clients.commands.start.serve import welcome_lines
from clients.python.errors import HttpError
from clients.python.http import HttpClient
from model.certificate import certificate_beside
from model.checkpoint import save_checkpoint
from sensor_sim.scene import sample_photos
from tests.networks import SMALL, random_checkpoint
from tests.picture_files import picture
from tests.server.certificates import certificate_of
from tests.waiting import until

RASCANET = [sys.executable, "-m", "clients.commands.main"]
PEOPLE = {"astronaut.png", "camera.png"}
TOKEN = "s3cret" * 3
SAMPLES = len(sample_photos())


@pytest.fixture(scope="module")
def demo() -> tuple[int, str, str]:
    """The port that was taken, and both outputs of the demo that wanted it, behind a proxy that answers nobody."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        nowhere = dict.fromkeys(("http_proxy", "HTTP_PROXY", "all_proxy"), "http://127.0.0.1:1")
        done = subprocess.run(
            [*RASCANET, "demo", "--once", "--port", str(port)],
            capture_output=True,
            text=True,
            timeout=120,
            env=os.environ | nowhere | {"COLUMNS": "80"},
            check=False,
        )
    assert done.returncode == 0, done.stderr
    return port, done.stdout, done.stderr


def test_the_demo_is_short_and_right(demo: tuple[int, str, str]) -> None:
    port, said, errors = demo
    assert errors == ""
    lines = said.splitlines()
    assert lines[0].startswith(f"Port {port} is taken; the demo is at port ")
    assert len(lines) < 40
    assert not [line for line in lines if len(line) > 80]
    assert "{" not in said  # no log between the results
    assert "Exits change at most 5% of the decisions; the chance that this promise is wrong is 5%" in " ".join(
        said.split()
    )
    decided = dict(re.findall(r"^(\S+): (.*), P\(person\)", said, flags=re.M))
    assert len(decided) == SAMPLES
    assert {name for name, words in decided.items() if words.startswith("person")} == PEOPLE & set(decided)
    assert sum(" at row " in words for words in decided.values()) >= SAMPLES / 2
    assert re.search(r"\d early exits; \d+% of the rows saved", said)


@pytest.mark.parametrize("by_file", [False, True])
def test_the_demo_takes_whatever_network_promise_and_token_the_environment_names(tmp_path: Path, by_file: bool) -> None:
    weights, token, photo = (tmp_path / name for name in ("w.safetensors", "token", "photo.png"))
    checkpoint = random_checkpoint(SMALL, 1)
    save_checkpoint(checkpoint, weights)
    certificate = replace(certificate_of(checkpoint), loss="accuracy", condition="halt-time")
    certificate.save(certificate_beside(weights))
    token.write_text(TOKEN)
    photo.write_bytes(picture())
    environment = {"RASCANET_WEIGHTS": json.dumps([str(weights)]), "COLUMNS": "80"}
    if by_file:
        environment |= {
            "RASCANET_BEARER_TOKEN_FILE": str(token),
            "RASCANET_TLS_CERTIFICATE": "of-another-name.pem",
            "RASCANET_TLS_KEY": "of-another-name.key",
        }
    else:
        environment |= {"RASCANET_BEARER_TOKEN": TOKEN}
    done = subprocess.run(
        [*RASCANET, "demo", "--once", "--port", "0", str(photo)],
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | environment,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    said = " ".join(done.stdout.split())
    assert said.startswith(f"{SMALL.name}, policy `calibrated` (docs/early-exit.md). {certificate.policy.promise}")
    assert "photo.png: " in said
    assert TOKEN not in said


def test_a_refusal_ends_the_wait_at_once(start: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clients.commands.start.demo.START_TIMEOUT_S", 0.0)
    url = start(bearer_token=TOKEN)
    with (
        subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as service,
        TemporaryFile() as log,
        HttpClient(url) as client,
        pytest.raises(HttpError, match=r"Authorization.*\(unauthorized\)"),
    ):
        wait_for(client, service, log)


def test_a_signal_ends_the_demo_and_its_service() -> None:
    port = free_port()
    with subprocess.Popen([*RASCANET, "demo", "--port", str(port)], stdout=subprocess.DEVNULL) as process:
        until(lambda: not is_free(port))  # the service listens
        process.terminate()
        assert process.wait(60) == -signal.SIGTERM
    until(lambda: is_free(port), "the service goes on")


@pytest.mark.parametrize(
    ("given", "told"),
    [("mine.safetensors", """RASCANET_WEIGHTS='["first", "second"]'"""), ("[" * 100_000, "nested too deeply")],
)
def test_serve_says_how_a_list_is_written(given: str, told: str) -> None:
    done = CliRunner().invoke(app, ["serve", "--port", "0"], env={"RASCANET_WEIGHTS": given})
    assert done.exit_code == 2
    assert told in done.output
    assert given not in done.output


def test_serve_says_where_it_is_and_a_taken_port_in_a_sentence() -> None:
    port = free_port()
    serving = [*RASCANET, "serve", "--port", str(port)]
    with subprocess.Popen(serving, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as service:
        assert service.stdout
        first = service.stdout.readline()
        second = subprocess.run(serving, capture_output=True, text=True, timeout=60, check=False)
        service.send_signal(signal.SIGTERM)
        rest = service.stdout.read()
    assert first.startswith(f"Listening at http://127.0.0.1:{port} ")
    assert f"http://127.0.0.1:{port}/docs" in rest
    assert second.returncode == 4
    [last] = second.stderr.splitlines()  # no word of serving before it
    assert last.startswith("rascanet: ")
    assert str(port) in last
    assert last.endswith("such as --port 9000")


def test_settings_that_can_t_be_are_told_in_words() -> None:
    for port in ("99999", "-1", "x"):
        done = subprocess.run([*RASCANET, "serve", "--port", port], capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert "--port" in done.stderr
        assert "pydantic" not in done.stderr
        assert "Traceback" not in done.stderr
    environment = os.environ | {"RASCANET_MAX_STREAMS": "none", "RASCANET_BEARER_TOKEN": "secret" * 9}
    done = subprocess.run([*RASCANET, "serve"], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 2
    assert re.fullmatch(r"rascanet: .*max_streams.*\n", done.stderr)
    assert "secret" not in done.stderr
    assert "pydantic" not in done.stderr


def test_without_a_page_the_service_says_how_to_build_it() -> None:
    assert "make page" in "\n".join(welcome_lines(["http://127.0.0.1:1"], page=False))
    assert "make page" not in "\n".join(welcome_lines(["http://127.0.0.1:1"], page=True))
    assert re.search(r"^page: ", (Path(__file__).parents[4] / "Makefile").read_text(), flags=re.M)
