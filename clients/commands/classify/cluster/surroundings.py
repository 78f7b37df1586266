"""Environment variables that Ray reads as it is imported; so this module comes before every other that imports it."""

import os
import secrets
from typing import Final

USAGE: Final = "RAY_USAGE_STATS_ENABLED"
"""Whether Ray reports how it is used."""
CLUSTER: Final = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
"""Whether a node can be one of a cluster. Where it can't, as on Windows and macOS unless told so, all of Ray listens on
the loopback address alone; Linux takes the variable too."""
AUTHENTICATION: Final = "RAY_AUTH_MODE"
TOKEN: Final = "RAY_AUTH_TOKEN"  # noqa: S105 - a name
"""What every process of a cluster must know; without the variable Ray would keep one in the home folder."""
LOG_LEVEL: Final = "RAY_BACKEND_LOG_LEVEL"
"""What Ray's processes say on standard error, where the command tells errors itself; their log files have the rest."""


def prepare(address: str | None) -> None:
    """Sets what the user has not set: no report of usage, and a Ray on this machine that nobody else can use.

    Args:
        address: of the cluster that is joined; None where one is started.
    """
    os.environ.setdefault(USAGE, "0")
    os.environ.setdefault(LOG_LEVEL, "fatal")
    if address is None:
        os.environ.setdefault(CLUSTER, "0")
        if AUTHENTICATION not in os.environ:
            os.environ[AUTHENTICATION] = "token"
            os.environ.setdefault(TOKEN, secrets.token_hex(32))
