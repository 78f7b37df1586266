"""Waits for states, however long a busy machine takes; a state that never comes fails the test."""

import time
from collections.abc import Callable
from typing import Final

LONGEST_S: Final = 60.0
LOOK_S: Final = 0.01


def until(holds: Callable[[], object], complaint: str = "it never came") -> None:
    """Returns once it holds."""
    deadline = time.monotonic() + LONGEST_S
    while not holds():
        assert time.monotonic() < deadline, complaint
        time.sleep(LOOK_S)
