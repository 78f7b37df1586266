"""Remarks on files left out or repaired, on standard error."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from clients.commands.console import say

if TYPE_CHECKING:
    from model.training.dataset import Remark

SHOWN: Final = 20
"""Remarks that are named; the others are counted."""


def tell_remarks(remarks: "Sequence[Remark]", file: Path | None = None) -> None:
    """Names what was left out or repaired: the first ones, and where all of them are."""
    for remark in remarks[:SHOWN]:
        say(remark)
    if len(remarks) > SHOWN:
        say(f"and {len(remarks) - SHOWN} more{f', all of them in {file}' if file else ''}")
