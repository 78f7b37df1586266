"""Access of a request: one pure decision for every door, HTTP and websocket alike (SECURITY.md).

Checks in this order: the path can be served (else 404), the host is ours (else 421), the origin of the asking page is
allowed (else 403), the bearer token is right (else 401).
"""

import base64
import hmac
import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from server.errors import ServiceError
from server.http.origin import DEFAULT_PORTS, Origin, authority_of, host_of, is_address, is_loopback, origin_of
from server.settings import Settings

BEARER_SUBPROTOCOL: Final = "rascanet.bearer."
"""Beginning of a subprotocol that carries the bearer token (base64url, unpadded), for browsers can't set a header."""

GUARDED: Final = ("v1", "v2", "metrics")
"""First segments of the paths that require the bearer token; page, health and descriptions are open."""

ANY_HOST: Final = "*"
SAFE_METHODS: Final = ("GET", "HEAD", "OPTIONS")

_UNSERVED: Final = re.compile(r"[\x00-\x1f\x7f\\]|//|/\.{1,2}(?:/|$)")
"""Paths that no route has. They are refused before routing: `/metrics` with a line feed must not be `/metrics` to the
router and another path to the check of the token."""

Headers = Sequence[tuple[bytes, bytes]]
"""Headers of a request in ASGI's form, with names in lower case."""


@dataclass(frozen=True, slots=True)
class Access:
    """Rules of access, from the settings.

    Attributes:
        bearer: the bearer token; None: no token is required.
        origins: origins of pages that may use the service, beside the service's own.
        hosts: names and addresses that the service answers to, beside the loopback ones; None: to any.
        any_address: true if the service answers to every address (not name), because it listens on all.
    """

    bearer: bytes | None = None
    origins: frozenset[Origin] = frozenset()
    hosts: frozenset[str] | None = frozenset()
    any_address: bool = False

    @classmethod
    def of(cls, settings: Settings) -> "Access":
        """Makes the rules from settings, which must be checked already."""
        bound = host_of(settings.host) if settings.host else "0.0.0.0"  # noqa: S104 - uvicorn's meaning of no host
        every = is_address(bound) and ipaddress.ip_address(bound).is_unspecified
        named = frozenset(host_of(host) for host in settings.allowed_hosts if host != ANY_HOST)
        token = settings.bearer_token
        return cls(
            bearer=token.get_secret_value().encode("ascii") if token else None,
            origins=frozenset(map(origin_of, settings.allowed_origins)),
            hosts=None if ANY_HOST in settings.allowed_hosts else named | {bound},
            any_address=every,
        )

    def check(self, method: str, scheme: str, path: str, headers: Headers, *, token: bool = True) -> None:
        """Checks that a request may be answered.

        Args:
            method: method in capitals; GET for a websocket upgrade.
            scheme: `http`, `https`, `ws` or `wss`; `ws` and `wss` are upgrades.
            path: percent-decoded path, without the query.
            headers: all headers.
            token: true if the bearer token is required.

        Raises:
            ServiceError: `not_found`, `bad_request`, `misdirected`, `forbidden_origin`, `unauthorized`.
        """
        if _UNSERVED.search(path):
            raise ServiceError("not_found", f"there is nothing at {path[:200]!r}")
        host = _single(headers, b"host")
        self._check_host(host)
        upgrade = scheme in ("ws", "wss")
        origin = _single(headers, b"origin")
        if origin is not None and (upgrade or method not in SAFE_METHODS) and not self.welcomes(origin, scheme, host):
            raise ServiceError(
                "forbidden_origin",
                f"pages of {origin[:100]!r} may not use this service; whoever runs it can add the origin "
                "to its setting allowed_origins",
            )
        if token and self.bearer is not None and path.removeprefix("/").partition("/")[0] in GUARDED:
            self._check_bearer(headers, self.bearer)

    def welcomes(self, origin: str, scheme: str, host: str | None) -> bool:
        """True if pages of an origin may use the service: an allowed origin, or the service's own.

        A proxy in front may speak TLS for a service that doesn't, so over `http` both schemes are the service's own.
        """
        try:
            found = origin_of(origin)
            if found in self.origins:
                return True
            own = authority_of(host or "")
        except ValueError:
            return False
        schemes = ("https",) if scheme in ("https", "wss") else ("http", "https")
        return (
            found.scheme in schemes
            and found.host == own.host
            and found.port == (own.port or DEFAULT_PORTS[found.scheme])
        )

    def _check_host(self, host: str | None) -> None:
        if self.hosts is None or host is None:  # no browser leaves it out
            return
        try:
            name = authority_of(host).host
        except ValueError as error:
            raise ServiceError("bad_request", f"the header Host can't be read: {error}") from error
        if not (name in self.hosts or is_loopback(name) or (self.any_address and is_address(name))):
            raise ServiceError(
                "misdirected",
                f"this service does not answer to the host {name[:100]!r}; whoever runs it can add the name "
                "to its setting allowed_hosts",
            )

    @staticmethod
    def _check_bearer(headers: Headers, expected: bytes) -> None:
        if not hmac.compare_digest(_token(headers), expected):
            raise ServiceError("unauthorized", "send the header 'Authorization: Bearer' with this service's token")


def _single(headers: Headers, name: bytes) -> str | None:
    """The value of a header; None if the header is missing.

    Raises:
        ServiceError: `bad_request`: the header came more than once.
    """
    found = [value for key, value in headers if key == name]
    if len(found) > 1:
        raise ServiceError("bad_request", f"the header {name.decode().title()} came {len(found)} times; send it once")
    return found[0].decode("latin-1") if found else None


def _token(headers: Headers) -> bytes:
    """The bearer token in the header or in a subprotocol; empty if the request has none."""
    kind, _, given = (_single(headers, b"authorization") or "").partition(" ")
    if kind.lower() == "bearer":
        return given.strip().encode("latin-1")
    for offered in b",".join(value for key, value in headers if key == b"sec-websocket-protocol").split(b","):
        name = offered.strip().decode("latin-1")
        if name.startswith(BEARER_SUBPROTOCOL):
            encoded = name.removeprefix(BEARER_SUBPROTOCOL)
            try:
                return base64.b64decode(encoded + "=" * (-len(encoded) % 4), b"-_", validate=True)
            except ValueError:
                return b""
    return b""
