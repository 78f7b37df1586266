"""Hosts and web origins in one spelling each, so that they can be compared (RFC 6454, RFC 9110 section 7.2)."""

import ipaddress
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

DEFAULT_PORTS: Final = {"http": 80, "https": 443, "ws": 80, "wss": 443}
MOST_CHARACTERS: Final = 500
"""Most characters of a host; a DNS name has at most 253."""
_NAME: Final = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*")
_AUTHORITY: Final = re.compile(r"(?P<host>\[[^\[\]]*\]|[^\[\]:]*)(?::(?P<port>[0-9]{1,5}))?")


@dataclass(frozen=True, slots=True)
class Authority:
    """Host and port that a request is sent to.

    Attributes:
        host: a name in lower case without a final dot, or an address as `ipaddress` writes it.
        port: the port; None where the request names none.
    """

    host: str
    port: int | None


@dataclass(frozen=True, slots=True)
class Origin:
    """Origin of a page: scheme and host in lower case, and the port (None: a scheme without a default port)."""

    scheme: str
    host: str
    port: int | None


def host_of(text: str) -> str:
    """The one spelling of a host.

    Raises:
        ValueError: neither a name nor an address.
    """
    # First, since the codec of names is slow on long texts.
    if len(text) > MOST_CHARACTERS:
        raise ValueError(f"{text[:80]!r} has {len(text)} characters; a host has at most {MOST_CHARACTERS}")
    bare = text.removeprefix("[").removesuffix("]") if text.startswith("[") and text.endswith("]") else text
    try:
        return str(ipaddress.ip_address(bare))
    except ValueError:
        pass
    name = text.lower().removesuffix(".")
    if not name.isascii():
        name = name.encode("idna").decode("ascii")
    if not _NAME.fullmatch(name):
        raise ValueError(f"{text[:80]!r} is neither the name nor the address of a host")
    return name


def authority_of(text: str) -> Authority:
    """Host and port of a `Host` header.

    Raises:
        ValueError: not `host` or `host:port`.
    """
    found = _AUTHORITY.fullmatch(text)
    if found is None or int(found["port"] or 0) > 65535:
        raise ValueError(f"{text[:80]!r} is not a host, or a host and a port")
    return Authority(host_of(found["host"]), int(found["port"]) if found["port"] else None)


def origin_of(text: str) -> Origin:
    """The one spelling of an origin; a slash at the end is ignored.

    Raises:
        ValueError: not `scheme://host` or `scheme://host:port`.
    """
    expected = f"{text[:80]!r} is not an origin, such as https://example.com or http://localhost:5173"
    try:
        parts = urlsplit(text)
        authority = authority_of(parts.netloc)
    except ValueError as error:
        raise ValueError(expected) from error
    if not parts.scheme or parts.path not in ("", "/") or "?" in text or "#" in text or text.strip() != text:
        raise ValueError(expected)
    scheme = parts.scheme.lower()
    return Origin(scheme, authority.host, authority.port or DEFAULT_PORTS.get(scheme))


def is_loopback(host: str) -> bool:
    """True if a host, as `host_of` spells it, is this machine itself."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_address(host: str) -> bool:
    """True if a host is an address, false if it is a name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
