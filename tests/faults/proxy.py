"""A TCP proxy on loopback that treats connections badly, as toxiproxy does."""

import itertools
import socket
import struct
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

NEVER = 1 << 62


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to one connection.

    Attributes:
        kind: at the end: `cut` closes both ends, `reset` resets both, `half_close` ends what goes to the service and
            keeps the answers coming, `stall` passes nothing more and keeps both ends open.
        after_bytes: that go to the service before it.
        delay_s: of every piece, both ways.
        piece_bytes: largest piece that is passed on.
    """

    kind: Literal["cut", "reset", "half_close", "stall"] = "cut"
    after_bytes: int = NEVER
    delay_s: float = 0.0
    piece_bytes: int = 4096


class FaultyProxy:
    """Listens on `port` of the loopback; the n-th connection has the n-th fault, and so on from the first again.

    Attributes:
        service_port: where connections go; another one from the next on, if set.
    """

    def __init__(self, service_port: int, faults: Iterable[Fault] = (Fault(),)) -> None:
        self.service_port, self._faults = service_port, itertools.cycle(faults)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()
        for end in list(self._open):
            self._drop(end)

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self.service_port), timeout=10)
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            self._open |= {near, far}
            fault = next(self._faults)
            threading.Thread(target=self._upward, args=(near, far, fault), daemon=True).start()
            threading.Thread(target=self._downward, args=(far, near, fault), daemon=True).start()

    def _upward(self, near: socket.socket, far: socket.socket, fault: Fault) -> None:
        if self._pass(near, far, fault, fault.after_bytes) == "over":  # the other end left first
            self._drop(near, far)
        elif fault.kind == "half_close":
            with suppress(OSError):
                far.shutdown(socket.SHUT_WR)
        elif fault.kind != "stall":
            self._drop(near, far, reset=fault.kind == "reset")

    def _downward(self, far: socket.socket, near: socket.socket, fault: Fault) -> None:
        self._pass(far, near, fault, NEVER)
        self._drop(near, far)

    @staticmethod
    def _pass(source: socket.socket, sink: socket.socket, fault: Fault, left: int) -> str:
        with suppress(OSError):
            while left > 0 and (data := source.recv(min(fault.piece_bytes, left))):
                if fault.delay_s:
                    time.sleep(fault.delay_s)
                sink.sendall(data)
                left -= len(data)
        return "over" if left > 0 else "fault"

    def _drop(self, *ends: socket.socket, reset: bool = False) -> None:
        for end in ends:
            self._open.discard(end)
            with suppress(OSError):
                if reset:
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                else:
                    end.shutdown(socket.SHUT_RDWR)
            end.close()
