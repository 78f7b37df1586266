"""The markers of a JPEG: they say whether the picture is complete, and bound a decoder's work."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

START: Final = b"\xff\xd8"
END: Final = b"\xff\xd9"

_MARKER: Final = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])", re.DOTALL)
MOST_SEGMENTS: Final = 20_000
"""Most segments of a JPEG that are walked through; with segments of 64 kB, enough for a file of a gigabyte."""
_ALL_COEFFICIENTS: Final = (1 << 64) - 1


class JpegError(ValueError):
    """A JPEG with more markers than any camera or program writes."""


class TooManyScansError(JpegError):
    """A JPEG with so many scans that decoding costs far more than its pixels."""


@dataclass(frozen=True, slots=True)
class JpegLayout:
    """Facts that the markers of a JPEG tell (ITU-T T.81, annex B).

    Attributes:
        scans: number of passes over the picture.
        complete: true if the scans hold every bit of every coefficient, provided that the last scan is whole.
        ended: true if the end marker is there.
    """

    scans: int
    complete: bool
    ended: bool

    @classmethod
    def of(cls, content: bytes, most_scans: int) -> "JpegLayout":
        """Walks through the markers of a file that begins with `START`.

        Raises:
            TooManyScansError: more than `most_scans` scans.
            JpegError: more than `MOST_SEGMENTS` segments.
        """
        scans, ended = 0, False
        missing: dict[int, int] = {}  # coefficients to come, as bits, by component
        for marker, segment in _segments(content):
            if marker == 0xD9:
                ended = scans > 0
                break
            if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # SOF: the components
                missing = dict.fromkeys(segment[6::3], _ALL_COEFFICIENTS)
            if marker == 0xDA and segment:  # SOS: components, first and last coefficient, bits
                scans += 1
                if scans > most_scans:
                    raise TooManyScansError(f"the JPEG has more than {most_scans} scans; save it anew")
                parts, spectrum = segment[1 : 1 + 2 * segment[0] : 2], segment[1 + 2 * segment[0] :]
                if len(spectrum) == 3 and not spectrum[2] & 15:  # the lowest bit
                    seen = _ALL_COEFFICIENTS >> (63 - min(spectrum[1], 63)) & _ALL_COEFFICIENTS << min(spectrum[0], 63)
                    for part in parts:
                        missing[part] = missing.get(part, 0) & ~seen
        return cls(scans, bool(missing) and not any(missing.values()), ended)


def _segments(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Yields each marker with the content of its segment; compressed data of scans is passed over.

    Raises:
        JpegError: more than `MOST_SEGMENTS` segments.
    """
    place = len(START)
    for _ in range(MOST_SEGMENTS):
        found = _MARKER.search(content, place)
        if found is None:
            return
        marker, place = found[1][0], found.end()
        if marker in (0x01, 0xD8, 0xD9):
            yield marker, b""
            continue
        length = int.from_bytes(content[place : place + 2], "big")
        yield marker, content[place + 2 : place + length]
        place += max(length, 2)
    raise JpegError(f"the JPEG has more than {MOST_SEGMENTS} segments; save it anew")
