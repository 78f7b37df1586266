import contextlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.http.origin import Authority, Origin, authority_of, host_of, is_loopback, origin_of


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://example.com", Origin("https", "example.com", 443)),
        ("https://example.com:443", Origin("https", "example.com", 443)),
        ("HTTPS://EXAMPLE.com/", Origin("https", "example.com", 443)),
        ("http://example.com:443", Origin("http", "example.com", 443)),
        ("http://[::1]:5173", Origin("http", "::1", 5173)),
        ("http://[0:0::1]:5173", Origin("http", "::1", 5173)),
        ("https://bücher.example", Origin("https", "xn--bcher-kva.example", 443)),
        ("chrome-extension://abcdef", Origin("chrome-extension", "abcdef", None)),
    ],
)
def test_an_origin_has_one_spelling(text: str, origin: Origin) -> None:
    assert origin_of(text) == origin


@pytest.mark.parametrize(
    "text",
    ["", "null", "*", "example.com", "https://", "https://example.com/app", "https://example.com?", "https://example.com#",
     "https://user@example.com", "https://example.com:70000", "http://[", "http://[::1", "https://a b", " https://a.b",
     "https://*.example.com", "https://a.b:", "http://\ud800"],
)  # fmt: skip
def test_no_origin(text: str) -> None:
    with pytest.raises(ValueError, match="is not an origin, such as https"):
        origin_of(text)


@given(st.text(max_size=40))
def test_whatever_comes_is_an_origin_or_a_value_error(text: str) -> None:
    for function in (origin_of, authority_of, host_of):
        with contextlib.suppress(ValueError):
            function(text)


def test_the_host_header() -> None:
    assert authority_of("LocalHost:8000") == Authority("localhost", 8000)
    assert authority_of("localhost.") == Authority("localhost", None)
    assert authority_of("[::1]:80") == Authority("::1", 80)
    for wrong in ("", "a:b", "a:123456", "a:99999", "a/b", "a@b", "[", "::1:80"):
        with pytest.raises(ValueError, match="host"):
            authority_of(wrong)


@pytest.mark.parametrize("host", ["localhost", "api.localhost", "127.0.0.1", "127.9.9.9", "::1"])
def test_loopback(host: str) -> None:
    assert is_loopback(host_of(host))


@pytest.mark.parametrize("host", ["localhost.evil.example", "notlocalhost", "128.0.0.1", "127.0.0.1.evil.example"])
def test_not_loopback(host: str) -> None:
    assert not is_loopback(host_of(host))


@pytest.mark.parametrize("function", [host_of, authority_of])
def test_what_is_too_long_for_a_host_is_refused_unread(function: Callable[[str], object]) -> None:
    for long in ("\xe4." * 300, "a" * 600, "1." * 300):
        with pytest.raises(ValueError, match="a host has at most 500"):
            function(long)
