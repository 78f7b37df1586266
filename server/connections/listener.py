"""Listener: accepts connections, counts them, then secures them, then makes their protocol.

`loop.create_server` would make the protocol after the TLS handshake, so connections that never finish the handshake
would be counted nowhere.
"""

import asyncio
import contextlib
import errno
import logging
import os
import socket
import ssl
import struct
from collections.abc import Callable
from typing import Any, Final

from server.connections.http_connection import HttpConnection

log = logging.getLogger(__name__)

ACCEPTED_A_TURN: Final = 16
"""Connections accepted in one turn of the event loop; workers share the connections of a socket."""
SCARCE: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
SCARCE_S: Final = 0.5
"""Pause after the system had no descriptor or memory for a connection."""
RESET: Final = struct.pack("ii", 1, 0)


class ListenError(ValueError):
    """An address that cannot be listened on; the message says why, and ends with an option that may help.

    Attributes:
        remedy: the option's setting, and its value.
    """

    def __init__(self, message: str, setting: str, value: str) -> None:
        super().__init__(f"{message}, such as --{setting} {value}")
        self.remedy = setting, value


class Listener:
    """One listening socket on the running loop.

    Args:
        listening: a listening socket, non-blocking.
        make: makes the protocol of a new connection.
        tls: TLS context of the connections; None: no TLS.
        handshake_s, send_s: longest time of the handshake and of the end of TLS.
    """

    def __init__(
        self,
        listening: socket.socket,
        make: Callable[[], HttpConnection],
        tls: ssl.SSLContext | None,
        handshake_s: float,
        send_s: float,
    ) -> None:
        self._socket, self._make, self._tls = listening, make, tls
        # The loop's own timer is for a registry that sweeps no more; the connection's state ends first.
        self._times: dict[str, Any] = (
            {}
            if tls is None
            else {"ssl": tls, "ssl_handshake_timeout": 2 * handshake_s, "ssl_shutdown_timeout": send_s}
        )
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._pausing: asyncio.TimerHandle | None = None
        self._listen()

    def close(self) -> None:
        """Stops accepting, and gives up handshakes under way."""
        if self._pausing is not None:
            self._pausing.cancel()
        self._loop.remove_reader(self._socket)
        self._socket.close()
        for task in self._tasks:
            task.cancel()

    def _listen(self) -> None:
        self._pausing = None
        self._loop.add_reader(self._socket, self._accept)

    def _accept(self) -> None:
        for _ in range(ACCEPTED_A_TURN):
            try:
                client, address = self._socket.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in SCARCE:
                    raise
                log.error("no connection can be accepted for now: %s", error.strerror)
                self._loop.remove_reader(self._socket)
                self._pausing = self._loop.call_later(SCARCE_S, self._listen)
                return
            connection = self._make()
            if connection.admit(str(address[0])):
                client.setblocking(False)
                task = self._loop.create_task(self._connect(connection, client))
                connection.securing(task)
                task.add_done_callback(self._tasks.discard)
                self._tasks.add(task)
            else:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                client.close()

    async def _connect(self, connection: HttpConnection, client: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(lambda: connection, client, **self._times)
        except (OSError, asyncio.CancelledError):
            client.close()
            connection.connection_lost(None)


def listening_sockets(host: str, port: int, backlog: int = 2048) -> list[socket.socket]:
    """Opens sockets that listen on every address of a host name, on the same port.

    Raises:
        ListenError: an address that is taken, forbidden or not this machine's, or a name without an address.
    """
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        with contextlib.ExitStack() as undo:
            sockets: list[socket.socket] = []
            for family, _, _, _, address in dict.fromkeys(found):
                own = (address[0], sockets[0].getsockname()[1], *address[2:]) if sockets and not port else address
                listening = socket.create_server(own, family=family, backlog=backlog)
                undo.callback(listening.close)
                listening.setblocking(False)
                sockets.append(listening)
            undo.pop_all()
            return sockets
    except (OSError, UnicodeError) as error:  # a host name may be none
        number = getattr(error, "errno", None) or 0
        why = os.strerror(number) if number > 0 else str(error)  # a name that has no address: below 0
        fault = f"cannot listen on {host} port {port}: {why}"
        other_port = "9001" if port == 9000 else "9000"
        if number == errno.EADDRINUSE:
            remedy = ListenError(
                f"{fault}; end the program that listens there, or give another port", "port", other_port
            )
        elif number in (errno.EACCES, errno.EPERM):
            remedy = ListenError(f"{fault}; give a port from 1024 on", "port", other_port)
        else:
            remedy = ListenError(f"{fault}; give an address that this machine has", "host", "127.0.0.1")
        raise remedy from None
