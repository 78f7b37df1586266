import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.errors import ServiceError
from server.process.load import LoopLoad
from server.settings import Settings
from server.stream.admission import Admission

MOST, OF_ONE = 5, 3


def _admission() -> tuple[Admission, LoopLoad]:
    load = LoopLoad(1.0, 0.6)
    return Admission(Settings(max_streams=MOST, max_streams_per_address=OF_ONE).limits, load), load


@given(st.lists(st.tuples(st.booleans(), st.sampled_from("abc"))))
def test_never_more_than_allowed_and_never_fewer(steps: list[tuple[bool, str]]) -> None:
    """Whoever comes and goes in whatever order."""
    admission, _ = _admission()
    inside: list[str] = []
    for comes, address in steps:
        if not comes:
            if address in inside:
                inside.remove(address)
                admission.release(address)
            continue
        room = len(inside) < MOST and inside.count(address) < OF_ONE
        if room:
            admission.admit(address)
            inside.append(address)
        else:
            with pytest.raises(ServiceError) as caught:
                admission.admit(address)
            assert caught.value.code == ("server_full" if len(inside) == MOST else "address_full")
        assert admission.streams == len(inside)
        assert admission.open == (len(inside) < MOST)


def test_nobody_is_admitted_while_the_service_is_busy_or_stops() -> None:
    admission, load = _admission()
    load.busy_share = 0.61
    with pytest.raises(ServiceError) as caught:
        admission.admit("a")
    assert caught.value.code == "server_busy"
    load.busy_share = 0.6
    admission.admit("a")
    admission.draining = True
    with pytest.raises(ServiceError) as caught:
        admission.admit("a")
    assert caught.value.code == "draining"
    assert not admission.open
