"""HEAD answers as GET does, wherever GET does."""

from pathlib import Path

from server.app import create_app
from server.settings import Settings
from tests.conftest import served
from tests.picture_files import picture
from tests.server.asking import ask

HOST = [("Host", "localhost")]


def test_head_is_get_without_the_body(tmp_path: Path) -> None:
    sample = tmp_path / "street.jpg"
    sample.write_bytes(picture())
    app = create_app(Settings(samples=[sample]), served())
    document = app.openapi()["paths"]
    paths = [path.format(name="105x120", version="1") for path, found in document.items() if "get" in found]
    for path in [
        *paths,
        "/v1/samples/street.jpg",
        "/openapi.json",
        "/docs",
        "/asyncapi.json",
        "/nothing",
        "/v1/classify",
    ]:
        got, head = ask(app, "GET", path, HOST), ask(app, "HEAD", path, HOST)
        assert head.status == got.status, path
        assert head.body == b""
        if path != "/metrics":  # counts change
            assert head.headers == got.headers, path
