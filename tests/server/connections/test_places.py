from hypothesis import given
from hypothesis import strategies as st

from server.connections.addresses import Proxies
from server.connections.places import RESERVE, Place, Places

GIVEN = (Place.ORDINARY, Place.RESERVED)


@given(
    st.lists(st.tuples(st.booleans(), st.sampled_from(["192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2"]))),
    st.integers(1, 6),
    st.integers(1, 4),
)
def test_no_client_has_more_than_its_share_and_all_together_no_more_than_there_are(
    events: list[tuple[bool, str]], most: int, most_per_client: int
) -> None:
    places, held = Places(most, most_per_client, Proxies([])), list[str]()
    for comes, address in events:
        if comes:
            if places.take(address) in GIVEN:
                held.append(address)
        elif address in held:
            held.remove(address)
            places.release(address)
        of_v6 = [each for each in held if ":" in each]  # two addresses of one /64
        assert places.taken == len(held) <= most + RESERVE
        assert max(held.count("192.0.2.1"), held.count("192.0.2.2"), len(of_v6)) <= most_per_client


def test_one_client_that_takes_all_it_can_leaves_room_for_others() -> None:
    places = Places(10, 5, Proxies([]))
    found = [places.take("192.0.2.1") for _ in range(20)]
    assert found.count(Place.ORDINARY) == 5
    assert found.count(Place.TOO_MANY_OF_CLIENT) == 15
    assert places.take("192.0.2.2") is Place.ORDINARY


def test_a_trusted_proxy_speaks_for_many_clients() -> None:
    places = Places(10, 2, Proxies(["10.0.0.0/8"]))
    assert [places.take("10.1.2.3") for _ in range(4)] == [Place.ORDINARY] * 4
    assert [places.take("11.1.2.3") for _ in range(3)][-1] is Place.TOO_MANY_OF_CLIENT


def test_the_reserve_comes_last_and_ends_too() -> None:
    places = Places(3, 100, Proxies([]))
    found = [places.take(f"192.0.2.{number}") for number in range(3 + RESERVE + 1)]
    assert found == [Place.ORDINARY] * 3 + [Place.RESERVED] * RESERVE + [Place.NONE_LEFT]
