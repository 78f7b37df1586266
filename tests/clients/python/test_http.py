"""The HTTP client beside a real service, and beside services that lie."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clients.python.client import Client
from clients.python.errors import HttpError
from clients.python.http import (
    OF_PICTURES,
    HttpClient,
    PictureDecision,
    PictureRefusal,
    ServedModel,
    Upload,
    UploadError,
)
from server.errors import REFUSALS
from server.info.schemas import Model
from server.pictures.entries import ImageDecision, ImageError
from tests.networks import SMALL
from tests.picture_files import picture

MODEL = {
    "variant": "30x32", "weights": "ab", "height": 30, "width": 32, "burst_rows": 5, "bursts_per_frame": 6,
    "calibrated": None, "of_a_later_service": {"x": 1},
}  # fmt: skip


@contextmanager
def _service(answer: Callable[[str, bytes], tuple[int, bytes]]) -> Iterator[str]:
    """A service whose answers a function makes, from the path and the body."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._say(b"")

        def do_POST(self) -> None:
            self._say(self.rfile.read(int(self.headers["content-length"])))

        def _say(self, body: bytes) -> None:
            status, content = answer(self.path, body)
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_results_come_in_order_by_name(service_url: str, tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.png" for number in range(7)]
    for number, path in enumerate(paths):
        path.write_bytes(picture(number) if number != 3 else b"no picture")

    def unreadable() -> bytes:
        raise UploadError("unreadable_image", "it is gone")

    sent: list[str | Path | Upload] = [
        *paths,
        tmp_path / "missing.png",
        Upload("made", lambda: picture(9)),
        Upload("gone", unreadable),
    ]
    with HttpClient(service_url, connections=2) as client:
        results = list(client.classify(sent, variant=SMALL.name, curve=True))
        alone = [next(iter(client.classify([path], variant=SMALL.name))) for path in paths[:2]]
    assert [result.name for result in results] == [*map(str, paths), str(tmp_path / "missing.png"), "made", "gone"]
    refused = [result for result in results if isinstance(result, PictureRefusal)]
    assert [result.name for result in refused] == [str(paths[3]), str(tmp_path / "missing.png"), "gone"]
    assert {result.code for result in refused} == {"unreadable_image"}
    for one, other in zip(results, alone, strict=False):
        assert isinstance(one, PictureDecision)
        assert isinstance(other, PictureDecision)
        assert (one.p_person, one.person, one.exited) == (other.p_person, other.person, False)
        assert one.curve
        assert one.curve[-1] == pytest.approx(one.p_person)
        assert other.curve is None


def test_models_and_refusals_are_typed(service_url: str, start: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(picture())
    with HttpClient(service_url) as client:
        assert client.model(SMALL.name).bursts_per_frame == SMALL.bursts_per_frame
        with pytest.raises(HttpError, match="not served") as unknown:
            client.model("1x1")
        assert unknown.value.code == "unknown_variant"
        with pytest.raises(HttpError) as bad:
            list(client.classify([tmp_path / "a.png"], policy={"name": "other"}))
        assert (bad.value.code, bad.value.status) == ("bad_policy", 422)
    with HttpClient(start(bearer_token="t" * 40)) as client, pytest.raises(HttpError) as stranger:
        client.models()
    assert (stranger.value.code, stranger.value.status) == ("unauthorized", 401)
    with (
        HttpClient("http://127.0.0.1:1") as client,
        pytest.raises(HttpError, match="start one with `rascanet serve`") as nobody,
    ):
        client.models()
    assert (nobody.value.code, nobody.value.status) == ("no_service", None)
    with pytest.raises(HttpError, match="not the address"):
        HttpClient("nonsense")


def test_no_proxy_is_asked(service_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with HttpClient(service_url) as client:
        assert client.models()


@pytest.mark.parametrize(
    "change",
    [
        {"height": 0},
        {"height": "30"},
        {"height": 10**30},
        {"burst_rows": 0},
        {"bursts_per_frame": 7},
        {"variant": None},
    ],
)
def test_a_model_that_can_t_be_is_refused_and_fields_of_a_later_service_are_not(change: dict[str, Any]) -> None:
    answers = {"models": [MODEL]}
    with _service(lambda *_: (200, json.dumps(answers).encode())) as url, HttpClient(url) as client:
        assert client.model("30x32").weights == "ab"
        answers["models"] = [MODEL | change]
        with pytest.raises(HttpError, match="does not answer as this service") as lie:
            client.models()
    assert lie.value.code == "bad_answer"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["results", "name", "code"]), inner),
    max_leaves=8,
)


def test_whatever_a_service_says_is_a_result_or_an_error_of_ours() -> None:
    said: list[tuple[int, bytes]] = [(200, b"")]
    uploads = [Upload(name, lambda: b"x") for name in ("a", "b")]
    with _service(lambda *_: said[0]) as url, HttpClient(url, connections=1) as client:

        @settings(max_examples=60)
        @given(st.sampled_from([200, 404, 422, 500]), JSON.map(lambda value: json.dumps(value).encode()) | st.binary())
        def tell(status: int, body: bytes) -> None:
            said[0] = (status, body)
            with suppress(HttpError):
                assert len(list(client.classify(uploads))) == 2

        tell()
        said[0] = (200, b'{"results": ' + b"[" * 100_000 + b"]" * 100_000 + b"}")
        with pytest.raises(HttpError):
            list(client.classify(uploads))
        entry = {"name": "7", "code": "unreadable_image", "message": "x"}
        said[0] = (200, json.dumps({"results": [entry, entry]}).encode())
        with pytest.raises(HttpError, match="which was not sent"):
            list(client.classify(uploads))


SPELLINGS = ["s3cr3t\n", "s3cr3t\r", "s3cr3t ", "s3cr3t\u2603", "s3cr3\xe9", "s3cr3t\x01", "s3cr3t" * 200]


@pytest.mark.parametrize("token", SPELLINGS)
@pytest.mark.parametrize("client", [HttpClient, Client])
def test_a_token_that_no_header_can_carry_is_told_and_not_shown(
    client: Callable[..., AbstractContextManager[object]], token: str
) -> None:
    with (
        pytest.raises(ValueError, match="the bearer token must have") as told,
        client("http://127.0.0.1:9", bearer_token=token),
    ):
        pass
    assert "s3cr3" not in str(told.value)


@pytest.mark.parametrize("url", ["http://[::1", "http://a:99999", "http://:80", "http://a:b", "ftp://a", "a"])
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(HttpError, match="is not the address of a service"):
        HttpClient(url)


def test_client_and_service_name_the_same_fields_and_codes() -> None:
    assert set(PictureDecision.__struct_fields__) == set(ImageDecision.model_fields) - {"index"}
    assert set(PictureRefusal.__struct_fields__) == set(ImageError.model_fields) - {"index"}
    assert set(ServedModel.__struct_fields__) <= set(Model.model_fields)
    assert all(REFUSALS[code].http_status for code in OF_PICTURES)
