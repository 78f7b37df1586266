"""Sentences about a name that nothing has: the nearest name that there is, and all of them."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

QUOTED_CHARACTERS: Final = 40
LEAST_SIMILARITY: Final = 0.65
"""Share of the letters that agree (`difflib.SequenceMatcher.ratio`); with less, another word is meant."""


def no_such(kind: str, name: str, known: Iterable[str]) -> str:
    """Returns the sentence that a name is none of those known, with the most similar one where one is similar.

    Args:
        kind: noun for what is named, such as `preset`.
        name: the name that was given.
        known: the names that there are.
    """
    names = list(known)
    nearest = get_close_matches(name[:QUOTED_CHARACTERS], names, 1, LEAST_SIMILARITY)
    said = f"there is no {kind} {name[:QUOTED_CHARACTERS]!r}"
    if nearest:
        return f"{said}; did you mean {nearest[0]!r}? There is {', '.join(names)}"
    return f"{said}; there is {', '.join(names)}"
