"""Room for descriptors: a connection takes one, and systems begin with fewer than a service may need."""

import logging
import sys
from typing import Final

log = logging.getLogger(__name__)

OWN: Final = 128
"""Descriptors beside those of connections: files, pipes, threads' own."""


def make_room(connections: int) -> None:
    """Raises the limit on this process's open files so that `connections` connections fit, if the system allows it."""
    if sys.platform == "win32":
        return
    import resource

    needed = connections + OWN
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    most = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    if most < needed:
        log.warning("this process may open %d files, too few for max_connections %d", most, connections)
