import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.connections.addresses import Proxies, shared_by

V4 = st.ip_addresses(v=4).map(str)
V6 = st.integers(0, 2**128 - 1).map(ipaddress.IPv6Address).filter(lambda address: address.ipv4_mapped is None)


@given(peer=V4, forwarded=st.lists(st.text(max_size=20)))
def test_nobody_is_believed_where_no_proxy_is_trusted(peer: str, forwarded: list[str]) -> None:
    assert Proxies([]).client(peer, forwarded) == peer


@given(client=V4.filter(lambda host: not host.startswith("10.")), lies=st.lists(V4), proxies=st.integers(0, 3))
def test_the_last_address_that_is_no_trusted_proxys_counts(client: str, lies: list[str], proxies: int) -> None:
    between = [f"10.0.0.{number}" for number in range(proxies)]
    assert Proxies(["10.0.0.0/8"]).client("10.1.1.1", [", ".join([*lies, client, *between])]) == client


@pytest.mark.parametrize(
    ("hop", "client"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("192.0.2.1:4711", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        (" , ", "127.0.0.1"),
        ("unknown", "unknown"),
    ],
)
def test_a_hop_in_every_spelling(hop: str, client: str) -> None:
    assert Proxies(["127.0.0.1"]).client("127.0.0.1", [hop]) == client


def test_the_header_may_come_in_parts() -> None:
    assert Proxies(["127.0.0.1", "::1"]).client("::1", ["192.0.2.9", "192.0.2.1,127.0.0.1"]) == "192.0.2.1"


def test_where_everybody_is_trusted_the_first_counts() -> None:
    assert Proxies(["*"]).client("10.0.0.1", ["192.0.2.1, 192.0.2.2"]) == "192.0.2.1"


@given(V6, st.integers(0, 2**64 - 1))
def test_a_network_of_64_bits_is_one_client(address: ipaddress.IPv6Address, host: int) -> None:
    neighbour = ipaddress.IPv6Address(int(address) >> 64 << 64 | host)
    if neighbour.ipv4_mapped is None:
        assert shared_by(str(address)) == shared_by(neighbour.exploded)
    assert shared_by(str(address)) != shared_by(str(ipaddress.IPv6Address(int(address) ^ 1 << 64)))


@given(V4)
def test_an_ipv4_address_is_one_client_in_either_spelling(address: str) -> None:
    assert shared_by(address) == shared_by(f"::ffff:{address}") == address


def test_whatever_is_no_address_counts_as_it_is() -> None:
    assert shared_by("unix:") == "unix:"
