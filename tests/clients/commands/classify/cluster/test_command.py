import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

pytest.importorskip("ray", reason="Ray is not installed: .venv/bin/pip install -e '.[ray]'")

from pyarrow import parquet

from clients.commands.classify.cluster import command, pipeline
from clients.commands.classify.cluster.addresses import PlaceError
from clients.commands.classify.cluster.pipeline import Task, classify_piece
from clients.commands.classify.cluster.results import ResultFolder
from clients.commands.main import app
from model.checkpoint import save_checkpoint
from tests.clients.commands.classify.cluster.object_store import object_store
from tests.clients.commands.classify.test_command import write_pictures
from tests.networks import SMALL, random_checkpoint
from tests.picture_files import picture

pytestmark = pytest.mark.filterwarnings("ignore:`:DeprecationWarning:ray")  # Ray sets its own old options


def _run(*arguments: object, **environment: str) -> Result:
    result = CliRunner().invoke(app, ["classify", *map(str, arguments)], env={"COLUMNS": "200", **environment})
    assert result.exception is None or isinstance(result.exception, SystemExit), "no stack trace reaches a user"
    return result


class InOneProcess:
    """Does what the cluster does, piece by piece, in this process.

    Attributes:
        stops: called with the number of pieces done; may raise what ends the run.
        starts: times that it was asked.
    """

    def __init__(self) -> None:
        self.stops: Callable[[int], None] = lambda _: None
        self.starts = 0

    def __call__(self, task: Task, pieces: list[str], jobs: int) -> Iterator[tuple[int, float]]:
        self.starts += 1
        for number, piece in enumerate(pieces):
            self.stops(number)
            done = classify_piece({"piece": piece}, task)
            yield done["pictures"], done["took_s"]


@contextmanager
def _no_cluster(_address: str | None, jobs: int | None) -> Iterator[int]:
    yield jobs or 1


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> InOneProcess:
    found = InOneProcess()
    monkeypatch.setattr(command, "cluster", _no_cluster)
    monkeypatch.setattr(command, "classify_on_cluster", found)
    return found


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "weights.safetensors"
    save_checkpoint(random_checkpoint(SMALL, 1), path)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "pictures"
    write_pictures(place)
    (place / os.fsdecode(b"bad\xff.png")).write_bytes(picture())
    (place / "dangling.png").symlink_to("nowhere")
    for index in range(40):
        (place / f"{index:02}.png").write_bytes(picture(index))
    return place


def _same(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows without what differs from run to run, in the order of their index."""
    ordered = sorted(rows, key=lambda row: row.get("index", 0))
    return [{key: value for key, value in row.items() if key not in ("index", "elapsed_us")} for row in ordered]


def _ndjson(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def _rows(out: Path) -> list[dict[str, Any]]:
    return [row for file in sorted((out / "rows").iterdir()) for row in _ndjson(file)]


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("options", [(), ("--curve", "--policy", "published", "--max-bytes", "300000")])
def test_rows_are_the_local_commands(folder: Path, tmp_path: Path, weights: Path, options: tuple[str, ...]) -> None:
    shared = (folder, "--weights", weights, "--quiet", *options)
    local = _run(*shared, "--out", tmp_path / "local.ndjson", "--jobs", 1)
    out = tmp_path / "out"
    result = _run(*shared, "--engine", "ray", "--out", out, "--format", "ndjson")
    assert result.exit_code == local.exit_code == 1, result.output
    assert _same(_rows(out)) == _same(_ndjson(tmp_path / "local.ndjson"))
    success = json.loads((out / "_SUCCESS").read_text())
    assert success["weights"] == _rows(out)[0]["weights"]
    assert success["policy"] == _rows(out)[0]["policy"]
    assert success["pictures"] == success["person"] + success["no_person"] + sum(success["errors"].values())
    assert sorted(path.name for path in out.iterdir()) == ["_SUCCESS", "_run.json", "rows"]


@pytest.mark.usefixtures("engine")
def test_parquet_has_the_same_rows(folder: Path, tmp_path: Path, weights: Path) -> None:
    shared = (folder, "--weights", weights, "--quiet")
    _run(*shared, "--out", tmp_path / "local.ndjson", "--jobs", 1)
    _run(*shared, "--engine", "ray", "--out", tmp_path / "out")
    found = [row for file in sorted((tmp_path / "out/rows").iterdir()) for row in parquet.read_table(file).to_pylist()]
    for row in found:
        row["policy"] = json.loads(row["policy"])
    wanted = _ndjson(tmp_path / "local.ndjson")
    for row in wanted:
        row["name"] = row["name"].replace("\udcff", "\\xff")
    assert _same([{key: value for key, value in row.items() if value is not None} for row in found]) == _same(wanted)


@pytest.mark.usefixtures("engine")
def test_the_summary_is_printed(folder: Path, tmp_path: Path, weights: Path) -> None:
    result = _run(folder / "00.png", "--engine", "ray", "--weights", weights, "--out", tmp_path / "out")
    assert result.exit_code == 0
    assert "no person" in result.stderr


def _ends(error: BaseException) -> Callable[[int], None]:
    def stops(done: int) -> None:
        if done == 1:
            raise error

    return stops


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (PlaceError("out: can't be written: No space left on device"), 2, "can't be written: No space left on device"),
        (pipeline.ClusterError("the run was lost, --resume goes on with it: why"), 2, "the run was lost"),
        (KeyboardInterrupt(), 130, "what is done stays done; --resume goes on with it"),
    ],
)
def test_what_is_done_stays_done(
    engine: InOneProcess, folder: Path, tmp_path: Path, weights: Path, error: BaseException, status: int, words: str
) -> None:
    out = tmp_path / "out"
    shared = (folder, "--weights", weights, "--engine", "ray", "--out", out, "--format", "ndjson")
    engine.stops = _ends(error)
    ended = _run(*shared)
    assert ended.exit_code == status
    assert words in ended.stderr
    assert not (out / "_SUCCESS").exists()
    (done,) = (out / "rows").iterdir()
    earlier = done.read_bytes()
    engine.stops = lambda _: None
    (folder / "later.png").write_bytes(picture())
    assert _run(*shared).exit_code == 2, "neither --resume nor --overwrite"
    assert _run(*shared, "--resume").exit_code == 1
    assert done.read_bytes() == earlier
    found = _rows(out)
    assert sorted(row["index"] for row in found) == list(range(len(found)))
    assert not any(row["name"].endswith("later.png") for row in found), "the list is the first run's"
    engine.stops = _ends(AssertionError("nothing is left"))
    assert _run(*shared, "--resume").exit_code == 1
    engine.stops = lambda _: None
    assert _run(*shared, "--overwrite").exit_code == 1
    assert any(row["name"].endswith("later.png") for row in _rows(out))


def test_a_run_whose_rows_are_all_there_needs_no_cluster(
    engine: InOneProcess, folder: Path, tmp_path: Path, weights: Path
) -> None:
    out = tmp_path / "out"
    shared = (folder, "--weights", weights, "--engine", "ray", "--out", out)

    def lost_at_the_end(_: ResultFolder) -> None:
        raise PlaceError("rows can't be read")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(ResultFolder, "rows", lost_at_the_end)
        assert _run(*shared).exit_code == 2
    assert _run(*shared, "--resume").exit_code == 1
    assert (out / "_SUCCESS").exists()
    assert engine.starts == 1


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--policy", "published"), "was made with another policy"),
        (("--variant", "210x240"), "was made with another variant"),
        (("--curve",), "was made with another curve: False, not True"),
        (("--max-pixels", "9"), "was made with another max_pixels"),
        (("--format", "ndjson"), "was made with another format: parquet, not ndjson"),
        (("more.png",), "was made with another paths"),
    ],
)
def test_a_run_goes_on_only_as_it_began(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("one.png").write_bytes(picture())
    assert _run("one.png", "--engine", "ray", "--out", "out").exit_code == 0
    refused = _run("one.png", "--engine", "ray", "--out", "out", "--resume", *options)
    assert refused.exit_code == 2
    assert words in refused.stderr


@pytest.mark.usefixtures("engine")
def test_lost_and_doubled_rows_are_told(folder: Path, tmp_path: Path, weights: Path) -> None:
    out = tmp_path / "out"
    shared = (folder, "--weights", weights, "--engine", "ray", "--out", out, "--resume")
    assert _run(*shared).exit_code == 1
    (out / "_SUCCESS").unlink()
    first, *_ = sorted((out / "rows").iterdir())
    content = first.read_bytes()
    (out / "rows" / "again.parquet").write_bytes(content)
    doubled = _run(*shared)
    assert doubled.exit_code == 2
    assert "has two rows" in doubled.stderr
    (out / "rows" / "again.parquet").unlink()
    first.unlink()
    lost = _run(*shared)
    assert lost.exit_code == 2
    assert "32 pictures have no row, though the run came to its end" in lost.stderr


@pytest.mark.parametrize("way", ["--resume", "--overwrite"])
@pytest.mark.parametrize("takes_over", [0, 1])
def test_a_second_command_takes_over_and_the_first_one_ends(
    engine: InOneProcess, folder: Path, tmp_path: Path, weights: Path, way: str, takes_over: int
) -> None:
    """Before the first piece, and between two pieces."""
    out = tmp_path / "out"
    shared = (folder, "--weights", weights, "--engine", "ray", "--out", out, "--format", "ndjson")
    second: list[Result] = []

    def begin_second(done: int) -> None:
        if done == takes_over:
            engine.stops = lambda _: None
            second.append(_run(*shared, way))

    engine.stops = begin_second
    first = _run(*shared)
    assert [each.exit_code for each in second] == [1], [each.output for each in second]
    assert first.exit_code == 2
    assert (
        "does not see this folder" in first.stderr
        if takes_over == 0
        else "another command has taken over" in first.stderr
    )
    found = _rows(out)
    assert sorted(row["index"] for row in found) == list(range(len(found)))
    assert (out / "_SUCCESS").exists()


@pytest.mark.usefixtures("engine")
def test_a_wrong_manifest_costs_nothing(tmp_path: Path, weights: Path) -> None:
    (tmp_path / "a.png").write_bytes(picture())
    for name, text in (("good", "path\na.png\n"), ("mistyped", "pth\na.png\n"), ("empty", 'path\na.png\n""\n')):
        (tmp_path / f"{name}.csv").write_text(text)
    out = tmp_path / "out"

    def status(name: str, *options: str) -> int:
        manifest = tmp_path / f"{name}.csv"
        return _run("--manifest", manifest, "--engine", "ray", "--out", out, "--weights", weights, *options).exit_code

    assert [status("mistyped"), status("empty"), status("good")] == [2, 2, 0], "a folder that no run began in is free"
    files = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    assert [status("gone", "--overwrite"), status("mistyped", "--overwrite"), status("good")] == [2, 2, 2]
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == files


@pytest.mark.usefixtures("engine")
def test_rows_of_an_unknown_run_are_not_replaced_by_resume(folder: Path, tmp_path: Path, weights: Path) -> None:
    out = tmp_path / "out"
    shared = (folder, "--weights", weights, "--engine", "ray", "--out", out)
    assert _run(*shared).exit_code == 1
    (out / "_run.json").unlink()
    refused = _run(*shared, "--resume")
    assert refused.exit_code == 2
    assert "has rows, but no _run.json that says of which run; --overwrite begins anew" in refused.stderr
    assert list((out / "rows").iterdir())


def test_a_machine_without_the_folder_is_named(engine: InOneProcess, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"

    def elsewhere(_: int) -> None:
        (out / "_run.json").write_text('{"run": "another"}')

    engine.stops = elsewhere
    result = _run(folder, "--engine", "ray", "--out", out)
    assert result.exit_code == 2
    assert "does not see this folder; it must be shared" in result.stderr


@pytest.mark.usefixtures("engine")
def test_pictures_of_a_bucket(tmp_path: Path, weights: Path) -> None:
    content = {
        "/box/list.csv": b"path\na.png\ndeep/b.png\nnone.png\n",
        "/box/a.png": picture(1),
        "/box/deep/b.png": b"no",
    }
    shared = ("--manifest", "s3://box/list.csv", "--engine", "ray", "--weights", weights, "--format", "ndjson")
    (tmp_path / "a.png").write_bytes(picture(1))
    _run(tmp_path / "a.png", "--weights", weights, "--out", tmp_path / "local.ndjson")
    with object_store(content) as environment:
        from clients.commands.classify.cluster import addresses

        addresses._arrow_filesystem.cache_clear()
        result = _run(*shared, "--out", tmp_path / "out", **environment)
        assert result.exit_code == 1, result.output
        first, second, third = _same(_rows(tmp_path / "out"))
        (wanted,) = _same(_ndjson(tmp_path / "local.ndjson"))
        assert first == wanted | {"name": "a.png"}
        assert (second["name"], second["code"]) == ("deep/b.png", "unreadable_image")
        assert third["message"] == "there is no file at the address"
        addresses._arrow_filesystem.cache_clear()
        wrong = _run(*shared, "--out", tmp_path / "other", **environment | {"AWS_ACCESS_KEY_ID": "wrong"})
        assert wrong.exit_code == 2
        assert "s3://box/list.csv: can't be read" in wrong.stderr
        addresses._arrow_filesystem.cache_clear()
        missing = _run(*shared, "--manifest", "s3://none/list.csv", "--out", tmp_path / "third", **environment)
        assert missing.exit_code == 2
        assert "s3://none/list.csv: can't be read" in missing.stderr
    addresses._arrow_filesystem.cache_clear()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--engine", "rya", "a"), "there is no engine 'rya'; did you mean 'ray'? There is local, ray"),
        (("--engine", "ray", "--out", "out"), ", or --manifest"),
        (("--manifest", "list.csv"), "--manifest needs --engine ray"),
        (("--engine", "ray", "a"), "needs --out, a folder"),
        (("--engine", "ray", "a", "--out", "out", "--format", "csv"), "there is parquet, ndjson"),
        (("--engine", "ray", "a", "--out", "out", "--report", "a.html"), "--report"),
        (("--engine", "ray", "a", "--out", "out", "--url", "http://a"), "give --url or --engine ray, not both"),
        (("--engine", "ray", "-", "--out", "out"), "standard input"),
        (("--engine", "ray", "none.jpg", "--out", "out"), "none.jpg: no such file or folder"),
        (("--engine", "ray", ".", "--out", "none/out"), "none/out: can't be written"),
        (("--engine", "ray", "a", "--out", "out", "--resume", "--overwrite"), "give --resume or --overwrite"),
    ],
)
def test_what_can_not_be_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = _run(*arguments)
    assert result.exit_code == 2, result.output
    assert words in result.stderr


@pytest.mark.usefixtures("engine")
def test_no_pictures(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    result = _run(tmp_path / "empty", "--engine", "ray", "--out", tmp_path / "out")
    assert result.exit_code == 3
    assert "there are no pictures" in result.stderr
