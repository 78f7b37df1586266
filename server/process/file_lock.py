"""A lock on a file, for one process at a time; the system lets it go with the process, however that ends."""

import logging
import sys
from typing import IO, Any

log = logging.getLogger(__name__)


def lock(file: IO[Any]) -> bool:
    """Locks an open file until it is closed; returns False where another process has it.

    A file system without locks, and Windows, lock nothing.
    """
    if sys.platform == "win32":
        return True
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        log.debug("%s can't be locked (%s)", file.name, error)
    return True
