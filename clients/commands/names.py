"""Names of files in every output: shown, written and read back. The one place that knows how.

A file's name may hold anything but a zero byte: escape sequences, line ends, markup, bytes that are no UTF-8. Python
carries such bytes as lone surrogates (PEP 383). Files of text are UTF-8 whatever the locale, and keep these bytes.
"""

import os
import unicodedata
from pathlib import Path
from typing import IO, Final

ENCODING: Final = "utf-8"
ERRORS: Final = "surrogateescape"
FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "'")
"""First characters of a cell that a spreadsheet may run as a formula, and the mark that keeps it from doing so."""
_HIDDEN: Final = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
"""Unicode categories that move the cursor, break a line, turn the direction of writing or have no sign of their own."""


def shown(text: object) -> str:
    """Returns text that is safe on a terminal and in a line: hidden and control characters are written as escapes."""
    return "".join(
        _escaped(character) if unicodedata.category(character) in _HIDDEN else character for character in str(text)
    )


def _escaped(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is no UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def canonical(name: str) -> str:
    """Returns a file's name as every locale writes it: UTF-8, other bytes as lone surrogates.

    Where the locale is no UTF-8, Python carries the same bytes as other characters.
    """
    return os.fsencode(name).decode(ENCODING, ERRORS)


def cell(text: str) -> str:
    """Returns text as a cell of CSV that no spreadsheet takes for a formula; `uncelled` reverses it."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def uncelled(text: str) -> str:
    """Returns the text that `cell` wrote."""
    return text[1:] if text.startswith("'") else text


def open_text(path: Path, mode: str = "r") -> IO[str]:
    """Opens a file of text: UTF-8, line ends as they are, names as the file system has them.

    Args:
        path: the file.
        mode: `r`, `w`, `a` or `x`.

    Raises:
        OSError: as `open` does.
    """
    return path.open(mode, encoding=ENCODING, errors=ERRORS, newline="")
