"""Text files in the encodings that people's programs write."""

import codecs
from pathlib import Path


def read_text(path: Path) -> str:
    """Reads a text: UTF-8 under any locale, UTF-16 where a byte order mark says so; line ends stay unchanged.

    Bytes that are not UTF-8, as in some file names, become surrogates; write them with the same error handler.

    Raises:
        OSError: the file can't be read.
    """
    return decoded(path.read_bytes())


def decoded(content: bytes) -> str:
    """The text of a file's content, see `read_text`."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", "replace")
    return content.decode("utf-8-sig", "surrogateescape")
