import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

pytest.importorskip("pyarrow", reason="pyarrow is not installed: .venv/bin/pip install -e '.[ray]'")

from pyarrow.fs import LocalFileSystem

from clients.commands.classify.cluster import addresses
from clients.commands.classify.cluster.addresses import (
    AddressReader,
    PlaceError,
    beside,
    filesystem_of,
    is_address,
    place_of,
)
from server.errors import ServiceError
from tests.clients.commands.classify.cluster.object_store import object_store


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """A bucket with two objects, for the right key."""
    with object_store({"/pictures/a.jpg": b"first", "/pictures/deep/b@1%.jpg": b"second"}) as environment:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        addresses._arrow_filesystem.cache_clear()
        yield monkeypatch
    addresses._arrow_filesystem.cache_clear()


@pytest.mark.usefixtures("bucket")
def test_objects_are_read_and_no_more_than_asked() -> None:
    reader = AddressReader()
    assert reader.read("s3://pictures/a.jpg", 100) == b"first"
    assert reader.read("s3://pictures/deep/b@1%.jpg", 100) == b"second"
    assert reader.read("s3://pictures/a.jpg", 2) == b"fir"


@pytest.mark.usefixtures("bucket")
def test_a_missing_object_is_its_own_fault_and_a_missing_bucket_is_not() -> None:
    reader = AddressReader()
    with pytest.raises(ServiceError, match="no file at the address") as refused:
        reader.read("s3://pictures/other.jpg", 100)
    assert refused.value.code == "unreadable_image"
    with pytest.raises(PlaceError, match="s3://nowhere: there is no such bucket"):
        reader.read("s3://nowhere/a.jpg", 100)


def test_wrong_credentials_end_the_run(bucket: pytest.MonkeyPatch) -> None:
    bucket.setenv("AWS_ACCESS_KEY_ID", "wrong-key")
    with pytest.raises(PlaceError, match="s3://pictures: can't be read") as refused:
        AddressReader().read("s3://pictures/a.jpg", 100)
    assert "\n" not in str(refused.value)


def test_a_store_that_is_lost_ends_the_run(bucket: pytest.MonkeyPatch) -> None:
    reader = AddressReader()
    assert reader.read("s3://pictures/a.jpg", 100) == b"first"
    bucket.setenv("AWS_ACCESS_KEY_ID", "wrong-key")
    addresses._arrow_filesystem.cache_clear()
    with pytest.raises(PlaceError, match="s3://pictures: can't be read"):
        reader.read("s3://pictures/deep/b@1%.jpg", 100)


class _Web(BaseHTTPRequestHandler):
    """Pictures, one forbidden, one gone."""

    def do_GET(self) -> None:
        status = {"/a.jpg": 200, "/secret.jpg": 403}.get(self.path, 404)
        self.send_response(status)
        self.end_headers()
        self.wfile.write(b"first" if status == 200 else b"no")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Says nothing."""


@pytest.fixture
def web() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Web)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_forbidden_file_among_others_is_its_own_fault(web: str) -> None:
    reader = AddressReader()
    assert reader.read(f"{web}/a.jpg", 100) == b"first"
    assert reader.read(f"{web}/a.jpg", 3) == b"firs"
    for name in ("secret.jpg", "gone.jpg"):
        with pytest.raises(ServiceError, match="at the address"):
            reader.read(f"{web}/{name}", 100)


def test_a_host_that_forbids_everything_ends_the_run(web: str) -> None:
    with pytest.raises(PlaceError, match="the server answers 403"):
        AddressReader().read(f"{web}/secret.jpg", 100)


def test_a_host_without_a_server_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "RETRY", False)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        with pytest.raises(PlaceError, match=r"http://127\.0\.0\.1:\d+: can't be read"):
            AddressReader().read(f"http://127.0.0.1:{taken.getsockname()[1]}/a.jpg", 100)


@pytest.mark.parametrize(
    ("address", "reason"),
    [("abfs://box/a.jpg", "adlfs"), ("nonsense://box/a.jpg", "nonsense"), ("s3://", "names no bucket")],
)
def test_a_scheme_without_its_package_is_named(address: str, reason: str) -> None:
    with pytest.raises(PlaceError, match=reason):
        filesystem_of(address)


def test_other_schemes_are_read_by_fsspec() -> None:
    import fsspec

    fsspec.filesystem("memory").pipe("/box/a.jpg", b"first")
    reader = AddressReader()
    assert reader.read("memory://box/a.jpg", 2) == b"fir"
    with pytest.raises(ServiceError, match="no file"):
        reader.read("memory://box/b.jpg", 2)


def test_local_paths_are_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    filesystem, inside = filesystem_of("results")
    assert isinstance(filesystem, LocalFileSystem)
    assert inside == str(tmp_path / "results")


@pytest.mark.parametrize(
    ("file", "path", "leads_to"),
    [
        ("/data/list.csv", "a.jpg", "/data/a.jpg"),
        ("/data/list.csv", "/b/a.jpg", "/b/a.jpg"),
        ("/data/list.csv", "s3://box/a.jpg", "s3://box/a.jpg"),
        ("s3://box/deep/list.csv", "more/a.jpg", "s3://box/deep/more/a.jpg"),
        ("s3://box/list.csv", "http://host/a.jpg", "http://host/a.jpg"),
    ],
)
def test_paths_in_a_manifest_are_relative_to_it(file: str, path: str, leads_to: str) -> None:
    assert beside(file, path) == leads_to


def test_a_place_has_no_password() -> None:
    assert place_of("s3://key:secret@box/a.jpg") == "s3://box"
    assert is_address("s3://box/a.jpg")
    assert not is_address("/folder/s3://box")
    assert not is_address("folder/a.jpg")
