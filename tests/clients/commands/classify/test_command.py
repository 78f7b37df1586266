import csv
import json
import os
import re
import signal
import subprocess
import sys
import threading
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from typer.testing import CliRunner, Result

from clients.commands.main import app
from clients.python.http import TOGETHER_BYTES
from model.checkpoint import save_checkpoint
from server.process.file_lock import lock
from tests.networks import SMALL, random_checkpoint
from tests.picture_files import animation, grey_16_bit, huge_png, picture


def _run(*arguments: object, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(app, ["classify", *map(str, arguments)], env={"COLUMNS": "200"}, input=stdin)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "weights.safetensors"
    save_checkpoint(random_checkpoint(SMALL, 1), path)
    return path


GOOD = {
    "animated.gif": animation("GIF"),
    "animated.webp": animation("WEBP"),
    "deep/photo.jpeg": picture(kind="JPEG"),
    "grey16.png": grey_16_bit(),
    "palette.png": picture(mode="P"),
    "see-through.png": picture(mode="RGBA"),
    "named-wrongly.jpg": picture(kind="BMP"),
    "scan.tiff": picture(kind="TIFF"),
}
BAD = {
    "cut.jpg": picture(kind="JPEG")[:-300],
    "cut.png": picture()[:-300],
    "cut.webp": picture(kind="WEBP")[:-300],
    "cut.gif": picture(kind="GIF")[:-700],
    "cut.bmp": picture(kind="BMP")[:-300],
    "empty.jpg": b"",
    "huge.png": huge_png(),
    "large.jpg": picture(kind="JPEG") + bytes(400_000),
    "noise.jpg": bytes(range(256)) * 8,
    "text.png": b"no picture at all",
    "icon.jpg": picture(kind="ICO"),
    "flipped.png": bytes(byte ^ 0x55 if index > 40 else byte for index, byte in enumerate(picture())),
}


def write_pictures(place: Path) -> None:
    """Writes the good files and the broken ones."""
    for name, content in (GOOD | BAD).items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(content)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Good pictures and every kind of broken file."""
    place = tmp_path / "pictures"
    write_pictures(place)
    (place / "dangling.png").symlink_to("nowhere")
    (place / "loop").symlink_to(place)
    os.mkfifo(place / "pipe.png")
    (place / "folder.jpg").mkdir()
    (place / "notes.txt").write_text("not a picture")
    return place


@pytest.mark.parametrize("engine", ["here", "processes", "service"])
def test_a_folder_with_every_kind_of_broken_file(
    folder: Path, tmp_path: Path, weights: Path, engine: str, service_url: str
) -> None:
    out, report = tmp_path / "out.ndjson", tmp_path / "report.html"
    options: list[object] = ["--weights", weights, "--max-bytes", 300_000, "--jobs", 1 if engine == "here" else 2]
    if engine == "service":
        options = ["--url", service_url, "--variant", SMALL.name]
    result = _run(folder, *options, "--out", out, "--report", report)
    assert result.exit_code == 1, result.output
    rows = {
        Path(row["name"]).relative_to(folder).as_posix(): row for row in map(json.loads, out.read_text().splitlines())
    }
    failed = {name for name, row in rows.items() if "code" in row}
    assert failed == {*BAD, "dangling.png", "pipe.png"}
    assert set(rows) - failed == set(GOOD)
    assert list(rows) == sorted(rows, key=lambda name: name.split("/"))
    assert rows["large.jpg"]["code"] == "image_too_large"
    assert rows["huge.png"]["code"] == "image_too_many_pixels"
    assert all(0 <= rows[name]["p_person"] <= 1 for name in GOOD)
    assert f"unreadable image {len(failed) - 2}" in " ".join(result.stderr.split())
    page = report.read_text()
    assert all(str(folder / name) in page for name in failed)
    assert page.count("<figure>") == page.count("data:image/jpeg") == len(GOOD)


def test_formats_and_their_settings(tmp_path: Path, weights: Path) -> None:
    photo = tmp_path / "a.png"
    photo.write_bytes(picture())
    common = (photo, "--weights", weights, "--policy", "never")
    assert _run(*common, "--out", tmp_path / "a.csv").exit_code == 0
    [row] = csv.DictReader((tmp_path / "a.csv").read_text().splitlines())
    document = json.loads(_run(*common, "--format", "json", "--curve").stdout)
    [result] = document["results"]
    assert document["variant"] == row["variant"] == SMALL.name
    assert float(row["p_person"]) == result["p_person"] == result["curve"][-1]
    assert len(result["curve"]) == SMALL.bursts_per_frame
    assert f"P(person) {result['p_person']:.3f}, 6 of 6 bursts processed" in _run(*common).stdout


def test_an_interrupted_run_goes_on_where_it_was(tmp_path: Path, weights: Path) -> None:
    for index in range(5):
        (tmp_path / f"{index}.png").write_bytes(picture(index))
    out = tmp_path / "out.ndjson"
    options = (tmp_path, "--weights", weights, "--out", out)
    assert _run(*options).exit_code == 0
    whole = [json.loads(line) for line in out.read_text().splitlines()]
    lines = out.read_bytes().splitlines(keepends=True)
    out.write_bytes(lines[0] + lines[1] + lines[2][:50])
    assert "exists; --resume" in _run(*options).stderr
    result = _run(*options, "--resume", "--report", tmp_path / "r.html")
    assert result.exit_code == 0
    again = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row | {"elapsed_us": 0} for row in again] == [row | {"elapsed_us": 0} for row in whole]
    assert out.read_bytes().startswith(lines[0] + lines[1])
    assert (tmp_path / "r.html").read_text().count("<figure>") == 5
    assert _run(*options, "--resume", "--report", tmp_path / "r.html").exit_code == 0
    assert "another policy" in _run(*options, "--resume", "--policy", "published").stderr


@pytest.mark.parametrize("kind", ["csv", "ndjson"])
def test_a_picture_that_is_named_twice_has_two_rows_wherever_the_run_was_interrupted(
    tmp_path: Path, weights: Path, kind: str
) -> None:
    (tmp_path / "a.png").write_bytes(picture())
    (tmp_path / "b.png").write_bytes(picture(1))
    out = tmp_path / f"out.{kind}"
    options = (*(tmp_path / f"{name}.png" for name in "aba"), "--weights", weights, "--out", out, "--jobs", 1)
    assert _run(*options).exit_code == 0
    lines = out.read_bytes().splitlines(keepends=True)
    for done in range(len(lines) + 1):
        out.write_bytes(b"".join(lines[:done]))
        assert _run(*options, "--resume").exit_code == 0
        assert len(out.read_bytes().splitlines()) == len(lines), done


def test_two_commands_do_not_write_one_file(tmp_path: Path, weights: Path) -> None:
    out = tmp_path / "out.ndjson"
    (tmp_path / "a.png").write_bytes(picture())
    options = (tmp_path / "a.png", "--weights", weights, "--out", out, "--jobs", 1)
    assert _run(*options).exit_code == 0
    before = out.read_bytes()
    with out.open("ab") as other:
        assert lock(other)
        for way in ("--resume", "--overwrite"):
            refused = _run(*options, way)
            assert (refused.exit_code, "another command is writing it" in refused.stderr) == (2, True)
            assert out.read_bytes() == before
    assert _run(*options, "--resume").exit_code == 0


@pytest.mark.parametrize("packed", [False, True])
def test_standard_input(tmp_path: Path, weights: Path, packed: bool) -> None:
    content = picture()
    if packed:
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
            archive.writestr("in/a.png", content)
        content = (tmp_path / "a.zip").read_bytes()
    result = _run("-", "--weights", weights, "--format", "ndjson", stdin=content)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["name"] == ("-:in/a.png" if packed else "-")


def test_standard_input_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clients.commands.sources.MAX_INPUT_BYTES", 2_000_000)
    result = _run("-", stdin=bytes(3_000_000))
    assert result.exit_code == 2
    assert "-: more than the 2000000 bytes that are taken" in result.stderr


@pytest.mark.parametrize("max_images", [64, 3])
def test_here_and_there_agree(tmp_path: Path, weights: Path, start: Callable[..., str], max_images: int) -> None:
    """Whether the service takes as many pictures in a request as the command would send, or not."""
    url = start(max_images=max_images)
    for index in range(20):
        (tmp_path / f"{index}.png").write_bytes(picture(index))
    found: list[list[dict[str, Any]]] = []
    for options in (["--weights", weights], ["--url", url, "--variant", SMALL.name]):
        result = _run(tmp_path, *options, "--format", "json", "--curve", "--skip-threshold", 0.3, "--jobs", 2)
        assert result.exit_code == 0, result.output
        found.append(json.loads(result.stdout)["results"])
    assert [row | {"elapsed_us": 0} for row in found[0]] == [row | {"elapsed_us": 0} for row in found[1]]


class _Fake(BaseHTTPRequestHandler, ABC):
    """A service that answers requests for one picture and for two; lists the kinds of their bodies."""

    kinds: ClassVar[list[str]]

    def do_GET(self) -> None:
        model = {"variant": "30x32", "weights": "ab", "height": 30, "width": 32, "burst_rows": 5, "bursts_per_frame": 6}
        self._answer(200, {"models": [model]})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.kinds.append(self.headers["content-type"].partition(";")[0])
        self._decide()

    @abstractmethod
    def _decide(self) -> None:
        """Answers as the test's own service would."""

    def _answer(self, status: int, content: Any) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if status == 429:
            self.send_header("Retry-After", "0")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
        """Says nothing."""


def _entry(name: str, p_person: float) -> dict[str, Any]:
    counts = dict.fromkeys(("index", "burst_index", "processed", "skipped", "unread", "macs", "elapsed_us"), 1)
    return {
        "name": name,
        "person": True,
        "p_person": p_person,
        "exited": False,
        "processed_ratio": 1.0,
        "logits": [0, 1],
    } | counts


def _run_by(fake: type[_Fake], folder: Path) -> Result:
    fake.kinds = []
    with ThreadingHTTPServer(("127.0.0.1", 0), fake) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        result = _run(folder, "--url", f"http://127.0.0.1:{server.server_port}", "--variant", SMALL.name, "--jobs", 1)
        server.shutdown()
        thread.join()
    assert result.exit_code == 0, result.output
    return result


class _Busy(_Fake):
    """Has no room for the first request."""

    def _decide(self) -> None:
        if len(self.kinds) == 1:
            self._answer(429, {"code": "too_many_requests", "detail": "come again"})
        else:
            self._answer(200, {"results": [_entry("", 0.7)]})


def test_a_busy_service_is_asked_again(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(picture())
    assert "P(person) 0.700" in _run_by(_Busy, tmp_path).stdout
    assert _Busy.kinds == 2 * ["application/octet-stream"]


class _Late(_Fake):
    """Comes to the first of two pictures alone."""

    def _decide(self) -> None:
        late = {"index": 1, "name": "1", "code": "out_of_time", "message": "no core was free"}
        together = self.kinds[-1] == "multipart/form-data"
        self._answer(200, {"results": [_entry("0", 0.7), late] if together else [_entry("", 0.8)]})


def test_what_a_service_did_not_come_to_is_asked_again_alone(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(picture())
    told = _run_by(_Late, tmp_path).stdout
    assert f"{tmp_path / 'a.png'}: person, P(person) 0.700" in told
    assert f"{tmp_path / 'b.png'}: person, P(person) 0.800" in told
    assert _Late.kinds == ["multipart/form-data", "application/octet-stream"]


def test_large_pictures_go_alone(tmp_path: Path) -> None:
    (tmp_path / "a.bmp").write_bytes(picture(kind="BMP"))
    (tmp_path / "b.bmp").write_bytes(picture(kind="BMP") + bytes(TOGETHER_BYTES))
    _run_by(_Late, tmp_path)
    assert _Late.kinds == 2 * ["application/octet-stream"]


@pytest.mark.parametrize(
    ("arguments", "status", "complaint"),
    [
        (("missing.png",), 2, "missing.png: no such file or folder"),
        (("FOLDER",), 3, "there are no pictures in FOLDER; pictures are files of JPEG, PNG, "),
        (("FOLDER", "--format", "xml"), 2, "no format 'xml'"),
        (("FOLDER", "--resume"), 2, "--resume needs --out"),
        (("FOLDER", "--url", "http://127.0.0.1:1"), 2, "no service answers there"),
        (("FOLDER", "--url", "nonsense"), 2, "not the address of a service"),
        (("FOLDER", "--url", "SERVICE", "--variant", "5x16"), 2, "'5x16' is not served"),
        (("FOLDER", "--url", "SERVICE", "--weights", "x"), 2, "not both"),
        (("FOLDER", "--policy", "other"), 2, "there is no policy 'other'; there is published"),
    ],
)
def test_mistakes_are_told_in_a_line(
    tmp_path: Path, service_url: str, arguments: tuple[str, ...], status: int, complaint: str
) -> None:
    places = {"FOLDER": str(tmp_path), "SERVICE": service_url}
    result = _run(*(places.get(argument, argument) for argument in arguments))
    assert result.exit_code == status
    assert complaint.replace("FOLDER", str(tmp_path)) in result.stderr
    assert "Traceback" not in result.output


def test_a_film_is_refused_with_the_command_that_takes_it(tmp_path: Path) -> None:
    (tmp_path / "film.MP4").write_bytes(b"frames")
    result = _run(str(tmp_path / "film.MP4"))
    assert result.exit_code == 1
    assert "film.MP4: a film, not a picture: `rascanet stream` takes it (unreadable_image)" in result.stdout


def test_a_recording_is_refused_with_the_command_that_takes_it(tmp_path: Path) -> None:
    (tmp_path / "walk.rscn").write_bytes(b"RSCNREC1")
    result = _run(str(tmp_path / "walk.rscn"))
    assert result.exit_code == 1
    assert "walk.rscn: a recording: `rascanet replay` sends it (unreadable_image)" in result.stdout


def test_an_ending_that_no_format_has_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(picture())
    out = tmp_path / "out.foo"
    result = _run(str(tmp_path / "a.png"), "--out", str(out))
    assert result.exit_code == 2
    assert "out.foo: there is no format with the ending '.foo'; there is .csv" in result.stderr
    assert not out.exists()
    assert _run(str(tmp_path / "a.png"), "--out", str(out), "--format", "csv").exit_code == 0


def test_a_single_picture_is_its_own_summary(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(picture())
    assert "class" not in _run(str(tmp_path / "a.png")).stderr
    assert "class" in _run(str(tmp_path / "a.png"), "--out", str(tmp_path / "a.csv")).stderr
    assert "class" in _run(str(tmp_path / "*.png")).stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_signal_leaves_no_process_behind_and_keeps_what_is_done(tmp_path: Path, weights: Path, number: int) -> None:
    place = tmp_path / "pictures"
    place.mkdir()
    (place / "0000.jpg").write_bytes(picture(size=(900, 900), kind="JPEG"))
    for index in range(1, 3000):
        os.link(place / "0000.jpg", place / f"{index:04}.jpg")
    out = tmp_path / "out.ndjson"
    command: list[Any] = [sys.executable, "-m", "clients.commands.main", "classify", place, "--weights", weights]
    with subprocess.Popen(
        [*command, "--out", out, "--jobs", "2"],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background jobs ignore it
    ) as process:
        while not out.exists() or not out.stat().st_size:
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.05)
            assert process.returncode is None
        process.send_signal(number)
        _, said = process.communicate(timeout=60)  # until every process that writes there has ended
    assert process.returncode == (130 if number == signal.SIGINT else -number), said
    if number != signal.SIGKILL:
        assert "Traceback" not in said
        rows = [json.loads(line) for line in out.read_text().splitlines()]
        assert 0 < len(rows) < 3000
        assert said.endswith("; the same command with --resume continues\n")
        assert f"rascanet: interrupted after {len(rows):,} picture" in said


def test_without_ray_the_command_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(picture())
    commands = [
        ["classify", str(tmp_path / "a.png"), "--engine", "ray", "--out", str(tmp_path / "out")],
        ["classify", str(tmp_path / "a.png")],
    ]
    program = [sys.executable, "-m", "tests.clients.commands.without_extras"]
    done = subprocess.run(program, input=json.dumps(commands), capture_output=True, text=True, timeout=300, check=True)
    (status, _, said, _), (other_status, *_) = json.loads(done.stdout)
    assert (status, other_status) == (2, 0)
    assert re.fullmatch(r"rascanet: this needs ray, .* -e '\.\[ray\]'\n", said)
