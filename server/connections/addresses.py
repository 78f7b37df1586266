"""Addresses of clients, behind trusted proxies too, and the names under which limits count clients."""

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

SHARED_BITS: Final = 64
"""Bits of an IPv6 network that counts as one client: a household or a machine has all its addresses (RFC 6177)."""

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Proxies:
    """The proxies whose `X-Forwarded-For` is believed.

    Args:
        trusted: addresses or networks (`10.0.0.0/8`), or names in the transport's spelling.

    Raises:
        ValueError: a network that has bits set below its prefix.
    """

    def __init__(self, trusted: Iterable[str]) -> None:
        trusted = frozenset(trusted)
        self._all = "*" in trusted
        self._names = trusted
        self._networks = tuple(
            ipaddress.ip_network(each) for each in trusted if "/" in each or _address(each) is not None
        )

    def client(self, peer: str, forwarded: Sequence[str]) -> str:
        """The address of the client behind a connection.

        Every proxy adds the address of its own client at the end. So the last address that is no trusted proxy's is the
        client's; addresses before it may be forged.

        Args:
            peer: address of the connection's other end.
            forwarded: values of `X-Forwarded-For`, in the order of the headers.
        """
        hops = [_without_port(hop.strip()) for value in forwarded for hop in value.split(",") if hop.strip()]
        client = peer
        while hops and self.trusts(client):
            client = hops.pop()
        return client

    def trusts(self, host: str) -> bool:
        """True if a host is a trusted proxy."""
        if self._all or host in self._names:
            return True
        address = _address(host)
        return address is not None and any(address in network for network in self._networks)


def check_proxies(trusted: Iterable[str]) -> None:
    """Checks that each proxy can be matched.

    Raises:
        ValueError: neither an address, nor a network, nor `*`.
    """
    for each in trusted:
        try:
            if each != "*":
                ipaddress.ip_network(each)
        except ValueError as error:
            expected = "expected an address, a network such as 10.0.0.0/8, or *"
            raise ValueError(f"{each[:80]!r} is no proxy that can be trusted; {expected} ({error})") from error


def shared_by(host: str) -> str:
    """The name under which limits count an address: an IPv4 address itself, the /64 network of an IPv6 address."""
    address = _address(host)
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((int(address), SHARED_BITS), strict=False))
    return host if address is None else str(address)


def client_of(scope: Mapping[str, Any]) -> str:
    """The name under which limits count the client of a request or upgrade (an ASGI scope)."""
    client = scope.get("client")
    return shared_by(client[0]) if client else ""


def _address(host: str) -> _Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _without_port(hop: str) -> str:
    """The host of `host`, `host:port`, `[host]` and `[host]:port`."""
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    host, _, port = hop.rpartition(":")
    return host if host and ":" not in host and port.isdigit() else hop
