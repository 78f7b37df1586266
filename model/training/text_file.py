"""Text files as people and their programs write them."""

import codecs
from pathlib import Path


def read_text(path: Path) -> str:
    """The text of a file: UTF-8 whatever the locale, UTF-16 where a byte order mark says so; line ends as they are.

    Bytes that are not UTF-8, as file names may hold them, come as surrogates, and go out by the same error handler.

    Raises:
        OSError: it can't be read.
    """
    return decoded(path.read_bytes())


def decoded(content: bytes) -> str:
    """The text of a file's content, see `read_text`."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", "replace")
    return content.decode("utf-8-sig", "surrogateescape")
