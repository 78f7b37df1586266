import pytest

from server.app import create_app
from server.errors import ServiceError
from server.http.request_limit import MOST_OPTIONS, announced_bytes
from server.settings import Settings
from tests.conftest import served
from tests.server.asking import ask

HOST = ("Host", "localhost")


@pytest.mark.parametrize(("text", "number"), [(b"0", 0), (b"00012", 12), (b"9" * 5000, 10**18), (b"0" * 5000, 0)])
def test_a_number_of_any_length_is_read(text: bytes, number: int) -> None:
    assert announced_bytes(text) == number


@pytest.mark.parametrize("text", [b"", b"-1", b"1.0", b"0x1", "²".encode(), b" 1"])
def test_what_is_no_number_is_refused(text: bytes) -> None:
    with pytest.raises(ServiceError, match="must be a number of bytes"):
        announced_bytes(text)


def test_what_is_announced_too_large_is_refused_before_it_comes() -> None:
    app = create_app(Settings(request_bytes=1000), served())
    for length in ("1001", "9" * 5000):
        answer = ask(app, "POST", "/v1/classify", [HOST, ("Content-Length", length)], [])
        assert (answer.status, answer.code) == (413, "request_too_large")


@pytest.mark.parametrize("path", ["/v1/classify", "/v1/models", "/v2"])
def test_ten_thousand_options_are_refused_by_their_number(path: str) -> None:
    app = create_app(Settings(), served())
    query = "&".join(f"option{number}=1" for number in range(10_000))
    answer = ask(app, "POST" if "classify" in path else "GET", f"{path}?{query}", [HOST])
    assert (answer.status, answer.code) == (422, "bad_option")
    assert f"at most {MOST_OPTIONS} options" in answer.body.decode()
