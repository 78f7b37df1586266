import asyncio
import errno
import os
import socket
from collections.abc import Callable

import pytest

from server.connections import listener
from server.connections.listener import Listener, ListenError, listening_sockets
from server.connections.states import State
from server.settings import Settings
from tests.server.connections.connected import Client, hello, settle


def test_a_name_is_listened_on_at_all_its_addresses_on_one_port() -> None:
    sockets = listening_sockets("localhost", 0)
    try:
        assert len({each.getsockname()[1] for each in sockets}) == 1
        assert len({each.family for each in sockets}) == len(sockets)
        assert not any(each.getblocking() for each in sockets)
    finally:
        for each in sockets:
            each.close()


@pytest.mark.parametrize("host", ["203.0.113.1", "no such host", "a" * 300])
def test_an_address_that_cannot_be_listened_on_is_named(host: str) -> None:
    with pytest.raises(ListenError, match=f"cannot listen on {host}"):
        listening_sockets(host, 0)


def test_a_port_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ListenError, match=f"port {port}: Address already in use; .* such as --port 9000$"):
            listening_sockets("127.0.0.1", port)


@pytest.mark.parametrize(
    ("number", "says", "remedy"),
    [
        (errno.EADDRINUSE, "end the program that listens there", ("port", "9001")),
        (errno.EACCES, "a port from 1024 on", ("port", "9001")),
        (errno.EADDRNOTAVAIL, "an address that this machine has", ("host", "127.0.0.1")),
    ],
)
def test_the_remedy_is_an_option_that_was_not_given(
    number: int, says: str, remedy: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_address: object, **_options: object) -> socket.socket:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(socket, "create_server", refuse)
    with pytest.raises(ListenError, match=says) as refused:
        listening_sockets("127.0.0.1", 9000)
    assert refused.value.remedy == remedy
    assert str(refused.value).endswith(f"--{remedy[0]} {remedy[1]}")


class _Scarce(socket.socket):
    """A socket that listens on a system which is short of descriptors a number of times."""

    times = 1

    def accept(self) -> tuple[socket.socket, object]:
        if self.times:
            self.times -= 1
            raise OSError(errno.EMFILE, "Too many open files")
        return super().accept()


def test_a_system_short_of_descriptors_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "SCARCE_S", 0.0)

    async def steps() -> None:
        client = Client(hello, Settings(), admitted=False)
        with _Scarce() as listening:
            listening.bind(("127.0.0.1", 0))
            listening.listen()
            listening.setblocking(False)
            listens = Listener(listening, client.another, None, 1, 1)
            with socket.create_connection(listening.getsockname()):
                await _until(lambda: len(client.registry) == 1)
                assert listening.times == 0
            await _until(lambda: len(client.registry) == 0)
            listens.close()

    asyncio.run(steps())


def test_who_has_no_place_is_reset_and_who_has_is_counted_from_the_first_moment() -> None:
    async def steps() -> None:
        client = Client(hello, Settings(max_connections_per_address=2), admitted=False)
        (listening,) = listening_sockets("127.0.0.1", 0)
        states: list[State] = []

        def make() -> object:
            connection = client.another()
            made.append(connection)
            return connection

        made: list[object] = []
        listens = Listener(listening, make, None, 1, 1)  # type: ignore[arg-type]  # it is one
        with (
            socket.create_connection(listening.getsockname()),
            socket.create_connection(listening.getsockname()),
            socket.create_connection(listening.getsockname()) as third,
        ):
            await _until(lambda: len(made) == 3)
            states = [connection.life.state for connection in made]  # type: ignore[attr-defined]
            assert states[:2] == [State.TLS_HANDSHAKE, State.TLS_HANDSHAKE] or State.BEFORE_HEAD in states
            assert len(client.registry) == 2
            third.settimeout(10)
            with pytest.raises(ConnectionResetError):
                await asyncio.to_thread(third.recv, 1)
        await _until(lambda: len(client.registry) == 0)
        listens.close()

    asyncio.run(steps())


async def _until(holds: Callable[[], bool]) -> None:
    for _ in range(2000):
        if holds():
            return
        await settle()
    raise TimeoutError
