"""Reader of pictures and options in a multipart form (RFC 7578), from bytes as they arrive. No I/O.

Browsers, command lines and libraries write forms in many ways. A part of the name `files` is a picture, whether it has
a file name (`filename`, or `filename*` as in RFC 8187) or none; every other part is an option.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote_to_bytes

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from server.errors import ServiceError

FILES: Final = "files"
MOST_FIELD_BYTES: Final = 4096
MOST_BOUNDARY_BYTES: Final = 200
"""RFC 2046 allows 70."""

_EXTENDED_NAME: Final = re.compile(r";\s*filename\*\s*=\s*(utf-8|iso-8859-1)'[^';]*'([^;\s]*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Upload:
    """A picture that was sent, and the name of its file; empty where it has none."""

    name: str
    content: bytes


@dataclass(slots=True)
class _Part:
    name: str = ""
    file_name: str | None = None
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    content: bytearray = field(default_factory=bytearray)

    @property
    def is_picture(self) -> bool:
        return self.name == FILES or self.file_name is not None


class FormReader:
    """Reads one form.

    Args:
        content_type: the request's header, which names the boundary.
        options: names of the known options.
        most_pictures: most pictures in the form.
        most_bytes: largest picture. Of a larger one, one byte more is kept, so that the decoder refuses it.

    Raises:
        ServiceError: `bad_request`: no boundary.
    """

    def __init__(self, content_type: str, options: Iterable[str], most_pictures: int, most_bytes: int) -> None:
        boundary = parse_options_header(content_type)[1].get(b"boundary", b"")
        if not 1 <= len(boundary) <= MOST_BOUNDARY_BYTES:
            raise ServiceError(
                "bad_request",
                "the multipart body can't be read: the header Content-Type must name its boundary, "
                f"of 1 to {MOST_BOUNDARY_BYTES} bytes",
            )
        self._options = frozenset(options)
        self._most_pictures, self._most_bytes = most_pictures, most_bytes
        self._uploads: list[Upload] = []
        self._fields: dict[str, str] = {}
        self._part = _Part()
        self._header_name = self._header_value = b""
        self._ended = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin_part,
                "on_header_field": self._take_header_name,
                "on_header_value": self._take_header_value,
                "on_header_end": self._end_header,
                "on_headers_finished": self._end_headers,
                "on_part_data": self._take_content,
                "on_part_end": self._end_part,
                "on_end": self._end,
            },
        )

    def take(self, data: bytes) -> None:
        """Takes more of the body; ignores bytes after the form's end.

        Raises:
            ServiceError: `bad_request`, `bad_option`, `too_many_images`.
        """
        if self._ended:
            return
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise ServiceError("bad_request", f"the multipart body can't be read: {error}") from error

    def finish(self) -> tuple[list[Upload], dict[str, str]]:
        """The pictures in their order, and the options.

        Raises:
            ServiceError: `bad_request`: the form is cut off; `no_images`.
        """
        if not self._ended:
            raise ServiceError(
                "bad_request", "the multipart body can't be read: it is cut off before its last boundary"
            )
        if not self._uploads:
            raise ServiceError("no_images", f"there is no picture in the field {FILES!r}")
        return self._uploads, self._fields

    def _begin_part(self) -> None:
        self._part = _Part()

    def _take_header_name(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _take_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _end_header(self) -> None:
        self._part.headers.append((self._header_name.lower(), self._header_value))
        self._header_name = self._header_value = b""

    def _end_headers(self) -> None:
        part = self._part
        disposition = dict(part.headers).get(b"content-disposition", b"")
        _, parameters = parse_options_header(disposition.decode("latin-1"))
        if b"name" not in parameters:
            raise ServiceError("bad_request", "a part of the form has no name; its Content-Disposition must say one")
        part.name = _text(parameters[b"name"])
        extended = _EXTENDED_NAME.search(disposition.decode("latin-1"))
        if extended is not None:
            part.file_name = unquote_to_bytes(extended[2]).decode(extended[1], "replace")
        elif b"filename" in parameters:
            part.file_name = _text(parameters[b"filename"])
        if part.is_picture:
            if part.name != FILES:
                raise ServiceError("bad_request", f"pictures belong in the field {FILES!r}, not {part.name[:80]!r}")
            if len(self._uploads) >= self._most_pictures:
                raise ServiceError("too_many_images", f"at most {self._most_pictures} pictures a request are taken")
        elif part.name not in self._options:
            raise ServiceError(
                "bad_option", f"there is no option {part.name[:80]!r}; there is {', '.join(sorted(self._options))}"
            )
        elif part.name in self._fields:
            raise ServiceError("bad_option", f"{part.name!r} came twice; send it once")

    def _take_content(self, data: bytes, start: int, end: int) -> None:
        content = self._part.content
        if self._part.is_picture:
            content += data[start : min(end, start + self._most_bytes + 1 - len(content))]
        elif len(content) + end - start > MOST_FIELD_BYTES:
            raise ServiceError("bad_request", f"the option {self._part.name!r} has more than {MOST_FIELD_BYTES} bytes")
        else:
            content += data[start:end]

    def _end_part(self) -> None:
        part = self._part
        if part.is_picture:
            if part.file_name is None:
                _refuse_text(part.content[:MOST_FIELD_BYTES])
            self._uploads.append(Upload(part.file_name or "", bytes(part.content)))
        else:
            self._fields[part.name] = _text(bytes(part.content))

    def _end(self) -> None:
        self._ended = True


def _refuse_text(beginning: bytes | bytearray) -> None:
    """Refuses a part for a picture whose beginning is a line of text: a form of curl without its @."""
    words = beginning.decode("latin-1")
    if words and words.isascii() and words.isprintable():
        raise ServiceError(
            "bad_request",
            f"the field {FILES!r} has the text {words[:80]!r}, not a file; curl sends a file as {FILES}=@NAME",
        )


def _text(data: bytes) -> str:
    """Decodes a text as UTF-8 (RFC 7578); as Latin-1, which has every byte, where it is no UTF-8."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")
