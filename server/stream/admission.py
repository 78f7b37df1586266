"""Admission of streams: bounded in all, by address, by load, and closed while the service stops.

Places for connections, of streams and requests alike, are `server.connections.places`; turns of requests are
`server.process.request_pool`.
"""

from collections import Counter

from server.errors import ServiceError, draining
from server.process.load import LoopLoad
from server.settings import Limits


class Admission:
    """Counts open streams.

    Attributes:
        draining: true once the service stops.
    """

    def __init__(self, limits: Limits, load: LoopLoad) -> None:
        self._limits, self._load = limits, load
        self._of_address: Counter[str] = Counter()
        self.streams = 0
        self.draining = False

    @property
    def open(self) -> bool:
        """True if a stream from an address without other streams would be admitted."""
        return self.refusal() is None

    def refusal(self) -> ServiceError | None:
        """The refusal of every stream (`draining`, `server_full`, `server_busy`); None while some are admitted."""
        if self.draining:
            return draining()
        if self.streams >= self._limits.max_streams:
            return ServiceError("server_full", f"all {self._limits.max_streams} streams are taken; try again later")
        if self._load.busy:
            return ServiceError("server_busy", "the service has as much work as it can do in time; try again later")
        return None

    def admit(self, address: str) -> None:
        """Counts a stream in.

        Raises:
            ServiceError: as `refusal`, or `address_full`.
        """
        if refusal := self.refusal():
            raise refusal
        most = self._limits.max_streams_per_address
        if self._of_address[address] >= most:
            raise ServiceError("address_full", f"all {most} streams of one address are taken")
        self.streams += 1
        self._of_address[address] += 1

    def release(self, address: str) -> None:
        """Counts a stream out."""
        self.streams -= 1
        self._of_address[address] -= 1
        if not self._of_address[address]:
            del self._of_address[address]
