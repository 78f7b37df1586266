"""Hosts and web origins, compared as what they are and not as text (RFC 6454, RFC 9110 section 7.2)."""

import ipaddress
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

DEFAULT_PORTS: Final = {"http": 80, "https": 443, "ws": 80, "wss": 443}
MOST_CHARACTERS: Final = 500
"""Of a host; a name in the DNS has 253."""
_NAME: Final = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*")
_AUTHORITY: Final = re.compile(r"(?P<host>\[[^\[\]]*\]|[^\[\]:]*)(?::(?P<port>[0-9]{1,5}))?")


@dataclass(frozen=True, slots=True)
class Authority:
    """Whom a request is sent to.

    Attributes:
        host: a name in lower case without a final dot, or an address as `ipaddress` writes it.
        port: None where none was named.
    """

    host: str
    port: int | None


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a page comes from: scheme and host in lower case, and the port (None: a scheme without a default)."""

    scheme: str
    host: str
    port: int | None


def host_of(text: str) -> str:
    """A host's one spelling.

    Raises:
        ValueError: neither a name nor an address.
    """
    if len(text) > MOST_CHARACTERS:  # before anything looks at all of it: the codec of names needs time for long ones
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
    """An origin's one spelling; a slash at the end is passed over.

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
    """Whether a host, as `host_of` spells it, is this machine itself."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_address(host: str) -> bool:
    """Whether a host is an address and no name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
