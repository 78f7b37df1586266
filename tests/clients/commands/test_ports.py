import socket

from clients.commands.ports import OFFERED, free_port, is_free


def test_a_free_port_is_one_that_no_other_program_gets_by_itself() -> None:
    ports = [free_port() for _ in range(20)]
    assert all(port in OFFERED and is_free(port) for port in ports)
    assert len(set(ports)) > 1, "another caller hardly gets the same one"


def test_a_port_with_a_listener_is_not_free() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", free_port()))
        listener.listen()
        assert not is_free(listener.getsockname()[1])
