"""What every command says in the same way."""

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from rich.console import Console

console = Console()


def fail(message: object) -> NoReturn:
    """One line on standard error, exit status 2."""
    print(f"rascanet: {message}", file=sys.stderr)
    raise SystemExit(2)


def need_torch() -> None:
    """Fails where torch isn't installed."""
    if importlib.util.find_spec("torch") is None:
        fail("this command needs torch; install the extra 'train': .venv/bin/pip install torch==2.13.0")


@contextmanager
def failing_on(*errors: type[Exception]) -> Iterator[None]:
    """Turns errors that the user can mend into `fail`."""
    try:
        yield
    except errors as error:
        fail(error)
