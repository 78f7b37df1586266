"""Loopback ports."""

import socket
from random import SystemRandom
from typing import Final

OFFERED: Final = range(20_000, 32_000)
"""Ports that systems give neither to outgoing connections nor to those who bind port 0."""


def is_free(port: int) -> bool:
    """True if no process listens on a loopback port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def free_port() -> int:
    """Returns a loopback port on which no process listens, drawn at random: another caller hardly gets the same one."""
    draw = SystemRandom()
    while not is_free(port := draw.choice(OFFERED)):
        pass
    return port
