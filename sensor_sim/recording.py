"""Recordings: files of the bursts that a sensor emitted, checked, and sent again bit for bit.

docs/sensor.md describes the format, record by record.
"""

import json
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, Self

from sensor_sim.burst import PixelFormat, Rows, SensorGeometry
from sensor_sim.readout import ReadoutTiming
from sensor_sim.wire import WireError, decode_rows, encode_rows

MAGIC: Final = b"RSCNREC1"
MAX_RECORD_BYTES: Final = 2**24
_HEAD: Final = struct.Struct("<BI")
_CRC: Final = struct.Struct("<I")
_FRAME: Final = struct.Struct("<Id")
_END: Final = struct.Struct("<I")
_HEADER_KIND, _FRAME_KIND, _ROWS_KIND, _END_KIND = 1, 2, 3, 4


class RecordingError(ValueError):
    """A file that is not a whole, unaltered recording; the message names the place of the first fault."""


@dataclass(frozen=True, slots=True, eq=False)
class RecordedFrame:
    """One frame as it was emitted.

    Attributes:
        frame_id: number of the frame in the recording.
        start_us: start of the readout, us since the stream began.
        bursts: all bursts of the frame, in order.
    """

    frame_id: int
    start_us: float
    bursts: tuple[Rows, ...]

    def read(self, frame_id: int, start_us: float) -> Iterator[Rows]:
        """A `Reader` that yields the recorded bursts and ignores its arguments."""
        return iter(self.bursts)


class Recorder:
    """Writes a recording. Used as a context manager, which ends the file unless an error comes up.

    Args:
        path: file to write.
        geometry: rows and columns of the sensor that is recorded.
        timing: when the sensor reads which row.
        config: facts on how the rows came about, ready for JSON.

    Raises:
        OSError: the file can't be written.
    """

    def __init__(
        self, path: Path, geometry: SensorGeometry, timing: ReadoutTiming, config: Mapping[str, Any] | None = None
    ) -> None:
        header = {"geometry": asdict(geometry), "timing": asdict(timing), "config": dict(config or {})}
        self._file: BinaryIO = path.open("wb")
        self._crc = 0
        self._frames = 0
        self._file.write(MAGIC)
        self._write(_HEADER_KIND, json.dumps(header).encode())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._write(_END_KIND, _END.pack(self._frames))
        self._file.close()

    def write_frame(self, start_us: float, bursts: Iterator[Rows]) -> int:
        """Writes one frame, numbered after the last one; returns the bytes of the frame's pixels."""
        self._write(_FRAME_KIND, _FRAME.pack(self._frames, start_us))
        pixels = 0
        for burst in bursts:
            self._write(_ROWS_KIND, encode_rows(burst))
            pixels += burst.rows.size
        self._frames += 1
        return pixels

    def _write(self, kind: int, content: bytes) -> None:
        head = _HEAD.pack(kind, len(content))
        self._crc = zlib.crc32(content, zlib.crc32(head, self._crc))
        self._file.write(head + content + _CRC.pack(self._crc))


class Recording:
    """Reads a recording; the header at once, the frames when they are asked for.

    Args:
        path: the file.

    Attributes:
        geometry, timing, config: as given to the `Recorder`.

    Raises:
        RecordingError: no such file, or no recording.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            kind, content, _ = next(self._records())
            header = json.loads(content) if kind == _HEADER_KIND else None
            if not isinstance(header, dict):
                raise ValueError("no header")
            geometry = header["geometry"]
            pixel_format = PixelFormat(geometry.pop("pixel_format"))
            self.geometry = SensorGeometry(**geometry, pixel_format=pixel_format)
            self.timing = ReadoutTiming(**header["timing"])
            self.config: dict[str, Any] = header["config"]
        except RecordingError:
            raise
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise RecordingError(f"{path}: record 0 is not the header of a recording ({error})") from error

    def check(self) -> int:
        """Reads the whole file and returns the number of frames.

        Raises:
            RecordingError: the file is truncated or altered.
        """
        return sum(1 for _ in self.frames())

    def frames(self) -> Iterator[RecordedFrame]:
        """Yields the frames one after the other; only one is in memory.

        Raises:
            RecordingError: the file is truncated or altered; raised when the fault's place is reached.
        """
        records = self._records()
        next(records)
        start: tuple[int, float] | None = None
        bursts: list[Rows] = []
        frames = 0
        for kind, content, place in chain(records, [(0, b"", "")]):
            if kind != _ROWS_KIND and start is not None:
                if len(bursts) != self.geometry.bursts_per_frame:
                    raise RecordingError(f"{self._path}: frame {start[0]} has {len(bursts)} bursts before {place}")
                yield RecordedFrame(*start, tuple(bursts))
                start, bursts, frames = None, [], frames + 1
            if kind == _FRAME_KIND and len(content) == _FRAME.size:
                start = _FRAME.unpack(content)
                if start[0] != frames:
                    raise RecordingError(f"{self._path}: {place} starts frame {start[0]}, frame {frames} is next")
            elif kind == _ROWS_KIND and start is not None:
                bursts.append(self._burst(content, start[0], len(bursts), place))
            elif kind == _END_KIND and content == _END.pack(frames):
                continue
            elif kind:
                raise RecordingError(f"{self._path}: {place} is out of place")

    def _burst(self, content: bytes, frame_id: int, burst_index: int, place: str) -> Rows:
        try:
            rows = decode_rows(content)
        except WireError as error:
            raise RecordingError(f"{self._path}: {place}: {error}") from error
        geometry = self.geometry
        found = (rows.frame_id, rows.first_burst, rows.bursts, rows.pixel_format, rows.rows.size)
        if found != (frame_id, burst_index, 1, geometry.pixel_format, geometry.burst_bytes):
            raise RecordingError(f"{self._path}: {place} is not burst {burst_index} of frame {frame_id}")
        return rows

    def _records(self) -> Iterator[tuple[int, bytes, str]]:
        """Yields kind, content and place (in words) of each record up to the end; checks each checksum."""
        try:
            file = self._path.open("rb")
        except OSError as error:
            raise RecordingError(f"{self._path}: {error.strerror or error}") from None
        with file:
            if file.read(len(MAGIC)) != MAGIC:
                raise RecordingError(f"{self._path}: not a recording; it does not begin with {MAGIC.decode()}")
            crc, number = 0, 0
            while True:
                place = f"record {number} at byte {file.tell()}"
                head = file.read(_HEAD.size)
                kind, length = _HEAD.unpack(head) if len(head) == _HEAD.size else (0, 0)
                if length > MAX_RECORD_BYTES:
                    raise RecordingError(f"{self._path}: {place} is altered: {length} bytes are too many for a record")
                content, found = file.read(length), file.read(_CRC.size)
                if len(head) < _HEAD.size or len(content) < length or len(found) < _CRC.size:
                    raise RecordingError(f"{self._path}: the file is truncated in {place}")
                crc = zlib.crc32(content, zlib.crc32(head, crc))
                if found != _CRC.pack(crc):
                    raise RecordingError(f"{self._path}: {place} is altered: its checksum is wrong")
                yield kind, content, place
                number += 1
                if kind == _END_KIND:
                    break
            if file.read(1):
                raise RecordingError(f"{self._path}: there is more after the end, at byte {file.tell() - 1}")
