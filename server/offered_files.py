"""Files that the service offers: under which names, and whether each can be offered.

A kind is told by the first bytes, without a decoder: settings are read where no decoder is wanted.
"""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

Kind = Literal["picture", "recording"]

HEAD_BYTES: Final = 16
"""First bytes of a file, in which every format can be told."""
PICTURES: Final = {
    "JPEG": re.compile(rb"\xff\xd8\xff"),
    "PNG": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "WEBP": re.compile(rb"RIFF.{4}WEBPVP8[ LX]", re.DOTALL),
    "AVIF": re.compile(rb".{4}ftyp(avi[fs]|m[is]f1)", re.DOTALL),
    "TIFF": re.compile(rb"MM\x00[*+]|II[*+]\x00|MM\*\x00|II\x00\*"),
    "BMP": re.compile(rb"BM"),
    "GIF": re.compile(rb"GIF8[79]a"),
}
"""First bytes of the formats that `model.picture` reads, as its decoders look for them."""
RECORDING: Final = b"RSCNREC1"
"""First bytes of a recording (docs/sensor.md)."""
_EXPECTED: Final[dict[Kind, str]] = {
    "picture": f"a picture in one of the formats {', '.join(PICTURES)}",
    "recording": f"a recording, which begins with {RECORDING.decode()} (`rascanet record` makes one)",
}


def served_name(path: Path) -> str:
    """The name under which a file is served: that of the file, with a mark for every byte that is no UTF-8."""
    return os.fsencode(path.name).decode(errors="replace")


def is_readable(path: Path) -> bool:
    """True if a path is a regular file that this process may read."""
    return path.is_file() and os.access(path, os.R_OK)


def found_in(head: bytes) -> tuple[Kind | None, str]:
    """The kind of the file that begins with `HEAD_BYTES` such bytes, None for any other; and the same in words."""
    if head.startswith(RECORDING):
        return "recording", "a recording"
    for name, first in PICTURES.items():
        if first.match(head):
            return "picture", f"a {name} picture"
    return None, f"a file that begins with {head[:8]!r}" if head else "an empty file"


def check_files(paths: Sequence[Path], kind: Kind) -> None:
    """Checks that files can be served, each under a name of its own, and that each begins as its kind does.

    Raises:
        ValueError: a file that can't be, or one of another kind.
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
        try:
            with path.open("rb", buffering=0) as file:
                found, in_words = found_in(file.read(HEAD_BYTES))
        except OSError as error:
            raise ValueError(f"{str(path)!r} can't be read: {error.strerror or error}") from None
        if found != kind:
            raise ValueError(f"{str(path)!r} is {in_words}; expected {_EXPECTED[kind]}")
