"""Places for connections: bounded in all and for each client, with a few kept for health checks."""

from collections import Counter
from enum import StrEnum
from typing import Final

from server.connections.addresses import Proxies, shared_by

RESERVE: Final = 8
"""Places beyond `max_connections`, for health checks; other requests there are answered with 503."""


class Place(StrEnum):
    """Kind of place that a connection got."""

    ORDINARY = "ordinary"
    RESERVED = "reserved"
    NONE_LEFT = "max_connections"
    TOO_MANY_OF_CLIENT = "max_connections_per_address"


class Places:
    """Counts the connections.

    Args:
        most: most connections in all, beside the reserve.
        most_per_client: most connections of one client; a trusted proxy has no such bound.
        proxies: the trusted proxies.
    """

    def __init__(self, most: int, most_per_client: int, proxies: Proxies) -> None:
        self._most, self._most_per_client, self._proxies = most, most_per_client, proxies
        self._of_client: Counter[str] = Counter()
        self.taken = 0

    def take(self, address: str) -> Place:
        """Counts a connection in, if there is a place for it; the caller must then call `release` in the end."""
        client = shared_by(address)
        if self.taken >= self._most + RESERVE:
            return Place.NONE_LEFT
        if self._of_client[client] >= self._most_per_client and not self._proxies.trusts(address):
            return Place.TOO_MANY_OF_CLIENT
        place = Place.ORDINARY if self.taken < self._most else Place.RESERVED
        self.taken += 1
        self._of_client[client] += 1
        return place

    def release(self, address: str) -> None:
        """Counts a connection out."""
        client = shared_by(address)
        self.taken -= 1
        self._of_client[client] -= 1
        if not self._of_client[client]:
            del self._of_client[client]
