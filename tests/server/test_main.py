"""The service as a process: wrong starts, several workers, and what neither may tell."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx2
import psutil
import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from clients.python.client import Client
from model.certificate import certificate_beside
from model.checkpoint import save_checkpoint, shipped_weights
from model.config import VARIANTS
from sensor_sim.clock import VirtualClock
from sensor_sim.scene import sample_photos
from server.__main__ import ExitStatus
from server.process.audits_file import alone
from server.settings import Settings
from tests.networks import random_checkpoint
from tests.picture_files import picture
from tests.service_process import service_process

TOKEN, KEY = "s3cr3t-token", "s3cr3t-key-" + "0" * 32
SECRETS = {"RASCANET_BEARER_TOKEN": TOKEN, "RASCANET_RESUME_KEY": KEY}

STARTS = """
import json, os, sys, traceback
from server.__main__ import main
for options, environment, out in json.load(sys.stdin):
    process = os.fork()
    if process == 0:
        told = os.open(out, os.O_CREAT | os.O_WRONLY)
        os.dup2(told, 1), os.dup2(told, 2)
        os.environ |= environment
        sys.argv = ["server", *options]
        try:
            main()
        except SystemExit as error:
            os._exit(error.code or 0)
        except BaseException:
            traceback.print_exc()
        os._exit(99)
    print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), flush=True)
"""
"""Starts the service again and again in forks of one process that has loaded it; tells the exit statuses."""

Start = tuple[list[str], dict[str, str], ExitStatus, str]
"""Options, environment, exit status, and what the sentence has to say."""


@pytest.fixture
def wrong_starts(tmp_path: Path) -> Iterator[list[Start]]:
    """Every kind of wrong start."""
    authority = trustme.CA()
    own, other = authority.issue_cert("127.0.0.1"), authority.issue_cert("127.0.0.1")
    files = {name: tmp_path / name for name in ("certificate", "key", "other", "locked", "damaged", "weights", "deep")}
    files["certificate"].write_bytes(own.cert_chain_pems[0].bytes())
    files["key"].write_bytes(own.private_key_pem.bytes())
    files["other"].write_bytes(other.private_key_pem.bytes())
    key = load_pem_private_key(own.private_key_pem.bytes(), None)
    files["locked"].write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"pass phrase"))
    )
    files["damaged"].write_text("-----BEGIN CERTIFICATE-----\nno\n-----END CERTIFICATE-----\n")
    good = shipped_weights("105x120").read_bytes()
    files["weights"].write_bytes(good[:-1000] + bytes(1000))
    photo = tmp_path / "photo.rscn"
    photo.write_bytes(picture())
    nested = tmp_path / "nested.safetensors"
    nested.write_bytes(good)
    certificate_beside(nested).write_text('{"format": ' + "[" * 100_000 + "]" * 100_000 + "}")
    gone = str(tmp_path / "gone")

    def tls(certificate: str, key: str) -> list[str]:
        return ["--tls-certificate", str(files.get(certificate, gone)), "--tls-key", str(files.get(key, gone))]

    kept = tmp_path / "audits.json"
    with socket.create_server(("127.0.0.1", 0)) as taken, alone(kept):
        port = taken.getsockname()[1]
        settings, weights, listening = ExitStatus.BAD_SETTINGS, ExitStatus.BAD_WEIGHTS, ExitStatus.NO_LISTENING
        yield [
            (["--port", "99999"], {}, settings, "port"),
            (["--port", "s3cr3t-port"], {}, settings, "port"),
            (["--workers", "0"], {}, settings, "workers"),
            (["--arithmetic", "int8", "--weights", gone], {}, settings, "arithmetic is for the weights that come"),
            (["--bearer-tokn", "s3cr3t-typo"], {}, settings, "--bearer-tokn"),
            (["--bearer-tokn=s3cr3t-typo"], {}, settings, "--bearer-tokn"),
            (["--bearer-token"], {}, settings, "--bearer-token"),
            ([], {"RASCANET_BEARER_TOKN": "s3cr3t-typo"}, settings, "did you mean RASCANET_BEARER_TOKEN?"),
            ([], {"rascanet_max_streems": "3"}, settings, "rascanet_max_streems is no setting"),
            (["s3cr3t-place"], {}, settings, "--help"),
            ([], {"RASCANET_WEIGHTS": "s3cr3t-list"}, settings, """RASCANET_WEIGHTS='["first", "second"]'"""),
            ([], {"RASCANET_WEIGHTS": "[" * 100_000}, settings, "nested"),
            ([], {"RASCANET_RESUME_KEY": "s3cr3t-short"}, settings, "resume_key"),
            ([], {"RASCANET_BEARER_TOKEN": " "}, settings, "bearer_token"),
            (["--bodies-bytes", "5"], {}, settings, "bodies_bytes"),
            (["--tls-key", gone], {}, settings, "tls_certificate"),
            (["--trusted-proxies", "10.0.0.1/8"], {}, settings, "trusted_proxies"),
            (["--trusted-proxies", "proxy.example"], {}, settings, "trusted_proxies"),
            (["--samples", gone], {}, settings, "samples"),
            (
                ["--samples", str(files["damaged"])],
                {},
                settings,
                "begins with b'-----BEG'; expected a picture in one of",
            ),
            ([], {"RASCANET_RECORDINGS": json.dumps([str(photo)])}, settings, "is a PNG picture; expected a recording"),
            (["--audits-file", str(kept)], {}, settings, "in use by another service"),
            (["--audits-file", str(files["damaged"])], {}, settings, "no file of audits"),
            (["--allowed-origins", "s3cr3t"], {"RASCANET_IDLE_S": "s3cr3t"}, settings, "idle_s"),
            (["--weights", gone], {}, weights, gone),
            (["--weights", str(shipped_weights("105x120")), "--weights", gone], {}, weights, gone),
            (["--weights", str(tmp_path)], {}, weights, str(tmp_path)),
            (["--weights", str(files["weights"])], {}, weights, "digest"),
            (["--weights", str(files["damaged"])], {}, weights, "safetensors"),
            (["--weights", str(nested)], {}, weights, "certificate"),
            (tls("gone", "key"), {}, listening, gone),
            (tls("certificate", "gone"), {}, listening, gone),
            (tls("certificate", "other"), {}, listening, "certificate and its key"),
            (tls("certificate", "locked"), {}, listening, "encrypted"),
            (tls("damaged", "key"), {}, listening, "damaged"),
            (["--port", str(port)], {}, listening, "such as --port 9000 or RASCANET_PORT=9000"),
            (["--port", str(port), "--workers", "2"], {}, listening, "already in use"),
            (["--port", str(port), *tls("certificate", "key")], {}, listening, "already in use"),
            (["--port", str(port), "--weights", gone], {}, listening, "already in use"),
            (["--host", "203.0.113.1"], {}, listening, "such as --host 127.0.0.1 or RASCANET_HOST=127.0.0.1"),
        ]


def test_the_help_is_folded_and_names_the_environment() -> None:
    environment = os.environ | {"COLUMNS": "80"}
    command = [sys.executable, "-m", "server", "--help"]
    told = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout
    assert max(map(len, told.splitlines())) <= 80
    assert "with the prefix RASCANET_. Lists are JSON, such as RASCANET_WEIGHTS=" in " ".join(told.split())


def test_a_wrong_start_is_one_sentence_an_exit_status_and_no_secret(wrong_starts: list[Start], tmp_path: Path) -> None:
    cases = [
        (options, SECRETS | {"RASCANET_PORT": "0"} | environment, str(tmp_path / f"told{number}"))
        for number, (options, environment, _, _) in enumerate(wrong_starts)
    ]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RASCANET_")}
    done = subprocess.run(
        [sys.executable, "-c", STARTS], input=json.dumps(cases), env=environment, capture_output=True, text=True,
        timeout=120, check=True,
    )  # fmt: skip
    statuses = list(map(int, done.stdout.split()))
    for (options, given, expected, says), status, (_, _, out) in zip(wrong_starts, statuses, cases, strict=True):
        told = Path(out).read_text()
        assert status == expected, (options, given, told)
        assert "Traceback" not in told, told
        hidden = [TOKEN, KEY, *re.findall(r"s3cr3t-\w+", " ".join([*options, *given.values()]))]
        assert not [secret for secret in hidden if secret in told], told
        *before, sentence = told.splitlines()
        assert sentence.startswith("rascanet: "), told
        assert says in sentence, told
        assert len(sentence) < 400
        assert "serving" not in told, told
        assert all(json.loads(line)["level"] == "info" for line in before), told


def test_exit_statuses_are_documented() -> None:
    page = (Path(__file__).parents[2] / "docs" / "running.md").read_text()
    assert re.findall(r"^\| (\d) \|", page, re.MULTILINE) == [str(int(status)) for status in ExitStatus]


def test_secrets_are_the_settings_of_that_type() -> None:
    assert Settings.secret_variables() == set(SECRETS)


def test_a_service_leaves_no_secret_to_its_children_whoever_starts_it() -> None:
    program = (
        "import os\n"
        "from server.connections.tls import TlsError\n"
        "from server.service import run\n"
        "from server.settings import Settings\n"
        "try: run(Settings(tls_certificate='missing', tls_key='missing'))\n"
        "except TlsError: print(*os.environ)\n"
    )
    command = [sys.executable, "-c", program]
    told = subprocess.run(command, env=os.environ | SECRETS, capture_output=True, text=True, check=True).stdout.split()
    assert "PATH" in told
    assert not set(told) & set(SECRETS)


def _workers(parent: int) -> list[psutil.Process]:
    found = []
    for each in psutil.Process(parent).children():
        with suppress(psutil.ZombieProcess, psutil.NoSuchProcess):
            if "spawn_main" in " ".join(each.cmdline()):
                found.append(each)
    return found


def test_one_service_is_one_network_whatever_becomes_of_the_file_and_tells_no_secret(tmp_path: Path) -> None:
    """Its workers get what it read when it started, by ways that no list of processes and no environment shows."""
    weights = tmp_path / "weights.safetensors"
    save_checkpoint(random_checkpoint(VARIANTS["105x120"], 1), weights)
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    log = tmp_path / "log"
    with pytest.MonkeyPatch.context() as patch, log.open("wb") as file:
        for name, value in SECRETS.items():
            patch.setenv(name, value)
        with service_process("--workers", "2", "--weights", str(weights), log=file) as (url, service):

            def digest() -> str:
                answer = httpx2.get(f"{url}/v1/models", headers=bearer, timeout=60)
                return str(re.findall(r"[0-9a-f]{64}", answer.text)[0])

            before, workers = digest(), _workers(service.pid)
            assert len(workers) == 2
            for process in (*workers, *psutil.Process(service.pid).children(recursive=True)):
                shown = " ".join(process.cmdline()) + " ".join(process.environ().values())
                assert not [secret for secret in SECRETS.values() if secret in shown]
            save_checkpoint(random_checkpoint(VARIANTS["105x120"], 2), weights)
            workers[0].kill()
            workers[0].wait(30)
            weights.write_bytes(b"damaged")
            workers[1].kill()
            assert {digest() for _ in range(4)} == {before}
            assert not {each.pid for each in _workers(service.pid)} & {each.pid for each in workers}
        assert service.returncode == 0
    told = log.read_text()
    assert not [secret for secret in SECRETS.values() if secret in told]
    assert told.count("ended with status -9") == 2
    assert "Traceback" not in told


def test_workers_end_when_their_parent_is_killed() -> None:
    with service_process("--workers", "2", "--drain-s", "1") as (_, service):
        workers = _workers(service.pid)
        service.send_signal(signal.SIGKILL)
        _, alive = psutil.wait_procs(workers, timeout=30)
    assert not alive


def test_several_workers_serve_one_port_and_stop_together(tmp_path: Path) -> None:
    before = dict(os.environ)
    with (tmp_path / "log").open("wb") as log, service_process("--workers", "2", log=log) as (url, service):
        chances = set()
        for _ in range(6):
            with Client(url, policy={"name": "never"}, clock=VirtualClock()) as client:
                chances.add(client.emit(client.photo(sample_photos()[0])).decision.p_person)
        for _ in range(4):  # whichever worker answers, it answers for both
            text = httpx2.get(f"{url}/metrics").text
            counts = dict(re.findall(r"^(rascanet_\S+) (\S+)$", text, re.MULTILINE))
            assert float(counts['rascanet_decisions_total{kind="end_of_frame"}']) == 6
            assert float(counts["rascanet_step_seconds_count"]) == 6
            assert "pid" not in text
    assert service.returncode == 0
    assert len(chances) == 1
    text = (tmp_path / "log").read_text()
    assert text.count("serving 105x120") == 1, text  # read by the parent, served by two workers
    assert dict(os.environ) == before
