"""Files that the service offers: under which names, and whether each can be offered."""

import os
from collections.abc import Sequence
from pathlib import Path


def served_name(path: Path) -> str:
    """The name under which a file is served: that of the file, with a mark for every byte that is no UTF-8."""
    return os.fsencode(path.name).decode(errors="replace")


def is_readable(path: Path) -> bool:
    """True if a path is a regular file that this process may read."""
    return path.is_file() and os.access(path, os.R_OK)


def check_files(paths: Sequence[Path]) -> None:
    """Checks that files can be served, each under a name of its own.

    Raises:
        ValueError: a file that can't be.
    """
    names: set[str] = set()
    for path in paths:
        name = served_name(path)
        if not is_readable(path):
            raise ValueError(f"{str(path)!r} is no file that can be read")
        if not name.isprintable() or "\\" in name:
            raise ValueError(f"{str(path)!r} has a name that no address can have; give the file another one")
        if name in names:
            raise ValueError(f"there are two files {name!r}; both would have one address")
        names.add(name)
